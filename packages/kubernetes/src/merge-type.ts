import { canonicalJson } from "./canonical-json.ts";
import { fieldSchema, follow, isObject, type WalkOptions } from "./schema-walk.ts";
import type { Schema } from "./schema.ts";

/** How a value merges and how its parts are named: what server-side apply needs of a schema, compiled once. */
export type MergeType =
  /** One value, owned whole: a scalar, or what the schema calls atomic. */
  | { readonly kind: "atom" }
  /** Untyped: objects merge by field, everything else is one value. */
  | { readonly kind: "open" }
  | MapType
  | ListType;

/** An object whose fields have owners of their own. */
interface MapType {
  readonly kind: "map";
  field(name: string): MergeField;
}

/** A field's type; `isNamed` if the schema names the field, else it is a key of a map. */
export interface MergeField {
  readonly type: MergeType;
  readonly isNamed: boolean;
}

/** A list whose elements have owners of their own. */
interface ListType {
  readonly kind: "list";
  /** The path element of an item: `k:{…}` by its keys, `v:…` by itself. */
  elementOf(item: unknown): string;
  /** The keys that every item must have: those without a default. */
  readonly keys: readonly string[];
  readonly item: MergeType;
}

const ATOM: MergeType = { kind: "atom" };
const OPEN: MergeType = { kind: "open" };
/** A field that no schema names. */
export const OPEN_FIELD: MergeField = { type: OPEN, isNamed: false };

const compiled = new WeakMap<Schema, MergeType>();

/** The merge type of a schema; compiled when first asked for. */
export function mergeTypeOf(schema: Schema, options: WalkOptions): MergeType {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const type = compile(follow(schema, options), options);
  compiled.set(schema, type);
  return type;
}

function compile(schema: Schema, options: WalkOptions): MergeType {
  if (schema["x-kubernetes-map-type"] === "atomic") return ATOM;
  if (schema.type === "array" || schema.items !== undefined) return listType(schema, options);
  const { properties, additionalProperties } = schema;
  const isOpen =
    schema["x-kubernetes-preserve-unknown-fields"] === true || schema["x-kubernetes-embedded-resource"] === true || additionalProperties === true;
  if (properties !== undefined || isObject(additionalProperties)) return mapType(schema, options);
  if (isOpen || schema.type === "object") return OPEN;
  const isScalar = schema.type !== undefined || schema["x-kubernetes-int-or-string"] === true || schema.format !== undefined;
  return isScalar ? ATOM : OPEN;
}

function mapType(schema: Schema, options: WalkOptions): MapType {
  const fields = new Map<string, MergeField>();
  let rest: MergeField | undefined;
  const compileField = (name: string): MergeField => {
    const { properties, additionalProperties } = schema;
    const property = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (property === undefined)
      return (rest ??= isObject(additionalProperties) ? { type: mergeTypeOf(additionalProperties, options), isNamed: false } : OPEN_FIELD);
    const field = { type: mergeTypeOf(property, options), isNamed: true };
    fields.set(name, field);
    return field;
  };
  return { kind: "map", field: (name) => fields.get(name) ?? compileField(name) };
}

function listType(schema: Schema, options: WalkOptions): MergeType {
  const { items = {} } = schema;
  const kind = schema["x-kubernetes-list-type"];
  if (kind !== "set" && kind !== "map") return ATOM;
  let item: MergeType | undefined;
  const lazy = {
    get item(): MergeType {
      return (item ??= mergeTypeOf(items, options));
    },
  };
  if (kind === "set") return Object.assign(lazy, { kind: "list" as const, keys: [], elementOf: (value: unknown) => `v:${canonicalJson(value)}` });
  const keys = (schema["x-kubernetes-list-map-keys"] ?? []).toSorted();
  const itemSchema = follow(items, options);
  const fallbacks = keys.map((key) => fieldSchema(itemSchema, key, options)?.default);
  const texts = keys.map((key) => `${JSON.stringify(key)}:`);
  const elementOf = (value: unknown): string => {
    let text = "";
    for (const [i, key] of keys.entries()) {
      const part = (isObject(value) ? value[key] : undefined) ?? fallbacks[i];
      if (part !== undefined) text += `${text === "" ? "" : ","}${texts[i] ?? ""}${JSON.stringify(part)}`;
    }
    return `k:{${text}}`;
  };
  return Object.assign(lazy, { kind: "list" as const, keys: keys.filter((_, i) => fallbacks[i] === undefined), elementOf });
}
