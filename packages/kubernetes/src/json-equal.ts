import { isJsonObject } from "./merge-patch.ts";

/** Whether two JSON values are equal; members that are undefined count as absent. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => jsonEqual(item, b[i]));
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  for (const name of Object.keys(a)) if (!jsonEqual(a[name], b[name])) return false;
  return Object.keys(b).every((name) => b[name] === undefined || Object.hasOwn(a, name));
}
