import { on, once } from "node:events";
import { Worker } from "node:worker_threads";
import { LogError, type Row } from "./log.ts";

/** What the thread says: that the file is open, what it holds, and what became of a commit. */
export type LogMessage =
  | { readonly opened: number }
  | { readonly refused: { readonly message: string; readonly fix: string } }
  | { readonly rows: readonly StoredRow[]; readonly isLast: boolean }
  | { readonly committed: true }
  | { readonly failed: string };

/** What the thread is told. */
export type LogRequest = { readonly commit: readonly Row[]; readonly revision: number } | { readonly close: true };

interface StoredRow {
  readonly key: string;
  readonly json: string;
}

/** A `Log` in a thread of its own: a flush takes as long as the disk likes, and nothing else must wait for it. */
export class LogThread {
  /** The last revision that was committed before the file was opened. */
  readonly revision: number;
  readonly #worker: Worker;
  readonly #messages: AsyncIterableIterator<[LogMessage]>;
  #commit: PromiseWithResolvers<void> | undefined;
  #end: string | undefined;

  private constructor(worker: Worker, messages: AsyncIterableIterator<[LogMessage]>, revision: number) {
    this.#worker = worker;
    this.#messages = messages;
    this.revision = revision;
  }

  /** Opens the file; fails with a LogError if another process holds it. */
  static async open(path: string, maxBytes: number | undefined): Promise<LogThread> {
    const worker = new Worker(new URL("./log-worker.ts", import.meta.url), { workerData: { path, maxBytes } });
    const messages = on(worker, "message", { close: ["exit"] }) as AsyncIterableIterator<[LogMessage]>;
    const { value } = await messages.next();
    const [first] = value ?? [];
    if (first !== undefined && "opened" in first) return new LogThread(worker, messages, first.opened);
    if (first !== undefined && "refused" in first) throw new LogError(first.refused.message, { fix: first.refused.fix, cause: undefined });
    throw new Error("the store's thread did not start");
  }

  /** All objects, in key order; to be read once, before the first commit. */
  async *rows(): AsyncGenerator<StoredRow> {
    for await (const [message] of this.#messages) {
      if (!("rows" in message)) continue;
      yield* message.rows;
      if (message.isLast) break;
    }
    this.#worker.on("message", (message: LogMessage) => this.#answer(message));
    this.#worker.on("error", (error) => this.#lose(error.message));
    this.#worker.on("exit", () => this.#lose("its thread has ended"));
    // Only a commit under way keeps the program alive.
    this.#worker.unref();
  }

  /** Makes `rows` and the revision durable, all or nothing; one commit at a time. */
  async commit(rows: readonly Row[], revision: number): Promise<void> {
    if (this.#end !== undefined) throw new Error(this.#end);
    this.#commit = Promise.withResolvers();
    this.#worker.ref();
    this.#send({ commit: rows.map(({ key, revision: at, json }) => ({ key, revision: at, json })), revision });
    try {
      await this.#commit.promise;
    } finally {
      this.#worker.unref();
    }
  }

  /** Closes the file and releases the lock. */
  async close(): Promise<void> {
    if (this.#end !== undefined) return;
    const ended = once(this.#worker, "exit");
    this.#worker.ref();
    this.#send({ close: true });
    await ended;
  }

  #send(request: LogRequest): void {
    this.#worker.postMessage(request);
  }

  #answer(message: LogMessage): void {
    const commit = this.#commit;
    this.#commit = undefined;
    if ("committed" in message) commit?.resolve();
    else if ("failed" in message) commit?.reject(new Error(message.failed));
  }

  #lose(why: string): void {
    this.#end ??= `the store cannot write any more: ${why}`;
    this.#commit?.reject(new Error(this.#end));
    this.#commit = undefined;
  }
}
