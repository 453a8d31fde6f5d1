import type { Clock } from "@sluice/controller";
import { ApiError, type WatchEvent } from "@sluice/kubernetes";
import type { StoreEvent, StoreWatch } from "../store/history.ts";

const BOOKMARK_INTERVAL_MS = 60_000;

/** What a watch is made of. */
export interface WatchStreamOptions {
  readonly initial: readonly WatchEvent[];
  readonly source: StoreWatch;
  /** The event to send; undefined where the watcher does not care. */
  readonly convert: (event: StoreEvent) => WatchEvent | undefined;
  /** Makes a bookmark of the present; absent if the watcher wants none. */
  readonly bookmark: (() => WatchEvent) | undefined;
  readonly timeoutMs: number | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

/** The events of one watch. It is pulled: a slow reader holds up nobody, and an overtaken one gets an ERROR and the end. */
export class WatchStream implements AsyncIterableIterator<WatchEvent, undefined> {
  readonly #options: WatchStreamOptions;
  readonly #end = new AbortController();
  readonly #onAbort = (): void => this.#finish();
  #sent = 0;
  #request: Promise<void> | undefined;
  #arrived: IteratorResult<StoreEvent, undefined> | { readonly error: unknown } | undefined;
  #isBookmarkDue = false;
  #isTimedOut = false;
  #wake: () => void = () => {};

  constructor(options: WatchStreamOptions) {
    this.#options = options;
    const { signal, clock, timeoutMs, bookmark } = options;
    if (signal?.aborted === true) this.#finish();
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (timeoutMs !== undefined) {
      void clock.sleep(timeoutMs, this.#end.signal).then(() => {
        this.#isTimedOut = true;
        this.#isBookmarkDue = bookmark !== undefined;
        this.#wake();
      });
    }
    if (bookmark !== undefined) void this.#bookmarkRegularly();
  }

  async next(): Promise<IteratorResult<WatchEvent, undefined>> {
    for (;;) {
      if (this.#end.signal.aborted) return { done: true, value: undefined };
      const first = this.#options.initial[this.#sent];
      if (first !== undefined) {
        this.#sent++;
        return { done: false, value: first };
      }
      if (this.#arrived === undefined && this.#request === undefined) {
        this.#request = this.#pull();
        await Promise.resolve(); // What the store has already arrives within this turn of the queue.
        await Promise.resolve();
      }
      const event = this.#take();
      if (event !== undefined) return { done: false, value: event };
      if (this.#request !== undefined && this.#arrived === undefined) {
        // Only then does the present hold nothing that this watcher has not seen.
        if (this.#options.source.isIdle) {
          if (this.#isBookmarkDue && this.#options.bookmark !== undefined) {
            this.#isBookmarkDue = false;
            return { done: false, value: this.#options.bookmark() };
          }
          if (this.#isTimedOut) {
            this.#finish();
            continue;
          }
        }
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    }
  }

  return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.#finish();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): WatchEvent | undefined {
    const arrived = this.#arrived;
    if (arrived === undefined) return undefined;
    this.#arrived = undefined;
    if ("error" in arrived) {
      this.#finish();
      if (!(arrived.error instanceof ApiError)) throw arrived.error;
      return { type: "ERROR", object: arrived.error.toStatus() };
    }
    if (arrived.done !== true) return this.#options.convert(arrived.value);
    this.#finish();
    return undefined;
  }

  async #pull(): Promise<void> {
    try {
      this.#arrived = await this.#options.source.next();
    } catch (error) {
      this.#arrived = { error };
    }
    this.#request = undefined;
    this.#wake();
  }

  async #bookmarkRegularly(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#end;
    for (;;) {
      await clock.sleep(BOOKMARK_INTERVAL_MS, signal);
      if (signal.aborted) return;
      this.#isBookmarkDue = true;
      this.#wake();
    }
  }

  #finish(): void {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#end.abort();
    void this.#options.source.return?.();
    this.#wake();
  }
}
