import type { Schema } from "./schema.ts";
import { fieldSchema, follow, type WalkOptions } from "./schema-walk.ts";

/** Fills in the schema's defaults, deeply, as Kubernetes does; returns the same reference where nothing changes. */
export function applyDefaults<T>(value: T, schema: Schema, options: WalkOptions = {}): T {
  // Defaulting only completes a value, so it keeps the type that came in.
  return visit(value, follow(schema, options), options) as T;
}

function visit(value: unknown, schema: Schema, options: WalkOptions): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return visitList(value, schema, options);
  let next: Record<string, unknown> | undefined;
  for (const name in value) {
    const before: unknown = value[name as keyof typeof value];
    if (typeof before !== "object") continue;
    const field = fieldSchema(schema, name, options);
    if (field === undefined) continue;
    const after = visit(replaceNull(before, field, options), field, options);
    if (after === null && field.nullable !== true) delete (next ??= { ...value })[name];
    else if (after !== before) (next ??= { ...value })[name] = after;
  }
  for (const [name, fallback] of defaultsOf(schema, options)) {
    if (!Object.hasOwn(value, name)) (next ??= { ...value })[name] = fallback;
  }
  return next ?? value;
}

function visitList(list: readonly unknown[], schema: Schema, options: WalkOptions): readonly unknown[] {
  if (schema.items === undefined) return list;
  const items = follow(schema.items, options);
  let next: unknown[] | undefined;
  for (const [i, item] of list.entries()) {
    const after = visit(replaceNull(item, items, options), items, options);
    if (after !== item) (next ??= [...list])[i] = after;
  }
  return next ?? list;
}

type Defaults = readonly (readonly [name: string, value: unknown])[];

const defaults = new WeakMap<Schema, Defaults>();

/** The fields of an object that have a default, with it; each is complete in itself, and frozen, as all objects share it. */
function defaultsOf(schema: Schema, options: WalkOptions): Defaults {
  const known = defaults.get(schema);
  if (known !== undefined) return known;
  const found = Object.entries(schema.properties ?? {}).flatMap(([name, property]): Defaults => {
    const field = follow(property, options);
    return hasDefault(field) ? [[name, defaultOf(field, options)]] : [];
  });
  defaults.set(schema, found);
  return found;
}

function defaultOf(schema: Schema, options: WalkOptions): unknown {
  return freeze(visit(structuredClone(schema.default), schema, options));
}

function freeze(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  for (const child of Object.values(value)) freeze(child);
  return Object.freeze(value);
}

function hasDefault(schema: Schema): boolean {
  return schema.default !== undefined && schema.default !== null;
}

function replaceNull(value: unknown, schema: Schema, options: WalkOptions): unknown {
  return value === null && schema.nullable !== true && hasDefault(schema) ? defaultOf(schema, options) : value;
}
