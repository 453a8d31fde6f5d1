import type { Schema } from "@sluice/kubernetes";
import { escapeName, isReserved } from "./names.ts";
import {
  BOOL,
  DOUBLE,
  DYN,
  INT,
  STRING,
  type CelType,
  type ListSemantics,
  type ListType,
  type MapType,
  type ObjectField,
  type ObjectType,
} from "./types.ts";

/** How a schema is read as a type. */
export interface SchemaTypeOptions {
  /** Whether apiVersion, kind, metadata.name and metadata.generateName are there although the schema does not say so. */
  readonly isResourceRoot?: boolean;
  /** What the object types inside are called after; two types of one name are the same type. */
  readonly name?: string;
}

/** What a request can hold at most, in bytes: it bounds what no schema bounds. */
const MAX_REQUEST = 3 * 1024 * 1024;
/** Deeper schemas are no schemas that anybody wrote. */
const MAX_DEPTH = 256;
const DATE = 12;
const TIME = 32;

const METADATA: Schema = { type: "object", properties: { name: { type: "string" }, generateName: { type: "string" } } };

/** The type of the values that a structural schema describes, or undefined if expressions cannot see them. */
export function celTypeOf(schema: Schema, resolve?: (name: string) => Schema, options: SchemaTypeOptions = {}): CelType | undefined {
  return new SchemaReader(resolve).read(schema, options.name ?? "object", options.isResourceRoot ?? false, 0);
}

/** The schema of a resource's root, or of a resource inside one: with what expressions may always read. */
function withObjectMeta(schema: Schema): Schema {
  const properties = { ...schema.properties, kind: STRING_SCHEMA, apiVersion: STRING_SCHEMA, metadata: METADATA };
  return { ...schema, properties };
}

const STRING_SCHEMA: Schema = { type: "string" };

class SchemaReader {
  readonly #resolve: ((name: string) => Schema) | undefined;
  /** Objects by the definitions that they come from, which may contain themselves. */
  readonly #definitions = new Map<string, CelType | undefined>();

  constructor(resolve: ((name: string) => Schema) | undefined) {
    this.#resolve = resolve;
  }

  read(schema: Schema, name: string, isRoot: boolean, depth: number): CelType | undefined {
    if (depth > MAX_DEPTH) return undefined;
    if (schema.ref !== undefined) return this.#readDefinition(schema.ref, depth);
    if (schema["x-kubernetes-int-or-string"] === true) return { ...DYN, maxSize: lengthOf(schema, MAX_REQUEST - 2) };
    const full = isRoot ? withObjectMeta(schema) : schema;
    if (schema.type === "array") return this.#list(full, name, depth);
    if (schema.type === "object") return this.#object(full, name, depth);
    if (schema.type === "string") return readString(full);
    if (schema.type === "boolean") return BOOL;
    if (schema.type === "number") return DOUBLE;
    if (schema.type === "integer") return INT;
    return undefined;
  }

  #readDefinition(ref: string, depth: number): CelType | undefined {
    if (this.#resolve === undefined) return DYN;
    if (this.#definitions.has(ref)) return this.#definitions.get(ref);
    // A definition that contains itself is, inside of itself, known by its name only; its fields are read when asked for.
    const schema = this.#resolve(ref);
    const lazy = schema.type === "object" && schema.properties !== undefined ? this.#lazyObject(schema, ref) : undefined;
    this.#definitions.set(ref, lazy);
    const type = lazy ?? this.read(schema, ref, false, depth + 1);
    this.#definitions.set(ref, type);
    return type;
  }

  #lazyObject(schema: Schema, name: string): ObjectType {
    const read = (): ReadonlyMap<string, ObjectField> => this.#fields(schema, name, 0);
    let fields: ReadonlyMap<string, ObjectField> | undefined;
    return {
      kind: "object",
      name,
      get fields() {
        return (fields ??= read());
      },
    };
  }

