import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ApiError } from "@sluice/kubernetes";
import { collectGarbage, type IndexTransaction, type ObjectIndex } from "./object-index.ts";

/** One change of what is stored. */
export interface Change {
  /** A file on disk that becomes the bytes of a digest. */
  readonly file?: { readonly path: string; readonly digest: string };
  /** Changes the index, and tells which digests may have lost their last object by it. */
  apply(transaction: IndexTransaction): Promise<readonly string[]>;
}

interface Waiting {
  readonly change: Change;
  readonly settle: PromiseWithResolvers<void>;
}

/**
 * The one place where objects change. Batches follow each other, and within one all happens in this order: files go to their
 * place, the index is committed, files that nobody refers to any more go away. So the index never refers to a file that is not
 * on disk, whenever the process ends, and no file goes away while a change that counts on it is under way.
 */
export class Changes {
  readonly #index: ObjectIndex;
  readonly #directory: string;
  #waiting: Waiting[] = [];
  #isClosed = false;
  #running: Promise<void> | undefined;

  /** `directory` holds the files, named by their digests. */
  constructor(index: ObjectIndex, directory: string) {
    this.#index = index;
    this.#directory = directory;
  }

  /** Resolves once the change is on disk. */
  make(change: Change): Promise<void> {
    if (this.#isClosed) return Promise.reject(new ApiError("ServiceUnavailable", "the object store is closed: the program is stopping"));
    const settle = Promise.withResolvers<void>();
    this.#waiting.push({ change, settle });
    this.#running ??= this.#drain();
    return settle.promise;
  }

  /** Refuses new changes and waits for those that were asked for. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      const batch = this.#waiting.splice(0);
      try {
        await this.#commit(batch.map(({ change }) => change));
        for (const { settle } of batch) settle.resolve();
      } catch (error) {
        for (const { settle } of batch) settle.reject(error);
      }
    }
    this.#running = undefined;
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    const files = changes.flatMap(({ file }) => (file === undefined ? [] : [file]));
    let garbage: readonly string[];
    try {
      for (const { path, digest } of files) await rename(path, join(this.#directory, digest));
      if (files.length > 0) await syncDirectory(this.#directory);
      garbage = await this.#index.transaction(async (transaction) => {
        const released: string[] = [];
        for (const change of changes) released.push(...(await change.apply(transaction)));
        return collectGarbage(transaction, released);
      });
    } catch (error) {
      await this.#remove(await this.#index.unreferenced(files.map(({ digest }) => digest)).catch(() => []));
      throw error;
    }
    await this.#remove(garbage);
  }

  /** What cannot be removed now is swept when the store is opened again. */
  async #remove(digests: readonly string[]): Promise<void> {
    await Promise.allSettled(digests.map((digest) => rm(join(this.#directory, digest), { force: true })));
  }
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path);
  await directory.sync();
}
