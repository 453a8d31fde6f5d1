import { RE2JS } from "re2js";
import { canonicalJson } from "./canonical-json.ts";
import { ApiError } from "./errors.ts";
import { isQuantity } from "./quantity.ts";
import { remember } from "./remember.ts";
import type { Schema } from "./schema.ts";
import { childPath, fieldSchema, follow, isObject, type WalkOptions } from "./schema-walk.ts";

/** One reason why a value is invalid, as `Status.details.causes` carries it. */
export interface Cause {
  readonly reason:
    | "FieldValueDuplicate"
    | "FieldValueForbidden"
    | "FieldValueInvalid"
    | "FieldValueNotFound"
    | "FieldValueNotSupported"
    | "FieldValueRequired"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "FieldValueTypeInvalid";
  readonly field: string;
  readonly message: string;
}

/** How to validate. */
export interface ValidateOptions extends WalkOptions {
  /** Where the value sits. */
  readonly path?: string;
  /** Lets sets and maps that are written as lists name one thing twice, as most of Kubernetes' own kinds may. */
  readonly allowDuplicates?: boolean;
}

/** Everything that is wrong with `value` by `schema`, worded as Kubernetes words it. */
export function validate(value: unknown, schema: Schema, options: ValidateOptions = {}): Cause[] {
  const causes: Cause[] = [];
  check(value, schema, options.path ?? "", options, causes);
  return causes;
}

/** The 422 that answers an invalid object. */
export function invalid(kind: string, group: string, name: string, causes: readonly Cause[]): ApiError {
  const lines = [...new Set(causes.map(({ field, message }) => `${field === "" ? "<nil>" : field}: ${message}`))];
  const list = lines.length > 1 ? `[${lines.join(", ")}]` : lines.join("");
  const message = `${group === "" ? kind : `${kind}.${group}`} ${JSON.stringify(name)} is invalid${list === "" ? "" : `: ${list}`}`;
  const details = { name, kind, ...(group === "" ? {} : { group }), causes: causes.map((cause) => ({ ...cause })) };
  return new ApiError("Invalid", message, { details });
}

function check(value: unknown, unresolved: Schema, path: string, options: ValidateOptions, causes: Cause[]): void {
  const schema = follow(unresolved, options);
  const wrongType = checkType(value, schema, path);
  if (wrongType !== undefined) {
    causes.push(wrongType);
    return;
  }
  if (schema.enum !== undefined && !(value === null && schema.nullable === true)) checkEnum(value, schema.enum, path, causes);
  if (typeof value === "string") checkString(value, schema, path, causes);
  else if (typeof value === "number") checkNumber(value, schema, path, causes);
  else if (Array.isArray(value)) checkArray(value, schema, path, options, causes);
  else if (isObject(value)) checkObject(value, schema, path, options, causes);
  const isComposed = schema.allOf !== undefined || schema.anyOf !== undefined || schema.oneOf !== undefined || schema.not !== undefined;
  if (isComposed) checkComposition(value, schema, path, options, causes);
}

function checkType(value: unknown, schema: Schema, path: string): Cause | undefined {
  if (schema.type !== undefined && schema.type === typeof value && value !== null && !Array.isArray(value)) return undefined;
  const types = schema["x-kubernetes-int-or-string"] === true ? ["integer", "string"] : schema.type === undefined ? [] : [schema.type];
  const actual = typeName(value);
  if (types.length === 0 || types.includes(actual) || (actual === "null" && schema.nullable === true)) return undefined;
  if (actual === "integer" && types.includes("number")) return undefined;
  const message = `${path} in body must be of type ${types.join(",")}: ${quote(actual)}`;
  return { reason: "FieldValueTypeInvalid", field: path, message: `Invalid value: ${quote(actual)}: ${message}` };
}

