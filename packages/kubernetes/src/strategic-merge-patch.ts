import { ApiError } from "./errors.ts";
import { cloneJson, isJsonObject } from "./merge-patch.ts";
import { canonicalJson } from "./canonical-json.ts";
import { ANYTHING, fieldSchema, follow, type WalkOptions } from "./schema-walk.ts";
import type { Schema } from "./schema.ts";

type Json = Record<string, unknown>;

const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";
const DELETE_FROM = "$deleteFromPrimitiveList/";
const ORDER_OF = "$setElementOrder/";

/**
 * Applies a strategic merge patch: a merge patch in which lists merge too, by the keys that `schema` names, and which
 * may carry directives (`$patch`, `$retainKeys`, `$deleteFromPrimitiveList/x`, `$setElementOrder/x`). Never mutates.
 */
export function applyStrategicMergePatch(target: unknown, patch: unknown, schema: Schema, options: WalkOptions = {}): unknown {
  if (!isJsonObject(patch)) throw new ApiError("BadRequest", "a strategic merge patch must be an object");
  return mergeMap(isJsonObject(target) ? target : {}, patch, follow(schema, options), options);
}

function mergeMap(original: Json, patch: Json, schema: Schema, options: WalkOptions): Json {
  const directive = patch[DIRECTIVE];
  if (directive === "replace") return withoutDirectives({ ...patch, [DIRECTIVE]: undefined });
  if (directive === "delete") return {};
  if (directive !== undefined && directive !== "merge") throw unknownDirective(directive, "map", patch);

  const result = new Map(Object.entries(retained(original, patch)));
  for (const [name, wanted] of Object.entries(patch)) {
    if (name === "__proto__") throw new ApiError("BadRequest", 'the key "__proto__" is not allowed in a patch');
    if (name.startsWith("$")) continue;
    if (wanted === null) result.delete(name);
    else result.set(name, mergeField(result.get(name), wanted, fieldSchema(schema, name, options) ?? ANYTHING, options));
  }
  for (const [name, values] of Object.entries(patch)) {
    if (!name.startsWith(DELETE_FROM)) continue;
    const field = name.slice(DELETE_FROM.length);
    const list = result.get(field);
    if (!Array.isArray(values)) throw badFormat("primitive list");
    const gone = new Set(values.map(canonicalJson));
    if (Array.isArray(list))
      result.set(
        field,
        list.filter((item: unknown) => !gone.has(canonicalJson(item))),
      );
  }
  for (const [name, order] of Object.entries(patch)) {
    if (!name.startsWith(ORDER_OF)) continue;
    const field = name.slice(ORDER_OF.length);
    if (!Array.isArray(order)) throw badFormat("setElementOrder list");
    const identity = identityOf(fieldSchema(schema, field, options) ?? ANYTHING);
    requireOrder(patch[field], order, identity);
    const list = result.get(field);
    const before = original[field];
    if (Array.isArray(list)) result.set(field, inOrder(list, order, Array.isArray(before) ? before : list, identity));
  }
  return Object.fromEntries(result);
}

function mergeField(original: unknown, wanted: unknown, schema: Schema, options: WalkOptions): unknown {
  const strategies = (schema["x-kubernetes-patch-strategy"] ?? "").split(",");
  if (isJsonObject(wanted) && isJsonObject(original) && !strategies.includes("replace")) return mergeMap(original, wanted, schema, options);
  if (Array.isArray(wanted) && strategies.includes("merge")) {
    return mergeList(Array.isArray(original) ? original : [], wanted, schema, options);
  }
  return withoutDirectives(wanted);
}

function mergeList(original: readonly unknown[], patch: readonly unknown[], schema: Schema, options: WalkOptions): unknown[] {
  const identity = identityOf(schema);
  if (!patch.some(isJsonObject)) {
    const known = new Set(original.map(canonicalJson));
    return inOrder([...original, ...patch.filter((item) => !known.has(canonicalJson(item)))], patch, original, identity);
  }
  if (patch.some((item) => isJsonObject(item) && item[DIRECTIVE] === "replace")) {
    return patch.filter((item) => !isJsonObject(item) || item[DIRECTIVE] !== "replace").map(withoutDirectives);
  }
  const items = schema.items === undefined ? ANYTHING : follow(schema.items, options);
  let result = [...original];
  const kept: unknown[] = [];
  for (const item of patch) {
    if (!isJsonObject(item)) throw new ApiError("Invalid", "a list of maps cannot be merged with anything else");
    const id = identity(item);
    const directive = item[DIRECTIVE];
    if (directive === "delete") {
      result = result.filter((one) => identity(one) !== id);
      continue;
    }
    if (directive !== undefined && directive !== "merge") throw unknownDirective(directive, "list", item);
    kept.push(item);
    const at = result.findIndex((one) => identity(one) === id);
    const existing = result[at];
    if (isJsonObject(existing)) result[at] = mergeMap(existing, item, items, options);
    else result.push(withoutDirectives(item));
  }
  return inOrder(result, kept, original, identity);
}

