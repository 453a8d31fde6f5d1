import type { JsonObject, JsonValue } from "../domain/ir.ts";

/** The fields of an object, some of them unset. */
export type Unset = Readonly<Record<string, JsonValue | undefined>>;

/** The object without fields that are unset, empty or zero, as protojson leaves them out. */
export function compact(fields: Unset): JsonObject {
  const result: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined || value === null || value === "" || value === 0 || value === false) continue;
    if (typeof value === "object" && Object.keys(value).length === 0) continue;
    result[key] = value;
  }
  return result;
}

/** The object without fields that are unset: where protobuf tells zero from nothing, a zero stays. */
export function defined(fields: Unset): JsonObject {
  return Object.fromEntries(Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

/** RFC 3339 with seconds; unset for 0 and undefined. */
export function timestamp(time: number | undefined): string | undefined {
  return time === undefined || time === 0 ? undefined : new Date(time).toISOString().replace(/\.\d+Z$/u, "Z");
}
