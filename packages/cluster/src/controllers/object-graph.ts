import type { ObjectMeta, OwnerReference, Resource } from "@sluice/kubernetes";

/** An object of any kind, reduced to what ownership and namespaces need. */
export interface GraphNode {
  readonly resource: Resource;
  readonly uid: string;
  readonly metadata: ObjectMeta;
}

/** Hears of a change after the graph has it: `before` is absent for a new object, `after` for one that is gone. */
export type GraphListener = (before: GraphNode | undefined, after: GraphNode | undefined) => void;

/** All objects by uid, with who depends on whom and who lives where. */
export class ObjectGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();
  readonly #residents = new Map<string, Set<string>>();
  readonly #listeners = new Set<GraphListener>();

  /** The object with that uid. */
  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  /** Every object. */
  all(): Iterable<GraphNode> {
    return this.#nodes.values();
  }

  /** The objects that name `uid` as an owner. */
  dependents(uid: string): GraphNode[] {
    return this.#resolve(this.#dependents.get(uid));
  }

  /** The objects in a namespace. */
  inNamespace(namespace: string): GraphNode[] {
    return this.#resolve(this.#residents.get(namespace));
  }

  /** Calls `listener` after every change; the result stops that. */
  onChange(listener: GraphListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Puts the object `uid` of `resource` as it is now, or removes it. */
  set(resource: Resource, uid: string, metadata: ObjectMeta | undefined): void {
    const before = this.#nodes.get(uid);
    const after = metadata === undefined ? undefined : { resource, uid, metadata };
    if (before !== undefined) this.#file(before, (sets, key) => remove(sets, key, uid));
    if (after !== undefined) this.#file(after, (sets, key) => add(sets, key, uid));
    if (after === undefined) this.#nodes.delete(uid);
    else this.#nodes.set(uid, after);
    if (before === undefined && after === undefined) return;
    for (const listener of this.#listeners) listener(before, after);
  }

  #file({ metadata }: GraphNode, file: (sets: Map<string, Set<string>>, key: string) => void): void {
    for (const { uid } of metadata.ownerReferences ?? []) file(this.#dependents, uid);
    if (metadata.namespace !== undefined) file(this.#residents, metadata.namespace);
  }

  #resolve(uids: ReadonlySet<string> = new Set()): GraphNode[] {
    return [...uids].flatMap((uid) => this.#nodes.get(uid) ?? []);
  }
}

/** Whether `owner`, which has the uid of the reference, is also otherwise what `dependent` refers to. */
export function isReferent(owner: GraphNode, reference: OwnerReference, dependent: GraphNode): boolean {
  const { resource, metadata } = owner;
  return (
    resource.kind === reference.kind &&
    resource.group === groupOf(reference.apiVersion) &&
    metadata.name === reference.name &&
    (metadata.namespace === undefined || metadata.namespace === dependent.metadata.namespace)
  );
}

/** The group of `group/version`; empty for the core group. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function remove(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