/** What an element is known by: its merge key, or itself. */
function identityOf(schema: Schema): (item: unknown) => string {
  const key = schema["x-kubernetes-patch-merge-key"];
  if (key === undefined) return canonicalJson;
  return (item) => {
    if (isJsonObject(item) && item[key] !== undefined) return canonicalJson(item[key]);
    throw new ApiError("Invalid", `map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
  };
}

/** The elements that `wanted` names in its order, between the others where the server had them; new ones as early as that allows. */
function inOrder(items: readonly unknown[], wanted: readonly unknown[], before: readonly unknown[], identity: (item: unknown) => string): unknown[] {
  const rank = new Map(wanted.map((item, i) => [identity(item), i]));
  const place = new Map(before.map((item, i) => [identity(item), i]));
  const at = (ranks: ReadonlyMap<string, number>, item: unknown): number => ranks.get(identity(item)) ?? -1;
  const named = items.filter((item) => rank.has(identity(item))).toSorted((a, b) => at(rank, a) - at(rank, b));
  const others = items.filter((item) => !rank.has(identity(item))).toSorted((a, b) => at(place, a) - at(place, b));
  const result: unknown[] = [];
  for (const item of named) {
    const position = at(place, item);
    while (others.length > 0 && position >= 0 && at(place, others[0]) >= 0 && at(place, others[0]) < position) result.push(others.shift());
    result.push(item);
  }
  return [...result, ...others];
}

function requireOrder(list: unknown, order: readonly unknown[], identity: (item: unknown) => string): void {
  if (!Array.isArray(list)) return;
  const present = list.filter((item) => !isJsonObject(item) || item[DIRECTIVE] === undefined);
  const rank = new Map(order.map((item, i) => [identity(item), i]));
  const positions = present.map((item) => rank.get(identity(item)) ?? -1);
  if (positions.every((position, i) => position >= 0 && position >= (positions[i - 1] ?? 0))) return;
  throw new ApiError(
    "BadRequest",
    `The order in patch list:\n${JSON.stringify(present)}\n doesn't match $setElementOrder list:\n${JSON.stringify(order)}\n`,
  );
}

/** What `$retainKeys` leaves of a map. */
function retained(original: Json, patch: Json): Json {
  const keys = patch[RETAIN_KEYS];
  if (keys === undefined) return original;
  if (!Array.isArray(keys)) throw badFormat("retainKeys");
  const isForeign = Object.entries(patch).some(([name, value]) => !name.startsWith("$") && value !== null && !keys.includes(name));
  if (isForeign) throw badFormat("retainKeys");
  return Object.fromEntries(Object.entries(original).filter(([name]) => keys.includes(name)));
}

/** A patch's value where there is nothing to patch: directives and nulls mean nothing there. */
function withoutDirectives<T>(value: T): T {
  // Only what is no data goes.
  return strip(value) as T;
}

function strip(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => !isJsonObject(item) || item[DIRECTIVE] !== "delete").map(strip);
  if (!isJsonObject(value)) return cloneJson(value);
  const entries = Object.entries(value).filter(([name, child]) => child !== null && child !== undefined && !isDirective(name));
  return Object.fromEntries(entries.map(([name, child]) => [name, strip(child)]));
}

function isDirective(name: string): boolean {
  return name === DIRECTIVE || name === RETAIN_KEYS || name.startsWith(DELETE_FROM) || name.startsWith(ORDER_OF);
}

function unknownDirective(directive: unknown, where: string, value: unknown): ApiError {
  return new ApiError("Invalid", `unknown patch type '${String(directive)}' in ${where}: ${JSON.stringify(value)}`);
}

function badFormat(what: string): ApiError {
  return new ApiError("BadRequest", `invalid patch format of ${what}`);
}
