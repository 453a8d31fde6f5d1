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
}

/** The events of one watcher; ends when the store closes, throws Expired when the watcher has fallen too far behind. */
export type StoreWatch = AsyncIterableIterator<StoreEvent, undefined>;

/**
 * The ring of the last events. A watcher is a cursor into it and has no buffer of its own: the order is the same for
 * all, a slow watcher costs nothing, and one that is overtaken by the ring has expired.
 */
export class History {
  readonly #ring: StoreEvent[] = [];
  readonly #size: number;
  readonly #watchers = new Set<Watcher>();
  #end = 0;
  #horizon: number;

  /** `revision` is the last one before this history begins. */
  constructor(size: number, revision: number) {
    this.#size = Math.max(1, size);
    this.#horizon = revision;
  }

  /** Appends the events of a commit and tells the watchers. */
  publish(events: readonly StoreEvent[]): void {
    for (const event of events) {
      this.#horizon = this.#ring[this.#end % this.#size]?.revision ?? this.#horizon;
      this.#ring[this.#end++ % this.#size] = event;
    }
    for (const watcher of this.#watchers) watcher.wake();
  }

  /** Follows the events after revision `from` that `matches` lets through. */
  watch(from: number, matches: (event: StoreEvent) => boolean): StoreWatch {
    if (from < this.#horizon) throw expired(`too old resource version: ${from} (${this.#horizon})`);
    let cursor = lowerBound(this.#start(), this.#end, (index) => (this.#at(index)?.revision ?? 0) <= from);
    const scan = (): StoreEvent | undefined => {
      if (cursor < this.#start()) throw expired(`the watch fell more than ${this.#size} events behind`);
      while (cursor < this.#end) {
        const event = this.#at(cursor++);
        if (event !== undefined && event.revision > from && matches(event)) return event;
      }
      return undefined;
    };
    const watcher: Watcher = new Watcher(scan, () => this.#watchers.delete(watcher));
    this.#watchers.add(watcher);
    return watcher;
  }

  /** The remembered events after revision `from`, oldest first; throws Expired if some are forgotten. */
  since(from: number): StoreEvent[] {
    if (from < this.#horizon) throw expired(`too old resource version: ${from} (${this.#horizon})`);
    const events: StoreEvent[] = [];
    for (let index = this.#start(); index < this.#end; index++) {
      const event = this.#at(index);
      if (event !== undefined && event.revision > from) events.push(event);
    }
    return events;
  }

  /** Ends all watches. */
  close(): void {
    for (const watcher of this.#watchers) watcher.end();
  }

  #start(): number {
    return Math.max(0, this.#end - this.#size);
  }

  #at(index: number): StoreEvent | undefined {
    return this.#ring[index % this.#size];
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
