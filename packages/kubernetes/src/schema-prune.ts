import type { Schema } from "./schema.ts";
import { childPath, fieldSchema, follow, isObject, type WalkOptions } from "./schema-walk.ts";

/** What `prune` kept, and the paths of the fields that it dropped. */
export interface Pruned<T> {
  readonly value: T;
  readonly dropped: readonly string[];
}

const META_FIELDS: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

/** Drops the fields that `schema` does not specify; `root` says that the value is a whole resource. Never mutates. */
export function prune<T>(value: T, schema: Schema, options: WalkOptions & { readonly root?: boolean } = {}): Pruned<T> {
  const dropped: string[] = [];

  const visit = (node: unknown, at: Schema | undefined, path: string, keep: boolean, resource: boolean): unknown => {
    const preserve = keep || at?.["x-kubernetes-preserve-unknown-fields"] === true;
    if (at === undefined && preserve) return node;
    if (Array.isArray(node)) {
      const items = at?.items && follow(at.items, options);
      const next = node.map((item: unknown, i) => visit(item, items, `${path}[${i}]`, preserve, false));
      return next.some((item, i) => item !== node[i]) ? next : node;
    }
    if (!isObject(node)) return node;

    const embedded = resource || at?.["x-kubernetes-embedded-resource"] === true;
    const entries: [string, unknown][] = [];
    let changed = false;
    for (const [name, child] of Object.entries(node)) {
      const below = at && fieldSchema(at, name, options);
      const isMeta = embedded && META_FIELDS.has(name);
      if (below === undefined && !preserve && !isMeta) {
        dropped.push(childPath(path, name));
        changed = true;
        continue;
      }
      const kept = isMeta || below === undefined ? child : visit(child, below, childPath(path, name), false, false);
      changed ||= kept !== child;
      entries.push([name, kept]);
    }
    return changed ? Object.fromEntries(entries) : node;
  };

  const kept = visit(value, follow(schema, options), "", false, options.root === true);
  // Pruning only removes optional fields, so what is left has the type that came in.
  return { value: kept as T, dropped };
}

/** The message of each dropped path, as `fieldValidation` Strict and Warn report it. */
export function unknownFields(dropped: readonly string[]): string[] {
  return dropped.map((path) => `unknown field ${JSON.stringify(path)}`);
}
