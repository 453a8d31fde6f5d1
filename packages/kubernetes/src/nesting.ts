import { ApiError } from "./errors.ts";

/** How deep objects may nest: far beyond any real one, and shallow enough for every walk to recurse. */
const MAX_DEPTH: number = 500;

/** Refuses JSON that nests so deeply that it can only be an attack. */
export function requireShallow(value: unknown): void {
  if (isDeeper(value, MAX_DEPTH)) throw new ApiError("BadRequest", `the body nests more than ${MAX_DEPTH} levels deep`);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const child of Array.isArray(value) ? value : Object.values(value)) {
    if (typeof child === "object" && isDeeper(child, levels - 1)) return true;
  }
  return false;
}
