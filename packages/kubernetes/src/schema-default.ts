import type { Schema } from "./schema.ts";
import { follow, type WalkOptions } from "./schema-walk.ts";

/** Fills in the schema's defaults, deeply, as Kubernetes does, also in place of nulls; returns the same reference where nothing changes. */
export function applyDefaults<T>(value: T, schema: Schema, options: WalkOptions = {}): T {
  // Defaulting only completes a value, so it keeps the type that came in.
  return visit(value, planOf(schema, options)) as T;
}

/** Where in a value defaults may be missing: compiled once, so that most of every object need not be looked at. */
interface Plan {
  /** Fields with a default; each is complete in itself, and frozen, as all objects share it. */
  readonly fallbacks: readonly { readonly name: string; readonly value: unknown; readonly isNullable: boolean }[];
  /** Fields below which there are defaults. */
  readonly children: readonly (readonly [name: string, plan: Plan])[];
  /** The values of a map, if they have or hold defaults, and what to replace a null by. */
  readonly rest: { readonly plan: Plan; readonly fallback: unknown; readonly named: Schema["properties"] } | undefined;
  /** Likewise the items of a list. */
  readonly items: { readonly plan: Plan; readonly fallback: unknown } | undefined;
}

function visit(value: unknown, plan: Plan): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return plan.items === undefined ? value : visitList(value, plan.items);
  const { fallbacks, children, rest } = plan;
  // What has been defaulted is JSON, whose members have names only.
  const before = value as Readonly<Record<string, unknown>>;
  let next: Record<string, unknown> | undefined;
  for (const [name, child] of children) {
    const old = before[name];
    if (typeof old !== "object" || !Object.hasOwn(before, name)) continue;
    const after = visit(old, child);
    if (after !== old) (next ??= { ...before })[name] = after;
  }
  if (rest !== undefined) {
    for (const name of Object.keys(before)) {
      if (rest.named !== undefined && Object.hasOwn(rest.named, name)) continue;
      const after = visit(instead(before[name], rest.fallback), rest.plan);
      if (after !== before[name]) (next ??= { ...before })[name] = after;
    }
  }
  for (const { name, value: fallback, isNullable } of fallbacks) {
    const isMissing = !Object.hasOwn(before, name) || (before[name] === null && !isNullable);
    if (isMissing) (next ??= { ...before })[name] = fallback;
  }
  return next ?? value;
}

function visitList(list: readonly unknown[], { plan, fallback }: NonNullable<Plan["items"]>): readonly unknown[] {
  let next: unknown[] | undefined;
  for (const [i, item] of list.entries()) {
    const after = visit(instead(item, fallback), plan);
    if (after !== item) (next ??= [...list])[i] = after;
  }
  return next ?? list;
}

function instead(value: unknown, fallback: unknown): unknown {
  return value === null && fallback !== undefined ? fallback : value;
}

const plans = new WeakMap<Schema, Plan>();

function planOf(unresolved: Schema, options: WalkOptions): Plan {
  const schema = follow(unresolved, options);
  const known = plans.get(schema);
  if (known !== undefined) return known;
  const plan: { -readonly [K in keyof Plan]: Plan[K] } = { fallbacks: [], children: [], rest: undefined, items: undefined };
  plans.set(schema, plan); // Before it is filled, as schemas refer to themselves.
  const { properties = {}, additionalProperties, items } = schema;
  const fields = Object.entries(properties).map(([name, property]) => [name, follow(property, options)] as const);
  plan.children = fields.flatMap(([name, field]) => (holdsDefaults(field, options) ? [[name, planOf(field, options)] as const] : []));
  if (typeof additionalProperties === "object" && concerns(additionalProperties, options)) {
    plan.rest = { plan: planOf(additionalProperties, options), fallback: nullFallback(additionalProperties, options), named: schema.properties };
  }
  if (items !== undefined && concerns(items, options)) plan.items = { plan: planOf(items, options), fallback: nullFallback(items, options) };
  plan.fallbacks = fields.flatMap(([name, field]) =>
    hasDefault(field) ? [{ name, value: defaultOf(field, options), isNullable: field.nullable === true }] : [],
  );
  return plan;
}

/** Whether a default may be missing in a value of that schema, or in its place. */
function concerns(schema: Schema, options: WalkOptions): boolean {
  return hasDefault(follow(schema, options)) || holdsDefaults(schema, options);
}

/** Whether anything below a value of that schema has a default. */
function holdsDefaults(root: Schema, options: WalkOptions): boolean {
  const seen = new Set<Schema>();
  const below = (unresolved: Schema): boolean => {
    const schema = follow(unresolved, options);
    return hasDefault(schema) || search(schema);
  };
  const search = (schema: Schema): boolean => {
    if (seen.has(schema)) return false;
    seen.add(schema);
    const { properties = {}, additionalProperties, items } = schema;
    return (
      Object.values(properties).some(below) ||
      (typeof additionalProperties === "object" && below(additionalProperties)) ||
      (items !== undefined && below(items))
    );
  };
  return search(follow(root, options));
}

/** A schema's default, defaulted itself. */
function defaultOf(schema: Schema, options: WalkOptions): unknown {
  return freeze(visit(structuredClone(schema.default), planOf(schema, options)));
}

/** What a null in a list or a map stands for; undefined if for itself. */
function nullFallback(unresolved: Schema, options: WalkOptions): unknown {
  const schema = follow(unresolved, options);
  return hasDefault(schema) && schema.nullable !== true ? defaultOf(schema, options) : undefined;
}

function hasDefault(schema: Schema): boolean {
  return schema.default !== undefined && schema.default !== null;
}

function freeze(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  for (const child of Object.values(value)) freeze(child);
  return Object.freeze(value);
}
