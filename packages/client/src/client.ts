import type { KubernetesList, KubernetesObject, ObjectKey, ObjectMeta, Resource, WatchEvent } from "@sluice/kubernetes";

/** What a list or watch may be narrowed to. Selectors are in Kubernetes' string notation. */
export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A watch starts after `resourceVersion`; unset, it starts with the current state. */
export interface WatchOptions extends ListOptions {
  readonly allowWatchBookmarks?: boolean;
  readonly timeoutSeconds?: number;
  /** WatchList: ADDED for all that exists, then a bookmark annotated `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean;
}

/** The three patch notations besides apply. Strategic merge works on built-in kinds only. */
export type PatchType = "json" | "merge" | "strategic";

/** Options of server-side apply. `owner` is the field manager; `force` takes conflicting fields over. */
export interface ApplyOptions {
  readonly owner: string;
  readonly force?: boolean;
  readonly subresource?: string;
}

/** Options of a deletion. */
export interface DeleteOptions {
  readonly propagationPolicy?: "Foreground" | "Background" | "Orphan";
  readonly gracePeriodSeconds?: number;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

/** Options of reading a container's log. */
export interface LogOptions {
  readonly container?: string;
  readonly follow?: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  readonly timestamps?: boolean;
  readonly previous?: boolean;
  readonly limitBytes?: number;
  readonly signal?: AbortSignal;
}

/** What apply takes: complete identity, partial content. */
export type Applied<T extends KubernetesObject> = { apiVersion: string; kind: string; metadata: Partial<ObjectMeta> & { name: string } } & {
  [K in Exclude<keyof T, keyof KubernetesObject>]?: unknown;
};

/**
 * The Kubernetes API as controllers and components see it, whichever home they are in. Objects that it returns are
 * shared and must not be changed. Every failure is an `ApiError`.
 */
export interface Client {
  /** Throws `ApiError` NotFound when the object is absent. */
  get<T extends KubernetesObject>(resource: Resource<T>, key: ObjectKey): Promise<T>;
  /** `undefined` when the object is absent. */
  find<T extends KubernetesObject>(resource: Resource<T>, key: ObjectKey): Promise<T | undefined>;
  list<T extends KubernetesObject>(resource: Resource<T>, options?: ListOptions): Promise<KubernetesList<T>>;
  /** Ends when the server ends the watch or `signal` aborts; a broken stream throws. */
  watch<T extends KubernetesObject>(resource: Resource<T>, options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create<T extends KubernetesObject>(resource: Resource<T>, object: T, options?: { dryRun?: boolean; owner?: string }): Promise<T>;
  update<T extends KubernetesObject>(resource: Resource<T>, object: T, options?: { subresource?: string; owner?: string }): Promise<T>;
  patch<T extends KubernetesObject>(
    resource: Resource<T>,
    key: ObjectKey,
    patch: { readonly type: PatchType; readonly body: unknown; readonly subresource?: string; readonly owner?: string },
  ): Promise<T>;
  /** Server-side apply: creates or merges, owning exactly the fields given. */
  apply<T extends KubernetesObject>(resource: Resource<T>, object: Applied<T>, options: ApplyOptions): Promise<T>;
  /** `undefined` when the object was absent already; otherwise the object as it is being deleted, or as it last was. */
  delete<T extends KubernetesObject>(resource: Resource<T>, key: ObjectKey, options?: DeleteOptions): Promise<T | undefined>;
  /** Log bytes as they come. */
  log(pod: ObjectKey, options?: LogOptions): AsyncIterable<Uint8Array>;
  /** Any other request of the API, by path: discovery, subresources such as `binding`, `token`, access reviews. */
  request<R>(request: {
    readonly method: string;
    readonly path: string;
    readonly query?: Record<string, string>;
    readonly body?: unknown;
  }): Promise<R>;
}
