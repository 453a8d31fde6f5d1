import { pathOf, type KubernetesObject, type ObjectKey, type Resource } from "@sluice/kubernetes";

/** The values under which an index files an object. */
export type Index = (object: KubernetesObject) => readonly string[];

/** The index that every cache has, named `owner`: the uids of an object's owners. */
export const ownerIndex: Index = (object) => object.metadata.ownerReferences?.map(({ uid }) => uid) ?? [];

/** What reconcilers read instead of the API: possibly a moment old, never to be changed. */
export interface Cache {
  get<T extends KubernetesObject>(resource: Resource<T>, key: ObjectKey): T | undefined;
  list<T extends KubernetesObject>(resource: Resource<T>, namespace?: string): T[];
  /** The objects that the index `index` files under `value`, e.g. `byIndex(PODS, "owner", job.metadata.uid)`. */
  byIndex<T extends KubernetesObject>(resource: Resource<T>, index: string, value: string): T[];
}

/** `namespace/name`, or just the name for cluster scope. */
export function keyOf({ namespace, name }: ObjectKey): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The inverse of `keyOf`. */
export function parseKey(key: string): ObjectKey {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The objects of one resource, written by its reflector. */
export class Store<T extends KubernetesObject = KubernetesObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, { readonly valuesOf: Index; readonly keys: Map<string, Set<string>> }>;

  constructor(indexes: Readonly<Record<string, Index>> = { owner: ownerIndex }) {
    this.#indexes = new Map(Object.entries(indexes).map(([name, valuesOf]) => [name, { valuesOf, keys: new Map<string, Set<string>>() }]));
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): string[] {
    return [...this.#objects.keys()];
  }

  list(namespace?: string): T[] {
    const all = [...this.#objects.values()];
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  byIndex(index: string, value: string): T[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new Error(`no index is named ${index}`);
    return [...(found.keys.get(value) ?? [])].flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** Puts `object` at `key`, or removes what is there; returns what was. */
  set(key: string, object: T | undefined): T | undefined {
    const before = this.#objects.get(key);
    for (const { valuesOf, keys } of this.#indexes.values()) {
      if (before !== undefined) for (const value of valuesOf(before)) unfile(keys, value, key);
      if (object !== undefined) for (const value of valuesOf(object)) file(keys, value, key);
    }
    if (object === undefined) this.#objects.delete(key);
    else this.#objects.set(key, object);
    return before;
  }
}

/** One store per resource, made on demand. */
export class Stores implements Cache {
  readonly #stores = new Map<string, Store>();

  of(resource: Resource<KubernetesObject>): Store {
    const path = pathOf(resource);
    const store = this.#stores.get(path) ?? new Store();
    this.#stores.set(path, store);
    return store;
  }

  get<T extends KubernetesObject>(resource: Resource<T>, key: ObjectKey): T | undefined {
    return this.#read(resource).get(keyOf(key));
  }

  list<T extends KubernetesObject>(resource: Resource<T>, namespace?: string): T[] {
    return this.#read(resource).list(namespace);
  }

  byIndex<T extends KubernetesObject>(resource: Resource<T>, index: string, value: string): T[] {
    return this.#read(resource).byIndex(index, value);
  }

  /** A resource that nobody watches would look empty forever, so reading it is a mistake. */
  #read<T extends KubernetesObject>(resource: Resource<T>): Store<T> {
    const store = this.#stores.get(pathOf(resource));
    if (store === undefined) throw new Error(`${resource.kind} is not watched: name it in for, owns or watches`);
    return store as unknown as Store<T>;
  }
}

function file(keys: Map<string, Set<string>>, value: string, key: string): void {
  const set = keys.get(value) ?? new Set();
  keys.set(value, set.add(key));
}

function unfile(keys: Map<string, Set<string>>, value: string, key: string): void {
  const set = keys.get(value);
  set?.delete(key);
  if (set?.size === 0) keys.delete(value);
}
