import { systemClock, type Clock } from "./clock.ts";
import { Fifo } from "./fifo.ts";

const BASE_DELAY = 5;
const MAX_DELAY = 1_000_000;

/** Waiting for a worker; with a worker; with a worker and asked for again meanwhile. */
type State = "queued" | "processing" | "dirty";

/** Keys that need work, each at most once, and never with two workers at the same time. */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #states = new Map<string, State>();
  readonly #queue = new Fifo<string>();
  readonly #workers = new Fifo<(key: string | undefined) => void>();
  readonly #delayed = new Map<string, { readonly due: number; readonly timer: AbortController }>();
  readonly #failures = new Map<string, number>();
  #closed = false;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Asks for work on `key`: now, or after its present run. */
  add(key: string): void {
    if (this.#closed) return;
    const state = this.#states.get(key);
    if (state === undefined) this.#offer(key);
    else if (state === "processing") this.#states.set(key, "dirty");
  }

  /** Adds `key` in `ms` milliseconds; of several delays the one that ends first counts. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    const due = this.#clock.now() + Math.max(0, ms);
    const pending = this.#delayed.get(key);
    if (pending !== undefined && pending.due <= due) return;
    pending?.timer.abort();
    this.#delayed.delete(key);
    if (ms > 0) void this.#delay(key, ms, due);
    else this.add(key);
  }

  /** Adds `key` after 5 ms, doubling with every call up to 1000 s, until `forget`. */
  addRateLimited(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(BASE_DELAY * 2 ** failures, MAX_DELAY));
  }

  /** Ends the backoff of `key`: it has succeeded, or is given up. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, owned by the caller until `done`; `undefined` once the queue is closed. */
  next(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#queue.shift();
    if (key === undefined) return new Promise((resolve) => this.#workers.push(resolve));
    this.#states.set(key, "processing");
    return Promise.resolve(key);
  }

  /** Gives `key` back; it runs again if it was added meanwhile. */
  done(key: string): void {
    const state = this.#states.get(key);
    if (state === "queued") return;
    this.#states.delete(key);
    if (state === "dirty" && !this.#closed) this.#offer(key);
  }

  /** Drops what is queued or delayed and sends every worker home. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) timer.abort();
    this.#delayed.clear();
    this.#queue.clear();
    for (let worker = this.#workers.shift(); worker !== undefined; worker = this.#workers.shift()) worker(undefined);
  }

  #offer(key: string): void {
    const worker = this.#workers.shift();
    this.#states.set(key, worker === undefined ? "queued" : "processing");
    if (worker === undefined) this.#queue.push(key);
    else worker(key);
  }

  async #delay(key: string, ms: number, due: number): Promise<void> {
    const timer = new AbortController();
    this.#delayed.set(key, { due, timer });
    await this.#clock.sleep(ms, timer.signal);
    if (timer.signal.aborted) return;
    this.#delayed.delete(key);
    this.add(key);
  }
}