function checkEnum(value: unknown, allowed: readonly unknown[], path: string, causes: Cause[]): void {
  if (allowed.includes(value)) return;
  const key = canonicalJson(value);
  if (allowed.some((option) => canonicalJson(option) === key)) return;
  const supported = allowed.map((option) => quote(typeof option === "string" ? option : JSON.stringify(option)));
  const message = `Unsupported value: ${show(value)}: supported values: ${supported.join(", ")}`;
  causes.push({ reason: "FieldValueNotSupported", field: path, message });
}

function checkString(value: string, schema: Schema, path: string, causes: Cause[]): void {
  const { minLength, maxLength, pattern } = schema;
  const length = minLength === undefined && maxLength === undefined ? 0 : [...value].length;
  if (maxLength !== undefined && length > maxLength) {
    causes.push({ reason: "FieldValueTooLong", field: path, message: `Too long: may not be more than ${maxLength} bytes` });
  }
  if (minLength !== undefined && length < minLength) causes.push(wrong(value, path, `should be at least ${minLength} chars long`));
  if (schema.format === "quantity" && !isQuantity(value)) causes.push(wrong(value, path, "must be a quantity, such as 500m or 1.5Gi"));
  if (pattern === undefined) return;
  const compiled = compile(pattern);
  if (typeof compiled === "string") causes.push(wrong(value, path, `should match '${pattern}, but pattern is invalid: ${compiled}'`));
  else if (!compiled(value)) causes.push(wrong(value, path, `should match '${pattern}'`));
}

function checkNumber(value: number, schema: Schema, path: string, causes: Cause[]): void {
  const { multipleOf, minimum, maximum } = schema;
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) causes.push(wrong(value, path, `should be a multiple of ${multipleOf}`));
  if (maximum !== undefined) {
    if (schema.exclusiveMaximum === true) {
      if (value >= maximum) causes.push(wrong(value, path, `should be less than ${maximum}`));
    } else if (value > maximum) causes.push(wrong(value, path, `should be less than or equal to ${maximum}`));
  }
  if (minimum !== undefined) {
    if (schema.exclusiveMinimum === true) {
      if (value <= minimum) causes.push(wrong(value, path, `should be greater than ${minimum}`));
    } else if (value < minimum) causes.push(wrong(value, path, `should be greater than or equal to ${minimum}`));
  }
}

function checkArray(value: readonly unknown[], schema: Schema, path: string, options: ValidateOptions, causes: Cause[]): void {
  const { items, minItems, maxItems } = schema;
  if (minItems !== undefined && value.length < minItems) causes.push(wrong(value, path, `should have at least ${minItems} items`));
  if (maxItems !== undefined && value.length > maxItems) causes.push(tooMany(value.length, maxItems, path));
  if (schema.uniqueItems === true && new Set(value.map(canonicalJson)).size < value.length)
    causes.push(wrong(value, path, "shouldn't contain duplicates"));
  if (items !== undefined) for (const [i, item] of value.entries()) check(item, items, `${path}[${i}]`, options, causes);

  const listType = schema["x-kubernetes-list-type"];
  if ((listType !== "set" && listType !== "map") || options.allowDuplicates === true) return;
  const identity = listType === "set" ? (item: unknown): unknown => item : mapKey(schema, options);
  const seen = new Set<string>();
  for (const [i, item] of value.entries()) {
    const id = identity(item);
    if (id === undefined) continue;
    const key = canonicalJson(id);
    if (seen.has(key)) causes.push({ reason: "FieldValueDuplicate", field: `${path}[${i}]`, message: `Duplicate value: ${show(id)}` });
    seen.add(key);
  }
}

/** An item's list-map keys as one object, defaults included; undefined for what is no object. */
function mapKey(schema: Schema, options: WalkOptions): (item: unknown) => unknown {
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const items = schema.items === undefined ? {} : follow(schema.items, options);
  const keyOf = (item: Readonly<Record<string, unknown>>, key: string): unknown => item[key] ?? fieldSchema(items, key, options)?.default;
  return (item) => (isObject(item) ? Object.fromEntries(keys.map((key) => [key, keyOf(item, key)])) : undefined);
}

