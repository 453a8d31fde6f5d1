import type { SqliteConnection } from "./sqlite-connection.ts";
import { closedError } from "./sqlite-dialect.ts";

/** A transaction that waits for its turn. */
interface Waiting {
  /** Does the work; what it gives tells the one who asked, once the commit is on disk. */
  readonly work: () => Promise<() => void>;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs transactions strictly one after the other, and commits together all that were asked for in one turn of the event
 * loop or while earlier ones ran.
 */
export class GroupCommit {
  readonly #sqlite: SqliteConnection;
  #waiting: Waiting[] = [];
  #isClosed = false;
  /** The work under way, and what follows it. */
  #running: Promise<void> | undefined;

  constructor(sqlite: SqliteConnection) {
    this.#sqlite = sqlite;
  }

  /** Runs `work`, which undoes its own changes when it throws; resolves once the shared commit is on disk. */
  run<R>(work: () => Promise<R>): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    if (this.#isClosed) {
      reject(closedError());
      return promise;
    }
    const start = async (): Promise<() => void> => {
      const result = await work();
      return () => resolve(result);
    };
    this.#waiting.push({ work: start, reject });
    this.#running ??= this.#drain();
    return promise;
  }

  /** Refuses new transactions and waits for those that were asked for. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      await this.#commit(this.#waiting.splice(0));
    }
    this.#running = undefined;
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const acknowledgements: (() => void)[] = [];
    try {
      this.#sqlite.run("BEGIN IMMEDIATE");
      for (const { work, reject } of batch) {
        try {
          acknowledgements.push(await work());
        } catch (error) {
          // Some errors make SQLite undo all of the batch.
          if (!this.#sqlite.isTransaction) throw error;
          reject(error);
        }
      }
      this.#sqlite.run("COMMIT");
    } catch (error) {
      for (const { reject } of batch) reject(error);
      this.#rollBack();
      return;
    }
    for (const acknowledge of acknowledgements) acknowledge();
  }

  #rollBack(): void {
    if (!this.#sqlite.isTransaction) return;
    try {
      this.#sqlite.run("ROLLBACK");
    } catch {
      // Nothing was committed, and every later BEGIN says what is wrong.
    }
  }
}
