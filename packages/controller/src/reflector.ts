import type { Client } from "@sluice/client";
import { ApiError, type KubernetesObject, type Resource } from "@sluice/kubernetes";
import { keyOf, type Store } from "./cache.ts";
import type { Clock } from "./clock.ts";

const PAGE_SIZE = 500;
const BASE_DELAY = 800;
const MAX_DELAY = 30_000;
/** Bounds how long a connection that died silently goes unnoticed. */
const WATCH_SECONDS = 300;
/** A watch that ends sooner, having said nothing, has failed. */
const SHORTEST_WATCH = 1000;

/** Hears of a change after the store has it: `before` is absent on creation, `after` on deletion. */
export type ChangeHandler<T extends KubernetesObject = KubernetesObject> = (before: T | undefined, after: T | undefined) => void;

/** What a reflector connects. */
export interface ReflectorOptions<T extends KubernetesObject> {
  readonly client: Client;
  readonly resource: Resource<T>;
  /** Only the objects that it chooses. */
  readonly fieldSelector?: string;
  readonly store: Store<T>;
  readonly handler: ChangeHandler<T>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onError?: (error: unknown) => void;
}

/** Keeps a store equal to what the API has of one resource: lists, watches, and lists again when the watch breaks. */
export class Reflector<T extends KubernetesObject> {
  /** Resolves after the first complete list, or when the reflector stops. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #markSynced: () => void;
  #failures = 0;

  constructor(options: ReflectorOptions<T>) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#markSynced = resolve;
    this.#options = options;
  }

  /** Runs until the signal aborts; no failure ends it. */
  async run(): Promise<void> {
    const { clock, signal, onError } = this.#options;
    while (!signal.aborted) {
      try {
        let version = await this.#list();
        this.#markSynced();
        while (!signal.aborted) version = await this.#watch(version);
      } catch (error) {
        if (signal.aborted) break;
        onError?.(error);
        await clock.sleep(Math.min(BASE_DELAY * 2 ** this.#failures++, MAX_DELAY), signal);
      }
    }
    this.#markSynced();
  }

  /** Reads every page before changing anything, so that a list which fails halfway deletes nothing. */
  async #list(): Promise<string> {
    const { client, resource, fieldSelector, store, signal } = this.#options;
    const listed = new Map<string, T>();
    let next: string | undefined;
    let version: string;
    do {
      const page = await client.list(resource, { fieldSelector, limit: PAGE_SIZE, continue: next, signal });
      for (const object of page.items) listed.set(keyOf(object.metadata), object);
      version = page.metadata.resourceVersion;
      next = page.metadata.continue;
    } while (next !== undefined && next !== "");
    for (const key of store.keys()) if (!listed.has(key)) this.#change(key, undefined);
    for (const [key, object] of listed) this.#change(key, object);
    return version;
  }

  async #watch(from: string): Promise<string> {
    const { client, resource, fieldSelector, clock, signal } = this.#options;
    const start = clock.now();
    let version = from;
    let silent = true;
    for await (const event of client.watch(resource, { fieldSelector, resourceVersion: from, allowWatchBookmarks: true, timeoutSeconds: WATCH_SECONDS, signal })) {
      if (signal.aborted) return version;
      if (event.type === "ERROR") {
        const { code, message } = event.object;
        throw new ApiError(code === 410 ? "Expired" : "InternalError", message ?? "the watch failed", { code });
      }
      const { metadata } = event.object;
      if (event.type !== "BOOKMARK") this.#change(keyOf(metadata), event.type === "DELETED" ? undefined : event.object, event.object);
      version = metadata.resourceVersion ?? version;
      silent = false;
      this.#failures = 0;
    }
    if (silent && !signal.aborted && clock.now() - start < SHORTEST_WATCH) throw new Error(`the watch of ${resource.plural} ended at once`);
    return version;
  }

  /** A successor with another uid is a deletion and a creation. `last` is how a deleted object ended. */
  #change(key: string, after: T | undefined, last?: T): void {
    const { store, handler } = this.#options;
    const before = store.get(key);
    if (after === undefined) {
      store.set(key, undefined);
      if (before !== undefined) handler(last ?? before, undefined);
      return;
    }
    if (before !== undefined && before.metadata.uid !== after.metadata.uid) {
      this.#change(key, undefined);
      this.#change(key, after);
      return;
    }
    if (before !== undefined && before.metadata.resourceVersion === after.metadata.resourceVersion) return;
    store.set(key, after);
    handler(before, after);
  }
}