function checkObject(value: Readonly<Record<string, unknown>>, schema: Schema, path: string, options: ValidateOptions, causes: Cause[]): void {
  const { required = [], minProperties, maxProperties } = schema;
  const size = minProperties === undefined && maxProperties === undefined ? 0 : Object.keys(value).length;
  if (minProperties !== undefined && size < minProperties) causes.push(wrong(value, path, `should have at least ${minProperties} properties`));
  if (maxProperties !== undefined && size > maxProperties) causes.push(tooMany(size, maxProperties, path));
  for (const name of required) {
    if (!Object.hasOwn(value, name)) causes.push({ reason: "FieldValueRequired", field: childPath(path, name), message: "Required value" });
  }
  for (const name in value) {
    const child = value[name];
    const field = fieldSchema(schema, name, options);
    if (field !== undefined) check(child, field, childPath(path, name), options, causes);
  }
}

function checkComposition(value: unknown, schema: Schema, path: string, options: ValidateOptions, causes: Cause[]): void {
  const attempt = (branches: readonly Schema[]): Cause[][] => branches.map((branch) => validate(value, branch, { ...options, path }));
  const broken = (text: string): Cause => ({ reason: "FieldValueInvalid", field: path, message: `Invalid value: "": ${quote(path)} ${text}` });

  if (schema.allOf !== undefined) {
    const results = attempt(schema.allOf);
    const failed = results.filter((one) => one.length > 0);
    causes.push(...failed.flat());
    if (failed.length > 0) causes.push(broken(`must validate all the schemas (allOf)${failed.length === results.length ? ". None validated" : ""}`));
  }
  if (schema.anyOf !== undefined) {
    const results = attempt(schema.anyOf);
    if (results.every((one) => one.length > 0)) {
      causes.push(broken("must validate at least one schema (anyOf)"));
      causes.push(...nearest(results));
    }
  }
  if (schema.oneOf !== undefined) {
    const results = attempt(schema.oneOf);
    const valid = results.filter((one) => one.length === 0).length;
    const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
    if (valid !== 1) causes.push(broken(`must validate one and only one schema (oneOf). ${found}`));
    if (valid === 0) causes.push(...nearest(results));
  }
  if (schema.not !== undefined && validate(value, schema.not, { ...options, path }).length === 0)
    causes.push(broken("must not validate the schema (not)"));
}

/** The causes of the alternative that came closest. */
function nearest(results: readonly Cause[][]): Cause[] {
  return results.toSorted((a, b) => a.length - b.length)[0] ?? [];
}

function wrong(value: unknown, path: string, text: string): Cause {
  return { reason: "FieldValueInvalid", field: path, message: `Invalid value: ${show(value)}: ${path} in body ${text}` };
}

function tooMany(actual: number, most: number, path: string): Cause {
  return { reason: "FieldValueTooMany", field: path, message: `Too many: ${actual}: must have at most ${most} items` };
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

/** A decimal multiple, forgiving the rounding of binary fractions: 0.3 is a multiple of 0.1. */
function isMultiple(value: number, of: number): boolean {
  const quotient = value / of;
  return Math.abs(quotient - Math.round(quotient)) <= Number.EPSILON * Math.max(1, Math.abs(quotient));
}

function show(value: unknown): string {
  return value === null || value === undefined ? '"null"' : canonicalJson(value);
}

function quote(text: string): string {
  return JSON.stringify(text);
}

type Matcher = (value: string) => boolean;

const compiledPatterns = new Map<string, Matcher | string>();

/** What tells whether a value matches the pattern, in time linear in the value's length, or why the pattern does not compile. */
function compile(pattern: string): Matcher | string {
  const known = compiledPatterns.get(pattern);
  if (known !== undefined) return known;
  let compiled: Matcher | string;
  try {
    const expression = RE2JS.compile(pattern);
    compiled = remember((value) => expression.matcher(value).find());
  } catch (error) {
    compiled = error instanceof Error ? error.message : String(error);
  }
  compiledPatterns.set(pattern, compiled);
  return compiled;
}
