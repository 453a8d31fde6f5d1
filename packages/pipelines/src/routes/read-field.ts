import { isJsonObject } from "../domain/executor-input.ts";
import type { JsonObject, JsonValue } from "../domain/ir.ts";
import { invalid } from "./invalid.ts";
import type { Field, Fields, FieldType } from "./schema.ts";

const INT32_LIMIT = 2n ** 31n;
const INT64_LIMIT = 2n ** 63n;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/iu;
const SPECIAL_NUMBERS: readonly string[] = ["NaN", "Infinity", "-Infinity"];

/** The value of a field as protobuf's JSON may write it, in one form: names in snake_case, enums by name, an int64 as a string. */
export function readField(value: JsonValue, type: FieldType, path: string): JsonValue {
  switch (type.kind) {
    case "value":
      return value;
    case "string":
      if (typeof value !== "string") throw invalid(path, "must be a string");
      return value;
    case "bool":
      if (typeof value !== "boolean") throw invalid(path, "must be true or false");
      return value;
    case "int32":
      return Number(integer(value, path, INT32_LIMIT));
    case "int64":
      return String(integer(value, path, INT64_LIMIT));
    case "double":
      return double(value, path);
    case "timestamp":
      if (typeof value !== "string" || !RFC3339.test(value) || Number.isNaN(Date.parse(value))) {
        throw invalid(path, `must be a time such as "2026-01-31T12:00:00Z", not ${JSON.stringify(value)}`);
      }
      return value;
    case "struct":
      if (!isJsonObject(value)) throw invalid(path, "must be an object");
      return value;
    case "enum":
      return enumValue(value, type, path);
    case "list":
      if (!Array.isArray(value)) throw invalid(path, "must be a list");
      return (value as readonly JsonValue[]).map((item, index) => readField(item, type.of, `${path}[${index}]`));
    case "map":
      if (!isJsonObject(value)) throw invalid(path, "must be an object");
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, readField(item, type.of, `${path}.${key}`)]));
    case "message":
      return readFields(value, type.of.fields, path);
  }
}

/** A message's fields: `null` is unset, a name that is not known is refused, as is one that is there twice. */
export function readFields(value: JsonValue | undefined, known: Fields, path: string): JsonObject {
  if (!isJsonObject(value)) throw invalid(path, path === "" ? "the body must be an object" : "must be an object");
  const fields: Record<string, JsonValue> = {};
  for (const [key, item] of Object.entries(value)) {
    const [name, field] = fieldOf(key, known) ?? [];
    if (name === undefined || field === undefined) throw invalid(path, `unknown field ${JSON.stringify(key)}`);
    const at = path === "" ? name : `${path}.${name}`;
    if (Object.hasOwn(fields, name)) throw invalid(at, "is there twice");
    if (item !== null || field.kind === "value") fields[name] = readField(item, field, at);
  }
  return fields;
}

/** The field that a key means, which may be in snake_case or in lowerCamelCase. */
export function fieldOf(key: string, known: Fields): readonly [string, Field] | undefined {
  for (const name of [key, key.replace(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`)]) {
    const field = Object.hasOwn(known, name) ? known[name] : undefined;
    if (field !== undefined) return [name, field];
  }
  return undefined;
}

function integer(value: JsonValue, path: string, limit: bigint): bigint {
  const number = typeof value === "number" || (typeof value === "string" && /^-?\d+(?:\.0+)?$/u.test(value)) ? value : undefined;
  const whole = typeof number === "string" ? BigInt(number.replace(/\..*$/u, "")) : Number.isInteger(number) ? BigInt(number ?? 0) : undefined;
  if (whole === undefined || whole < -limit || whole >= limit) throw invalid(path, `must be a whole number, not ${JSON.stringify(value)}`);
  return whole;
}

function double(value: JsonValue, path: string): JsonValue {
  if (typeof value === "number") return value;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
  if (typeof value === "string" && SPECIAL_NUMBERS.includes(value)) return value;
  if (Number.isNaN(number)) throw invalid(path, `must be a number, not ${JSON.stringify(value)}`);
  return number;
}

function enumValue(value: JsonValue, { values, name }: Extract<FieldType, { readonly kind: "enum" }>, path: string): string {
  const found = typeof value === "number" ? values[value] : values.find((known) => known === value);
  if (found === undefined || found === "")
    throw invalid(path, `unknown ${name} ${JSON.stringify(value)}; known are ${values.filter((one) => one !== "").join(", ")}`);
  return found;
}
