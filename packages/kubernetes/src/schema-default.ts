import type { Schema } from "./schema.ts";
import { fieldSchema, follow, isObject, type WalkOptions } from "./schema-walk.ts";

/** Fills in the schema's defaults, deeply, as Kubernetes does; returns the same reference where nothing changes. */
export function applyDefaults<T>(value: T, schema: Schema, options: WalkOptions = {}): T {
  // Defaulting only completes a value, so it keeps the type that came in.
  return visit(value, follow(schema, options), options) as T;
}

function visit(value: unknown, schema: Schema, options: WalkOptions): unknown {
  if (Array.isArray(value)) {
    if (schema.items === undefined) return value;
    const items = follow(schema.items, options);
    const next = value.map((item: unknown) => visit(replaceNull(item, items), items, options));
    return next.some((item, i) => item !== value[i]) ? next : value;
  }
  if (!isObject(value)) return value;

  const entries: [string, unknown][] = [];
  let changed = false;
  const put = (name: string, before: unknown, field: Schema): void => {
    const after = visit(replaceNull(before, field), field, options);
    const isGone = after === null && field.nullable !== true;
    if (!isGone) entries.push([name, after]);
    changed ||= isGone || after !== before;
  };
  for (const [name, child] of Object.entries(value)) {
    const field = fieldSchema(schema, name, options);
    if (field === undefined) entries.push([name, child]);
    else put(name, child, field);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (Object.hasOwn(value, name)) continue;
    const field = follow(property, options);
    if (hasDefault(field)) {
      changed = true;
      put(name, structuredClone(field.default), field);
    }
  }
  return changed ? Object.fromEntries(entries) : value;
}

function hasDefault(schema: Schema): boolean {
  return schema.default !== undefined && schema.default !== null;
}

function replaceNull(value: unknown, schema: Schema): unknown {
  return value === null && schema.nullable !== true && hasDefault(schema) ? structuredClone(schema.default) : value;
}
