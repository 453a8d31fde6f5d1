import { pathOf, type KubernetesObject, type ObjectKey, type Resource } from "@sluice/kubernetes";

/** A named index over the objects of one resource, which a controller asks for and reads with `byIndex`. */
export interface IndexDefinition<T extends KubernetesObject = KubernetesObject> {
  readonly resource: Resource<T>;
  readonly name: string;
  valuesOf(object: T): readonly string[];
}

/** Defines an index, e.g. `defineIndex(Pod, "node", ({ spec }) => [spec.nodeName ?? ""])`. */
export function defineIndex<T extends KubernetesObject>(
  resource: Resource<T>,
  name: string,
  valuesOf: (object: T) => readonly string[],
): IndexDefinition {
  return { resource, name, valuesOf };
}

/** The indexes that every cache has: `owner`, by the uids of an object's owners, and `namespace`. */
const GENERAL: readonly Pick<IndexDefinition, "name" | "valuesOf">[] = [
  { name: "owner", valuesOf: ({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid) ?? [] },
  { name: "namespace", valuesOf: ({ metadata }) => (metadata.namespace === undefined ? [] : [metadata.namespace]) },
];

/** What reconcilers read instead of the API: possibly a moment old, never to be changed. */
export interface Cache {
  get<T extends KubernetesObject>(resource: Resource<T>, key: ObjectKey): T | undefined;
  list<T extends KubernetesObject>(resource: Resource<T>, namespace?: string): T[];
  /** The objects that the index `index` files under `value`, e.g. `byIndex(PODS, "owner", job.metadata.uid)`. */
  byIndex<T extends KubernetesObject>(resource: Resource<T>, index: string, value: string): T[];
  /** How many they are. */
  count<T extends KubernetesObject>(resource: Resource<T>, index: string, value: string): number;
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
  readonly resource: Resource<T>;
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, { readonly of: Pick<IndexDefinition<T>, "valuesOf">; readonly keys: Map<string, Set<string>> }>;
  readonly #waiting = new Set<{ readonly version: string; readonly resolve: () => void }>();
  #version = "";

  constructor(resource: Resource<T>, indexes: readonly IndexDefinition<T>[] = []) {
    this.resource = resource;
    this.#indexes = new Map([...GENERAL, ...indexes].map((of) => [of.name, { of, keys: new Map<string, Set<string>>() }]));
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): string[] {
    return [...this.#objects.keys()];
  }

  list(namespace?: string): T[] {
    return namespace === undefined ? [...this.#objects.values()] : this.byIndex("namespace", namespace);
  }

  byIndex(index: string, value: string): T[] {
    return [...this.#keysOf(index, value)].flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** How many objects `byIndex` would give. */
  count(index: string, value: string): number {
    return this.#keysOf(index, value).size;
  }

  #keysOf(index: string, value: string): ReadonlySet<string> {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new Error(`${this.resource.plural} have no index named ${index}: define it in the controller's indexes`);
    return found.keys.get(value) ?? new Set();
  }

  /** Puts `object` at `key`, or removes what is there; returns what was. */
  set(key: string, object: T | undefined): T | undefined {
    const before = this.#objects.get(key);
    for (const { of, keys } of this.#indexes.values()) {
      if (before !== undefined) for (const value of of.valuesOf(before)) unfile(keys, value, key);
      if (object !== undefined) for (const value of of.valuesOf(object)) file(keys, value, key);
    }
    if (object === undefined) this.#objects.delete(key);
    else this.#objects.set(key, object);
    return before;
  }

  /** Notes that the store shows everything up to resource version `version`. */
  advance(version: string): void {
    if (!precedes(this.#version, version)) return;
    this.#version = version;
    for (const waiter of this.#waiting) if (!precedes(version, waiter.version)) waiter.resolve();
  }

  /** Resolves once the store shows what was written as `version`, or `signal` aborts. */
  reached(version: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted || !precedes(this.#version, version)) return Promise.resolve();
    return new Promise((resolve) => {
      const waiter = {
        version,
        resolve: (): void => {
          this.#waiting.delete(waiter);
          signal.removeEventListener("abort", waiter.resolve);
          resolve();
        },
      };
      this.#waiting.add(waiter);
      signal.addEventListener("abort", waiter.resolve, { once: true });
    });
  }
}

/** One store per resource, made on demand. */
export class Stores implements Cache {
  readonly #stores = new Map<string, Store>();
  readonly #indexes: readonly IndexDefinition[];

  constructor(indexes: readonly IndexDefinition[] = []) {
    this.#indexes = indexes;
  }

  of(resource: Resource<KubernetesObject>): Store {
    const path = pathOf(resource);
    const store =
      this.#stores.get(path) ??
      new Store(
        resource,
        this.#indexes.filter((index) => pathOf(index.resource) === path),
      );
    this.#stores.set(path, store);
    return store;
  }

  /** The store of a resource, if somebody watches it. */
  find(resource: Resource<KubernetesObject>): Store | undefined {
    return this.#stores.get(pathOf(resource));
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

  count<T extends KubernetesObject>(resource: Resource<T>, index: string, value: string): number {
    return this.#read(resource).count(index, value);
  }

  /** A resource that nobody watches would look empty forever, so reading it is a mistake. */
  #read<T extends KubernetesObject>(resource: Resource<T>): Store<T> {
    const store = this.find(resource);
    if (store === undefined || !holds(store, resource)) throw new Error(`${resource.kind} is not watched: name it in for, owns or watches`);
    return store;
  }
}

/** A resource's path tells the type of its objects. */
function holds<T extends KubernetesObject>(store: Store, resource: Resource<T>): store is Store<T> {
  return pathOf(store.resource) === pathOf(resource);
}

/** Whether resource version `a` is older than `b`: Kubernetes' versions are decimal numbers that grow. */
function precedes(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length;
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
