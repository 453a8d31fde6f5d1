import { ApiError, type UnknownObject } from "@sluice/kubernetes";
import { lowerBound } from "./table.ts";

/** One committed change. The event and its objects are the same for all watchers, so that a serialisation can be cached by identity. */
export interface StoreEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly resource: string;
  readonly revision: number;
  /** The new state; of a deletion the last one, under the deletion's resourceVersion. */
  readonly object: UnknownObject;
  /** The state before, by which a selector tells that an object has left or entered it. */
  readonly previous?: UnknownObject;
  /** How long the object's JSON is. */
  readonly length: number;
}

/** How much is remembered: so many events, and of large ones no more than have so much JSON together. */
export interface HistoryLimits {
  readonly events: number;
  readonly length: number;
}

/** The events of one watcher; ends when the store closes, throws Expired when the watcher has fallen too far behind. */
export interface StoreWatch extends AsyncIterableIterator<StoreEvent, undefined> {
  /** Whether somebody waits for the next event, and there is none, be it only on its way to them. */
  readonly isIdle: boolean;
  [Symbol.asyncIterator](): this;
}

/**
 * The ring of the last events. A watcher is a cursor into it and has no buffer of its own: the order is the same for
 * all, a slow watcher costs nothing, and one that is overtaken by the ring has expired.
 */
export class History {
  readonly #ring: (StoreEvent | undefined)[] = [];
  readonly #limits: HistoryLimits;
  readonly #watchers = new Map<string, Set<Watcher>>();
  /** The revision of the last event of a resource that the ring has forgotten. */
  readonly #forgotten = new Map<string, number>();
  readonly #beginning: number;
  #start = 0;
  #end = 0;
  #length = 0;

  /** `revision` is the last one before this history begins. */
  constructor(limits: HistoryLimits, revision: number) {
    this.#limits = limits;
    this.#beginning = revision;
  }

  /** Appends the events of a commit and tells the watchers. */
  publish(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (this.#end - this.#start === this.#limits.events) this.#forget();
      this.#ring[this.#end++ % this.#limits.events] = event;
      this.#length += event.length;
      while (this.#length > this.#limits.length && this.#end - this.#start > 1) this.#forget();
    }
    for (const resource of new Set(events.map((event) => event.resource))) for (const watcher of this.#watchers.get(resource) ?? []) watcher.wake();
  }

  /** Follows the events of a resource, in one namespace or all, after revision `from`. */
  watch(resource: string, { from, namespace }: { readonly from: number; readonly namespace?: string | undefined }): StoreWatch {
    this.#requireKnown(resource, from);
    let cursor = lowerBound(this.#start, this.#end, (index) => (this.#at(index)?.revision ?? 0) <= from);
    let seen = from;
    const scan = (): StoreEvent | undefined => {
      if (seen < this.#horizon(resource)) throw expired(`the watch fell too far behind: its last revision is ${seen}`);
      cursor = Math.max(cursor, this.#start);
      while (cursor < this.#end) {
        const event = this.#at(cursor++);
        if (event === undefined || event.revision <= from) continue;
        seen = event.revision;
        if (event.resource !== resource) continue;
        if (namespace === undefined || event.object.metadata.namespace === namespace) return event;
      }
      return undefined;
    };
    const watchers = this.#watchers.get(resource) ?? new Set();
    const watcher: Watcher = new Watcher(scan, () => watchers.delete(watcher));
    this.#watchers.set(resource, watchers.add(watcher));
    return watcher;
  }

  /** The remembered events of a resource after revision `from`, oldest first; throws Expired if some are forgotten. */
  since(resource: string, from: number): StoreEvent[] {
    this.#requireKnown(resource, from);
    const events: StoreEvent[] = [];
    for (let index = this.#start; index < this.#end; index++) {
      const event = this.#at(index);
      if (event !== undefined && event.revision > from && event.resource === resource) events.push(event);
    }
    return events;
  }

  /** Ends all watches. */
  close(): void {
    for (const watchers of this.#watchers.values()) for (const watcher of watchers) watcher.end();
  }

  #requireKnown(resource: string, from: number): void {
    const horizon = this.#horizon(resource);
    if (from < horizon) throw expired(`too old resource version: ${from} (${horizon})`);
  }

  /** The revision after which every event of the resource is remembered. */
  #horizon(resource: string): number {
    return this.#forgotten.get(resource) ?? this.#beginning;
  }

  #forget(): void {
    const index = this.#start++ % this.#limits.events;
    const event = this.#ring[index];
    if (event === undefined) return;
    this.#ring[index] = undefined;
    this.#length -= event.length;
    this.#forgotten.set(event.resource, event.revision);
  }

  #at(index: number): StoreEvent | undefined {
    return this.#ring[index % this.#limits.events];
  }
}

function expired(message: string): ApiError {
  return new ApiError("Expired", message);
}

class Watcher implements StoreWatch {
  readonly #scan: () => StoreEvent | undefined;
  readonly #onEnd: () => void;
  #waiting: PromiseWithResolvers<IteratorResult<StoreEvent, undefined>>[] = [];
  #ended = false;

  constructor(scan: () => StoreEvent | undefined, onEnd: () => void) {
    this.#scan = scan;
    this.#onEnd = onEnd;
  }

  get isIdle(): boolean {
    return this.#waiting.length > 0;
  }

  next(): Promise<IteratorResult<StoreEvent, undefined>> {
    const waiter = Promise.withResolvers<IteratorResult<StoreEvent, undefined>>();
    this.#waiting.push(waiter);
    this.wake();
    return waiter.promise;
  }

  return(): Promise<IteratorResult<StoreEvent, undefined>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Serves those who wait with what there is. */
  wake(): void {
    for (let waiter = this.#waiting[0]; waiter !== undefined; waiter = this.#waiting[0]) {
      try {
        const value = this.#ended ? undefined : this.#scan();
        if (value === undefined && !this.#ended) return;
        waiter.resolve(value === undefined ? { done: true, value } : { done: false, value });
        this.#waiting.shift();
      } catch (error) {
        waiter.reject(error);
        this.#waiting.shift();
        this.end();
      }
    }
  }

  end(): void {
    this.#ended = true;
    this.#onEnd();
    this.wake();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
