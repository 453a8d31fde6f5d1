import { ApiError, UserError, type ObjectKey, type UnknownObject } from "@sluice/kubernetes";
import { History, type StoreEvent, type StoreWatch } from "./history.ts";
import { rememberEncoding } from "./encoding.ts";
import { LogThread } from "./log-thread.ts";
import { Log, LogError, type Row } from "./log.ts";
import { Table } from "./table.ts";

/** Where the store lives and how much it remembers. */
export interface StoreOptions {
  /** The SQLite file, or `:memory:`. */
  readonly path: string;
  /** How many events a watch can go back, or fall behind, before it expires; 10,000 unless told. */
  readonly historySize?: number;
  /** How much JSON those events may have together; 64 Mi characters unless told. */
  readonly historyLength?: number;
  /** The size beyond which the file must not grow; writes then fail as they do on a full disk. */
  readonly maxBytes?: number;
}

/** What to list. */
export interface StoreListOptions {
  readonly namespace?: string | undefined;
  readonly limit?: number | undefined;
  /** The `continueKey` of the page before. */
  readonly continueKey?: string | undefined;
}

/** A page of objects in key order, with the committed revision it shows. */
export interface StoreList {
  readonly items: UnknownObject[];
  readonly revision: number;
  /** Present while more objects follow. */
  readonly continueKey?: string;
  readonly remaining: number;
}

/** Where a watch starts, exclusively, and the namespace it is limited to. */
export interface StoreWatchOptions {
  readonly from: number;
  readonly namespace?: string | undefined;
}

/** Computes the next state from the current one: `undefined` deletes, `current` itself changes nothing, an exception refuses. */
export type StoreUpdate = (current: UnknownObject | undefined) => UnknownObject | undefined;

/** Writes that become durable and visible together or not at all. */
interface Batch {
  readonly rows: Map<string, Row & { readonly object: UnknownObject | undefined }>;
  readonly changes: { readonly event: StoreEvent; readonly key: string }[];
  readonly committed: PromiseWithResolvers<void>;
  revision: number;
}

/**
 * The cluster's memory. Reads show what is committed; the writes of a turn, and of the time that the commit before them
 * takes, see each other, share one transaction and are staged beside the committed state, so that rolling back is
 * forgetting them. Objects are frozen.
 */
export class Store implements AsyncDisposable {
  readonly #log: Log | LogThread;
  readonly #history: History;
  readonly #tables = new Map<string, Table<UnknownObject>>();
  readonly #listeners = new Map<string, Set<(event: StoreEvent) => void>>();
  #revision: number;
  /** What is being staged, and what was staged before and is on its way to the disk. */
  #batch: Batch | undefined;
  #committing: Batch | undefined;
  /** The next commit, where somebody waits for it. */
  #next: PromiseWithResolvers<void> | undefined;
  #closed = false;

  constructor(log: Log | LogThread, { historySize = 10_000, historyLength = 64 * 1024 * 1024 }: Omit<StoreOptions, "path"> = {}) {
    this.#log = log;
    this.#revision = log.revision;
    this.#history = new History({ events: historySize, length: historyLength }, log.revision);
  }

  /** Takes over what the disk holds. */
  async load(): Promise<void> {
    for await (const { key, json } of this.#log.rows()) {
      const slash = key.lastIndexOf("/", key.lastIndexOf("/") - 1);
      this.#table(key.slice(0, slash)).set(key.slice(slash + 1), parse(json));
    }
  }

  /** The last committed revision. */
  get revision(): number {
    return this.#revision;
  }

  /** The committed object at `key`. */
  get(resource: string, key: ObjectKey): UnknownObject | undefined {
    return this.#tables.get(resource)?.get(keyOf(key));
  }

  /** The committed objects of a resource, or a page of them. */
  list(resource: string, options: StoreListOptions = {}): StoreList {
    const table = this.#table(resource);
    const keys = table.keys(options.namespace === undefined ? "" : `${options.namespace}/`, options.continueKey);
    const page = keys.slice(0, options.limit ?? keys.length);
    const last = page.at(-1);
    return {
      items: page.map((key) => table.get(key)).filter((object) => object !== undefined),
      revision: this.#revision,
      remaining: keys.length - page.length,
      ...(last === undefined || page.length === keys.length ? {} : { continueKey: last }),
    };
  }

