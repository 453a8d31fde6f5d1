import { isObject } from "./schema-walk.ts";

/** JSON with sorted keys: equal text for equal values. */
export function canonicalJson(value: unknown): string {
  if (!isObject(value) && !Array.isArray(value)) return JSON.stringify(value) ?? "null";
  const sort = (_: string, node: unknown): unknown =>
    isObject(node) ? Object.fromEntries(Object.entries(node).toSorted(([a], [b]) => (a < b ? -1 : 1))) : node;
  return JSON.stringify(value, sort);
}
