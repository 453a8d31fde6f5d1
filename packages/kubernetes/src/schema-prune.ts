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
  "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
  "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers", "managedFields",
]); // prettier-ignore

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
      const isMeta = embedded && IDENTITY.has(name);
      if (below === undefined && !preserve && !isMeta) {
        dropped.push(childPath(path, name));
        changed = true;
        continue;
      }
      const kept = isMeta
        ? resource || name !== "metadata" ? child : pruneMetadata(child, childPath(path, name))
        : below === undefined ? child : visit(child, below, childPath(path, name), false, false); // prettier-ignore
      changed ||= kept !== child;
      entries.push([name, kept]);
    }
    return changed ? Object.fromEntries(entries) : node;
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