  /** All objects of a resource as they will be after the commit that is being gathered: what an `update` may decide from. */
  staged(resource: string): readonly UnknownObject[] {
    const table = this.#table(resource);
    const objects = new Map(table.keys("").map((key) => [`${resource}/${key}`, table.get(key)]));
    for (const [path, { object }] of this.#batch?.rows ?? []) if (path.startsWith(`${resource}/`)) objects.set(path, object);
    return [...objects.values()].filter((object) => object !== undefined);
  }

  /** Writes what `update` makes of the object, and resolves after the commit to the object as written (or as deleted). */
  async write(resource: string, key: ObjectKey, update: StoreUpdate): Promise<UnknownObject | undefined> {
    if (this.#closed) throw new ApiError("ServiceUnavailable", "the store is closed");
    const batch = (this.#batch ??= this.#begin());
    try {
      return this.#stage(batch, resource, keyOf(key), update);
    } finally {
      // What `update` saw, even if it refused, is only true once it is committed.
      await batch.committed.promise;
    }
  }

  /** Follows the changes of a resource in commit order; throws Expired if `from` is older than the history. */
  watch(resource: string, options: StoreWatchOptions): StoreWatch {
    return this.#history.watch(resource, options);
  }

  /** Calls `listener` with each change of a resource as part of the commit, before anybody learns of it; the result stops that. */
  onChange(resource: string, listener: (event: StoreEvent) => void): () => void {
    const listeners = this.#listeners.get(resource) ?? new Set();
    this.#listeners.set(resource, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Resolves once `revision` is committed, or `signal` has aborted. */
  async reached(revision: number, signal: AbortSignal): Promise<void> {
    while (this.#revision < revision && !signal.aborted) {
      const { promise } = (this.#next ??= Promise.withResolvers());
      const wake = (): void => this.#wakeWaiting();
      signal.addEventListener("abort", wake, { once: true });
      await promise;
      signal.removeEventListener("abort", wake);
    }
  }

  /** The changes of a resource after revision `from`, oldest first; throws Expired if `from` is older than the history. */
  changesSince(resource: string, from: number): StoreEvent[] {
    return this.#history.since(resource, from);
  }

  /** Commits what is pending, ends the watches and releases the file. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled([this.#committing?.committed.promise, this.#batch?.committed.promise]);
    this.#history.close();
    await this.#log.close();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #table(resource: string): Table<UnknownObject> {
    let table = this.#tables.get(resource);
    if (table === undefined) this.#tables.set(resource, (table = new Table()));
    return table;
  }

  #begin(): Batch {
    if (this.#committing === undefined) setImmediate(() => void this.#commit());
    return { rows: new Map(), changes: [], committed: Promise.withResolvers(), revision: this.#committing?.revision ?? this.#revision };
  }

  #stage(batch: Batch, resource: string, key: string, update: StoreUpdate): UnknownObject | undefined {
    const path = `${resource}/${key}`;
    const staged = batch.rows.get(path) ?? this.#committing?.rows.get(path);
    const current = staged === undefined ? this.#tables.get(resource)?.get(key) : staged.object;
    const next = update(current);
    const source = next ?? current;
    if (source === undefined || next === current) return current;

    const revision = batch.revision + 1;
    const json = JSON.stringify({
      ...source,
      metadata: { ...source.metadata, resourceVersion: String(revision) },
    });
    const object = parse(json); // What memory holds is what the disk holds, whatever the caller does to `next`.
    rememberEncoding(object, json);
    const type = next === undefined ? "DELETED" : current === undefined ? "ADDED" : "MODIFIED";
    batch.revision = revision;
    batch.rows.set(path, {
      key: path,
      revision,
      ...(next === undefined ? { object: undefined } : { object, json }),
    });
    batch.changes.push({
      key,
      event: {
        type,
        resource,
        revision,
        object,
        ...(current === undefined ? {} : { previous: current }),
        length: json.length,
      },
    });
    return object;
  }

  /** Commits what is staged, and then what has been staged meanwhile. */
  async #commit(): Promise<void> {
    for (let batch = this.#batch; batch !== undefined; batch = this.#batch) {
      this.#batch = undefined;
      this.#committing = batch;
      try {
        if (batch.changes.length > 0) await this.#log.commit([...batch.rows.values()], batch.revision);
      } catch (cause) {
        this.#forget(cause);
        return;
      }
      this.#committing = undefined;
      this.#publish(batch);
    }
  }

  /** What could not be written is gone, and with it what was staged upon it. */
  #forget(cause: unknown): void {
    const error = new ApiError("InternalError", `the store cannot write: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    for (const batch of [this.#committing, this.#batch]) batch?.committed.reject(error);
    this.#committing = undefined;
    this.#batch = undefined;
  }

  #publish(batch: Batch): void {
    this.#revision = batch.revision;
    for (const { key, event } of batch.changes) {
      this.#table(event.resource).set(key, event.type === "DELETED" ? undefined : event.object);
      for (const listener of this.#listeners.get(event.resource) ?? []) listener(event);
    }
    batch.committed.resolve();
    this.#history.publish(batch.changes.map(({ event }) => event));
    this.#wakeWaiting();
  }

  #wakeWaiting(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}

/** Opens the store at `path`, creating it if need be; fails with a UserError if another process holds it. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const log = await openLog(options);
  const store = new Store(log, options);
  await store.load();
  return store;
}

async function openLog({ path, maxBytes }: StoreOptions): Promise<Log | LogThread> {
  try {
    // What has no file is never flushed, and needs no thread that waits.
    return path === ":memory:" ? new Log(path, maxBytes) : await LogThread.open(path, maxBytes);
  } catch (error) {
    throw error instanceof LogError ? new UserError(error.message, { fix: error.fix, cause: error }) : error;
  }
}

function keyOf({ namespace = "", name }: ObjectKey): string {
  if (namespace.includes("/") || name.includes("/")) throw new ApiError("BadRequest", `invalid key: ${namespace}/${name}`);
  return `${namespace}/${name}`;
}

function parse(json: string): UnknownObject {
  const object: UnknownObject = JSON.parse(json);
  freeze(object);
  return object;
}

function freeze(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const child of Object.values(value)) freeze(child);
  Object.freeze(value);
}
