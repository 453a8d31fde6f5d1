import type { Schema } from "./schema.ts";

/** How the schema walkers look up the definition that a `ref` names. */
export interface WalkOptions {
  readonly resolve?: ((name: string) => Schema) | undefined;
}

/** The schema that accepts anything and drops nothing: what a `ref` means while nobody can resolve it. */
export const ANYTHING: Schema = { nullable: true, "x-kubernetes-preserve-unknown-fields": true };

type Resolve = (name: string) => Schema;

const followed = new WeakMap<Resolve, WeakMap<Schema, Schema>>();

/** The schema with its `ref` followed; what stands beside the `ref` (a default, say) wins over the definition. The same one every time. */
export function follow(schema: Schema, { resolve }: WalkOptions): Schema {
  if (schema.ref === undefined) return schema;
  if (resolve === undefined) return ANYTHING;
  let known = followed.get(resolve);
  if (known === undefined) followed.set(resolve, (known = new WeakMap()));
  let target = known.get(schema);
  if (target === undefined) known.set(schema, (target = lookUp(schema, resolve)));
  return target;
}

function lookUp({ ref, ...beside }: Schema, resolve: Resolve): Schema {
  const target = follow(resolve(ref ?? ""), { resolve });
  return Object.keys(beside).length === 0 ? target : { ...target, ...beside };
}

/** The schema of an object's field `name`: its property, else `additionalProperties`, else undefined. */
export function fieldSchema(schema: Schema, name: string, options: WalkOptions): Schema | undefined {
  const property = schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
  if (property !== undefined) return follow(property, options);
  const additional = schema.additionalProperties;
  if (additional === undefined || additional === false) return undefined;
  return additional === true ? ANYTHING : follow(additional, options);
}

/** Whether `value` is a JSON object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The path of field `name` below `path`, as Kubernetes writes it. */
export function childPath(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
