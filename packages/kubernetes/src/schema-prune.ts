import { canonicalQuantity } from "./quantity.ts";
import type { Schema } from "./schema.ts";
import { childPath, fieldSchema, follow, isObject, type WalkOptions } from "./schema-walk.ts";

/** What `prune` kept, and the paths of the fields that it dropped. */
export interface Pruned<T> {
  readonly value: T;
  readonly dropped: readonly string[];
}

const IDENTITY: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

/** What the metadata of every object may have. */
export const METADATA_NAMES: ReadonlySet<string> = new Set([
  "name",
  "generateName",
  "namespace",
  "selfLink",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "labels",
  "annotations",
  "ownerReferences",
  "finalizers",
  "managedFields",
]);

/**
 * Drops the fields that `schema` does not specify, and makes of the others what decoding into a type makes of them: nulls
 * that stand for no value and no default are gone, quantities canonical. `root` says that the value is a whole resource,
 * whose metadata is somebody else's. Never mutates.
 */
export function prune<T>(value: T, schema: Schema, options: WalkOptions & { readonly root?: boolean } = {}): Pruned<T> {
  const dropped: string[] = [];

  const visit = (node: unknown, at: Schema | undefined, path: string, keep: boolean, isRoot: boolean): unknown => {
    if (typeof node !== "object" || node === null) return at?.format === "quantity" ? canonicalQuantity(node) : node;
    const preserve = keep || at?.["x-kubernetes-preserve-unknown-fields"] === true;
    if (at === undefined && preserve) return node;
    if (Array.isArray(node)) {
      const items = at?.items && follow(at.items, options);
      let next: unknown[] | undefined;
      for (const [i, item] of node.entries()) {
        const kept = visit(item, items, `${path}[${i}]`, preserve, false);
        if (kept !== item) (next ??= [...node])[i] = kept;
      }
      return next ?? node;
    }

    const isResource = isRoot || at?.["x-kubernetes-embedded-resource"] === true;
    let next: Record<string, unknown> | undefined;
    for (const name in node) {
      const child: unknown = node[name as keyof typeof node];
      const isIdentity = isResource && IDENTITY.has(name);
      if (isIdentity && (isRoot || name !== "metadata")) continue;
      const below = at && fieldSchema(at, name, options);
      if (below === undefined && !isIdentity) {
        if (preserve) continue;
        dropped.push(childPath(path, name));
        delete (next ??= { ...node })[name];
        continue;
      }
      if (child === null && below !== undefined && below.nullable !== true && (below.default ?? null) === null) {
        delete (next ??= { ...node })[name];
        continue;
      }
      const kept = isIdentity ? pruneMetadata(child, childPath(path, name)) : visit(child, below, childPath(path, name), false, false);
      if (kept !== child) (next ??= { ...node })[name] = kept;
    }
    return next ?? node;
  };

  const pruneMetadata = (metadata: unknown, path: string): unknown => {
    if (!isObject(metadata)) return metadata;
    const unknown = Object.keys(metadata).filter((name) => !METADATA_NAMES.has(name));
    if (unknown.length === 0) return metadata;
    dropped.push(...unknown.map((name) => childPath(path, name)));
    return Object.fromEntries(Object.entries(metadata).filter(([name]) => METADATA_NAMES.has(name)));
  };

  const kept = visit(value, follow(schema, options), "", false, options.root === true);
  // Pruning only removes optional fields, so what is left has the type that came in.
  return { value: kept as T, dropped };
}
