/** A kind of value that has no parameters. */
export type ScalarKind = "bool" | "int" | "uint" | "double" | "string" | "bytes" | "duration" | "timestamp" | "null" | "dyn" | "error";

/** How two lists are equal, and what their sum is: as `x-kubernetes-list-type` says. */
export type ListSemantics = { readonly type: "atomic" } | { readonly type: "set" } | { readonly type: "map"; readonly keys: readonly string[] };

/** A type without parameters. `maxSize` bounds its length or number of items, for estimates of cost. */
export interface ScalarType<K extends ScalarKind = ScalarKind> {
  readonly kind: K;
  readonly maxSize?: number;
}

/** `list(items)`. */
export interface ListType {
  readonly kind: "list";
  readonly items: CelType;
  readonly maxSize?: number;
  readonly semantics?: ListSemantics;
}

/** `map(key, value)`. */
export interface MapType {
  readonly kind: "map";
  readonly key: CelType;
  readonly value: CelType;
  readonly maxSize?: number;
}

/** An object with named fields; two of them are the same type if their names are the same. */
export interface ObjectType {
  readonly kind: "object";
  readonly name: string;
  /** By the name that an expression uses; what stands in JSON is `jsonName`. Recursive types compute theirs lazily. */
  readonly fields: ReadonlyMap<string, ObjectField>;
}

/** A field of an object: its type, and its name in JSON. */
export interface ObjectField {
  readonly type: CelType;
  readonly jsonName: string;
}

/** `optional_type(of)`. */
export interface OptionalType {
  readonly kind: "optional";
  readonly of: CelType;
}

/** A type whose values only functions can read, such as `kubernetes.authorization.Authorizer` or `net.IP`. */
export interface OpaqueType<T = unknown> {
  readonly kind: "opaque";
  readonly name: string;
  /** What such a value carries; never present, for the compiler alone. */
  readonly carries?: T;
}

/** `type(of)`: the type of types. */
export interface TypeType {
  readonly kind: "type";
  readonly of?: CelType;
}

/** A type that an overload leaves open, such as the A of `list(A)`. */
export interface ParamType {
  readonly kind: "param";
  readonly name: string;
}

/** What an expression may evaluate to. */
export type CelType = ScalarType | ListType | MapType | ObjectType | OptionalType | OpaqueType | TypeType | ParamType;

/** True and false. */
export const BOOL: ScalarType<"bool"> = { kind: "bool" };
/** Whole numbers of 64 bits. */
export const INT: ScalarType<"int"> = { kind: "int" };
/** Whole numbers of 64 bits without a sign. */
export const UINT: ScalarType<"uint"> = { kind: "uint" };
/** Numbers with a fraction. */
export const DOUBLE: ScalarType<"double"> = { kind: "double" };
/** Text. */
export const STRING: ScalarType<"string"> = { kind: "string" };
/** Bytes. */
export const BYTES: ScalarType<"bytes"> = { kind: "bytes" };
/** Lengths of time. */
export const DURATION: ScalarType<"duration"> = { kind: "duration" };
/** Points in time. */
export const TIMESTAMP: ScalarType<"timestamp"> = { kind: "timestamp" };
/** The type of null alone. */
export const NULL: ScalarType<"null"> = { kind: "null" };
/** What is known only when an expression runs. */
export const DYN: ScalarType<"dyn"> = { kind: "dyn" };
/** What stands in place of a type where an expression is wrong. */
export const ERROR: ScalarType<"error"> = { kind: "error" };

/** `list(items)`. */
export function listOf(items: CelType): ListType {
  return { kind: "list", items };
}

/** `map(key, value)`. */
export function mapOf(key: CelType, value: CelType): MapType {
  return { kind: "map", key, value };
}

/** `optional_type(of)`. */
export function optionalOf(of: CelType): OptionalType {
  return { kind: "optional", of };
}

/** The opaque type of that name. */
export function opaque<T>(name: string): OpaqueType<T> {
  return { kind: "opaque", name };
}

/** An object type of these fields, named alike in JSON. */
export function objectOf(name: string, fields: Readonly<Record<string, CelType>>): ObjectType {
  const entries = Object.entries(fields).map(([field, type]): [string, ObjectField] => [field, { type, jsonName: field }]);
  return { kind: "object", name, fields: new Map(entries) };
}

/** The type as messages write it. */
export function formatType(type: CelType): string {
  if (type.kind === "list") return `list(${formatType(type.items)})`;
  if (type.kind === "map") return `map(${formatType(type.key)}, ${formatType(type.value)})`;
  if (type.kind === "optional") return `optional_type(${formatType(type.of)})`;
  if (type.kind === "object" || type.kind === "opaque" || type.kind === "param") return type.name;
  if (type.kind === "type") return type.of === undefined ? "type" : `type(${formatType(type.of)})`;
  if (type.kind === "duration") return "google.protobuf.Duration";
  if (type.kind === "timestamp") return "google.protobuf.Timestamp";
  if (type.kind === "error") return "!error!";
  return type.kind;
}
