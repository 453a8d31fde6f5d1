import { ApiError } from "./errors.ts";

/** Applies a JSON Merge Patch (RFC 7396) and returns the result, which shares only what the patch left alone with `target`. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return cloneJson(patch);
  const result = new Map(isJsonObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    refusePrototype(key);
    if (value === null) result.delete(key);
    else result.set(key, applyMergePatch(result.get(key), value));
  }
  return Object.fromEntries(result);
}

/** A deep copy of a JSON value that refuses the key `__proto__`. */
export function cloneJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cloneJson);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      refusePrototype(key);
      return [key, cloneJson(child)];
    }),
  );
}

/** Whether a JSON value is an object, as opposed to an array, a scalar or null. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refusePrototype(key: string): void {
  if (key === "__proto__") throw new ApiError("BadRequest", 'the key "__proto__" is not allowed in a patch');
}