  #list(schema: Schema, name: string, depth: number): ListType | undefined {
    const items = schema.items;
    const type = items === undefined ? undefined : this.read(items, `${name}.@idx`, isResource(items), depth + 1);
    if (type === undefined) return undefined;
    const maxSize = Math.max(0, schema.maxItems ?? Math.floor((MAX_REQUEST - 2) / (minSizeOf(items) + 1)));
    return { kind: "list", items: type, maxSize, semantics: semanticsOf(schema) };
  }

  #object(schema: Schema, name: string, depth: number): MapType | ObjectType | undefined {
    const additional = schema.additionalProperties;
    if (additional !== undefined && typeof additional !== "boolean") {
      const value = this.read(additional, `${name}.@elem`, isResource(additional), depth + 1);
      if (value === undefined) return undefined;
      const maxSize = Math.max(0, schema.maxProperties ?? Math.floor((MAX_REQUEST - 2) / (minSizeOf(additional) + 6)));
      return { kind: "map", key: STRING, value, maxSize };
    }
    return { kind: "object", name, fields: this.#fields(schema, name, depth) };
  }

  #fields(schema: Schema, name: string, depth: number): ReadonlyMap<string, ObjectField> {
    const fields = new Map<string, ObjectField>();
    for (const [jsonName, child] of Object.entries(schema.properties ?? {})) {
      const field = escapeName(jsonName);
      const type = field === undefined ? undefined : this.read(child, `${name}.${field}`, isResource(child), depth + 1);
      if (field === undefined || type === undefined) continue;
      // A word that is reserved may be written as it is behind a dot.
      if (isReserved(jsonName)) fields.set(jsonName, { type, jsonName });
      fields.set(field, { type, jsonName });
    }
    return fields;
  }
}

function isResource(schema: Schema): boolean {
  return schema["x-kubernetes-embedded-resource"] === true;
}

function semanticsOf(schema: Schema): ListSemantics {
  if (schema["x-kubernetes-list-type"] === "set") return { type: "set" };
  if (schema["x-kubernetes-list-type"] === "map")
    return { type: "map", keys: (schema["x-kubernetes-list-map-keys"] ?? []).map((key) => escapeName(key) ?? key) };
  return { type: "atomic" };
}

function readString(schema: Schema): CelType {
  if (schema.format === "byte") return { kind: "bytes", maxSize: Math.max(0, schema.maxLength ?? MAX_REQUEST - 2) };
  if (schema.format === "duration") return { kind: "duration", maxSize: TIME };
  if (schema.format === "date") return { kind: "timestamp", maxSize: DATE };
  if (schema.format === "date-time") return { kind: "timestamp", maxSize: TIME };
  if (schema.maxLength === undefined && schema.enum !== undefined && schema.enum.length > 0) {
    return { kind: "string", maxSize: Math.max(0, ...schema.enum.map((value) => (typeof value === "string" ? value.length : 0))) };
  }
  return { kind: "string", maxSize: lengthOf(schema, MAX_REQUEST - 2) };
}

/** The most bytes of a text; a character has up to four. */
function lengthOf({ maxLength }: Schema, otherwise: number): number {
  return maxLength === undefined ? otherwise : Math.max(0, maxLength) * 4;
}

/** The fewest bytes that a value can take in JSON. */
export function minSizeOf(schema: Schema | undefined, depth = 0): number {
  if (schema === undefined || depth > MAX_DEPTH) return 0;
  if (schema["x-kubernetes-int-or-string"] === true) return 1;
  if (schema.type === "object") return 2 + requiredSize(schema, depth);
  if (schema.type === "string") return schema.format === "duration" ? 3 : schema.format === "date" ? DATE : schema.format === "date-time" ? 21 : 2;
  if (schema.type === "boolean") return 4;
  if (schema.type === "array") return 2;
  return 1;
}

function requiredSize({ properties = {}, required = [], additionalProperties }: Schema, depth: number): number {
  if (typeof additionalProperties === "object") return 0;
  let size = 0;
  for (const name of new Set(required)) {
    const child = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (child !== undefined && child.default === undefined) size += name.length + minSizeOf(child, depth + 1) + 4;
  }
  return size;
}
