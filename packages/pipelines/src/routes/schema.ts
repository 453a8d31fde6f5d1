/** The type of a field, as protobuf's JSON has it. */
export type FieldType =
  | { readonly kind: "string" | "bool" | "int32" | "int64" | "double" | "timestamp" | "struct" | "value" }
  /** Its values by their protobuf numbers; an empty one is a number that nobody uses. */
  | { readonly kind: "enum"; readonly name: string; readonly values: readonly string[] }
  | { readonly kind: "list" | "map"; readonly of: FieldType }
  | { readonly kind: "message"; readonly of: MessageType };

/** A field of a message, or a parameter of a query. */
export type Field = FieldType & { readonly about?: string };

/** The fields of a message by their names in snake_case. */
export type Fields = Readonly<Record<string, Field>>;

/** A message of the API: what a request may carry, and an answer does. */
export interface MessageType {
  readonly name: string;
  readonly fields: Fields;
}

/** Text. */
export const STRING: FieldType = { kind: "string" };
/** True or false; false is left out. */
export const BOOL: FieldType = { kind: "bool" };
/** A number that JSON carries as one. */
export const INT32: FieldType = { kind: "int32" };
/** A number that JSON carries as a string. */
export const INT64: FieldType = { kind: "int64" };
/** Any number. */
export const DOUBLE: FieldType = { kind: "double" };
/** RFC 3339. */
export const TIMESTAMP: FieldType = { kind: "timestamp" };
/** Any JSON object. */
export const STRUCT: FieldType = { kind: "struct" };
/** Any JSON. */
export const VALUE: FieldType = { kind: "value" };

/** A list. */
export function listOf(of: FieldType): FieldType {
  return { kind: "list", of };
}

/** An object with any keys. */
export function mapOf(of: FieldType): FieldType {
  return { kind: "map", of };
}

/** A message within another. */
export function messageOf(of: MessageType): FieldType {
  return { kind: "message", of };
}

/** One of some names; a request may give its number instead. */
export function enumOf(name: string, values: readonly string[]): FieldType {
  return { kind: "enum", name, values };
}
