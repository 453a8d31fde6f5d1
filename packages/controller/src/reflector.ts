import type { Client } from "@sluice/client";
import { ApiError, isApiError, type KubernetesObject, type Resource } from "@sluice/kubernetes";
import { keyOf, type Store } from "./cache.ts";
import type { Clock } from "./clock.ts";

const PAGE_SIZE = 500;
const BASE_DELAY = 800;
const MAX_DELAY = 30_000;
/** How long the server is asked to keep a watch. */
const WATCH_SECONDS = 300;
/** After this its end must have arrived, or the connection has died silently. */
const LONGEST_WATCH = (WATCH_SECONDS + 30) * 1000;
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

/**
 * Keeps a store equal to what the API has of one resource: streams what exists and every change after it, and starts
 * over when the stream breaks. Servers that cannot stream what exists are asked to list it.
 */
export class Reflector<T extends KubernetesObject> {
  /** Resolves after the first complete list, or when the reflector stops. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #markSynced: () => void;
  #failures = 0;
  #canStream = true;

  constructor(options: ReflectorOptions<T>) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#markSynced = resolve;
    this.#options = options;
  }

  /** Runs until the signal aborts; no failure ends it. */
  async run(): Promise<void> {
    const { clock, signal, onError } = this.#options;
    let version: string | undefined;
    while (!signal.aborted) {
      try {
        if (version === undefined && !this.#canStream) version = await this.#list();
        version = await this.#watchFor(LONGEST_WATCH, version);
      } catch (error) {
        if (signal.aborted) break;
        const isRefused = version === undefined && this.#canStream && isApiError(error, "Invalid");
        version = undefined;
        if (isRefused) {
          this.#canStream = false;
          continue;
        }
        onError?.(error);
        const asked = isApiError(error) ? (error.details?.retryAfterSeconds ?? 0) * 1000 : 0;
        await clock.sleep(Math.max(asked, Math.min(BASE_DELAY * 2 ** this.#failures++, MAX_DELAY)), signal);
      }
    }
    this.#markSynced();
  }

  /** Reads every page before changing anything, so that a list which fails halfway deletes nothing. */
  async #list(): Promise<string> {
    const { client, resource, fieldSelector, signal } = this.#options;
    const listed = new Map<string, T>();
    let next: string | undefined;
    let version: string;
    do {
      const page = await client.list(resource, { fieldSelector, limit: PAGE_SIZE, continue: next, signal });
      for (const object of page.items) listed.set(keyOf(object.metadata), object);
      version = page.metadata.resourceVersion;
      next = page.metadata.continue;
    } while (next !== undefined && next !== "");
    this.#replace(listed, version);
    return version;
  }

  /** Watches until the server ends it, and no longer than `ms`: what comes after that would have come already. */
  async #watchFor(ms: number, from: string | undefined): Promise<string | undefined> {
    const { clock, signal } = this.#options;
    const [over, limit] = [new AbortController(), new AbortController()];
    void clock.sleep(ms, AbortSignal.any([signal, over.signal])).then(() => limit.abort());
    try {
      return await this.#watch(from, AbortSignal.any([signal, limit.signal]));
    } finally {
      over.abort();
    }
  }

  /** Follows the changes after `from`; without it, what exists comes first, and counts once it is complete. */
  async #watch(from: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    const { client, resource, fieldSelector, store, clock } = this.#options;
    const start = clock.now();
    let version = from;
    let initial = from === undefined ? new Map<string, T>() : undefined;
    let silent = true;
    const options = { fieldSelector, allowWatchBookmarks: true, timeoutSeconds: WATCH_SECONDS, signal };
    for await (const event of client.watch(
      resource,
      from === undefined ? { ...options, sendInitialEvents: true } : { ...options, resourceVersion: from },
    )) {
      if (signal.aborted) return version;
      if (event.type === "ERROR") {
        const { code, message } = event.object;
        throw new ApiError(code === 410 ? "Expired" : "InternalError", message ?? "the watch failed", { code });
      }
      const { metadata } = event.object;
      const key = keyOf(metadata);
      if (initial === undefined) {
        if (event.type !== "BOOKMARK") this.#change(key, event.type === "DELETED" ? undefined : event.object, event.object);
        version = metadata.resourceVersion ?? version;
        if (version !== undefined) store.advance(version);
        silent = false;
        this.#failures = 0;
      } else if (event.type === "BOOKMARK") {
        if (metadata.annotations?.["k8s.io/initial-events-end"] !== "true") continue;
        version = metadata.resourceVersion ?? "";
        this.#replace(initial, version);
        initial = undefined;
      } else if (event.type === "DELETED") initial.delete(key);
      else initial.set(key, event.object);
    }
    if (signal.aborted) return version;
    if (initial !== undefined) {
      this.#canStream = false; // The server did not know what it was asked for.
      throw new Error(`the watch of ${resource.plural} ended before all that exists had come`);
    }
    if (silent && clock.now() - start < SHORTEST_WATCH) throw new Error(`the watch of ${resource.plural} ended at once`);
    return version;
  }

  /** Makes the store hold exactly `objects`, which is what the API has at `version`. */
  #replace(objects: ReadonlyMap<string, T>, version: string): void {
    const { store } = this.#options;
    for (const key of store.keys()) if (!objects.has(key)) this.#change(key, undefined);
    for (const [key, object] of objects) this.#change(key, object);
    store.advance(version);
    this.#markSynced();
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
