import { chmod, constants, copyFile, mkdir, open, opendir, rm, writeFile, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openDatabase } from "@sluice/database";
import { ApiError } from "@sluice/kubernetes";
import { Changes } from "./changes.ts";
import { deleteObjects, openIndex, putInline, putObject, type ObjectIndex, type ObjectRow } from "./object-index.ts";
import { hashFile } from "./hash-file.ts";
import type { ObjectInfo, ObjectStore } from "./object-store.ts";
import { objectUri, parseObjectUri, parseStoredUri, type ObjectAddress } from "./object-uri.ts";
import { Staging, type Staged } from "./staging.ts";
import { storageError } from "./storage-error.ts";

const FILE_MODE = 0o644;
const READ_BYTES = 256 * 1024;
/** How many files a step of the sweep looks at. */
const SWEEP = 500;

/** Where a store is. */
export interface DirectoryStoreOptions {
  /** Made if there is none. Nobody else may use it while the store is open. */
  readonly directory: string;
  /** How large the index, with the bytes of small objects, may become. */
  readonly maxIndexBytes?: number;
}

/** Opens the store in a directory: an index in SQLite, and a file for the bytes of each digest that has many. */
export async function openDirectoryStore({ directory, maxIndexBytes }: DirectoryStoreOptions): Promise<ObjectStore> {
  await using stack = new AsyncDisposableStack();
  const [blobs, incoming] = [join(directory, "blobs"), join(directory, "incoming")];
  const limit = maxIndexBytes === undefined ? {} : { maxBytes: maxIndexBytes };
  const database = stack.use(await openDatabase({ path: join(directory, "index.db"), ...limit }));
  const index = await openIndex(database);
  await rm(incoming, { recursive: true, force: true });
  for (const each of [blobs, incoming]) await mkdir(each, { recursive: true });
  const changes = stack.adopt(new Changes(index, blobs), (open) => open.close());
  const sweep = sweepBlobs(blobs, changes);
  stack.defer(() => sweep);
  return new DirectoryStore({ index, changes, blobs, staging: new Staging(incoming), stack: stack.move() });
}

/** Removes files that a process left which ended between writing them and referring to them. */
async function sweepBlobs(directory: string, changes: Changes): Promise<void> {
  try {
    let names: string[] = [];
    const look = async (): Promise<void> => {
      const digests = names.splice(0);
      if (digests.length > 0) await changes.make({ apply: () => Promise.resolve(digests) });
    };
    for await (const { name } of await opendir(directory)) if (names.push(name) >= SWEEP) await look();
    await look();
  } catch {
    // It costs no more than space, and the next start tries again.
  }
}

interface Parts {
  readonly index: ObjectIndex;
  readonly changes: Changes;
  readonly staging: Staging;
  /** The directory of the files. */
  readonly blobs: string;
  readonly stack: AsyncDisposableStack;
}

/** What to do with an object's bytes, be they in memory or in a file. */
interface Use<R> {
  bytes(bytes: Uint8Array): Promise<R>;
  /** ENOENT means that the file is gone, and that it must be looked up again. */
  file(path: string): Promise<R>;
}

class DirectoryStore implements ObjectStore {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  putFile(uri: string, path: string): Promise<ObjectInfo> {
    return this.#store(uri, (staging) => staging.file(path));
  }

  put(uri: string, bytes: AsyncIterable<Uint8Array> | Uint8Array): Promise<ObjectInfo> {
    return this.#store(uri, (staging) => staging.bytes(bytes));
  }

  async getFile(uri: string, path: string): Promise<ObjectInfo> {
    const address = parseStoredUri(uri);
    try {
      await mkdir(dirname(path), { recursive: true });
      // Whatever is there, be it a link to elsewhere, is replaced and not written through.
      await rm(path, { force: true });
      const { row } = await this.#read(uri, address, {
        bytes: (bytes) => writeFile(path, bytes, { flag: "wx" }),
        file: (blob) => copyFile(blob, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE),
      });
      await chmod(path, FILE_MODE);
      const digest = await hashFile(path, row.size);
      if (digest !== row.digest) throw damaged(uri, row, digest);
      return infoOf(row);
    } catch (cause) {
      throw storageError(`bring ${uri} to ${path}`, cause);
    }
  }

  async *get(uri: string, range: { readonly start?: number; readonly end?: number } = {}): AsyncGenerator<Uint8Array> {
    const address = parseStoredUri(uri);
    const { start = 0, end = Number.MAX_SAFE_INTEGER } = range;
    for (const [name, value] of Object.entries({ start, end })) {
      if (!Number.isSafeInteger(value) || value < 0)
        throw new ApiError("BadRequest", `cannot read ${uri}: ${name} must be a whole number that is not negative`);
    }
    try {
      const { found } = await this.#read<Uint8Array | FileHandle>(uri, address, {
        bytes: (bytes) => Promise.resolve(bytes),
        file: (path) => open(path),
      });
      if (found instanceof Uint8Array) {
        const part = found.subarray(start, Math.max(start, end));
        if (part.length > 0) yield part;
        return;
      }
      await using file = found;
      if (start < end) yield* file.createReadStream({ start, end: end - 1, highWaterMark: READ_BYTES, autoClose: false });
    } catch (cause) {
      throw storageError(`read ${uri}`, cause);
    }
  }

  async stat(uri: string): Promise<ObjectInfo | undefined> {
    const row = await this.#parts.index.find(parseObjectUri(uri));
    return row === undefined ? undefined : infoOf(row);
  }

  async *list(uri: string): AsyncGenerator<ObjectInfo> {
    for await (const row of this.#parts.index.below(parseObjectUri(uri))) yield infoOf(row);
  }

  async delete(uri: string): Promise<void> {
    const address = parseObjectUri(uri);
    await this.#parts.changes.make({ apply: (transaction) => deleteObjects(transaction, address) });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.stack.disposeAsync();
  }

  async #store(uri: string, take: (staging: Staging) => Promise<Staged>): Promise<ObjectInfo> {
    const { staging, changes } = this.#parts;
    const { bucket, key } = parseStoredUri(uri);
    let staged: Staged | undefined;
    try {
      staged = await take(staging);
      const { digest, size, content } = staged;
      const row: ObjectRow = { bucket, key, digest, size };
      const isInline = "bytes" in content;
      await changes.make({
        ...(isInline ? {} : { file: { path: content.path, digest } }),
        apply: async (transaction) => {
          if (isInline) await putInline(transaction, digest, content.bytes);
          const before = await putObject(transaction, row);
          return before === undefined ? [] : [before];
        },
      });
      return infoOf(row);
    } catch (cause) {
      if (staged !== undefined) await staging.discard(staged);
      throw storageError(`store ${uri}`, cause);
    }
  }

  /** Uses an object's bytes, those of one moment however it changes meanwhile. */
  async #read<R>(uri: string, address: ObjectAddress, use: Use<R>): Promise<{ readonly row: ObjectRow; readonly found: R }> {
    const { index } = this.#parts;
    for (let missing: string | undefined; ;) {
      const row = await index.find(address);
      if (row === undefined) throw new ApiError("NotFound", `there is no object ${uri}`);
      const bytes = await index.inlineBytes(row.digest);
      if (bytes !== undefined) return { row, found: await use.bytes(bytes) };
      const path = this.#path(row.digest);
      try {
        return { row, found: await use.file(path) };
      } catch (cause) {
        if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw cause;
        // It may have been replaced since it was looked up.
        if (row.digest === missing)
          throw new ApiError("InternalError", `the bytes of ${uri} are missing: somebody removed ${path}. Store the object anew`, { cause });
        missing = row.digest;
      }
    }
  }

  #path(digest: string): string {
    return join(this.#parts.blobs, digest);
  }
}

function damaged(uri: string, { digest }: ObjectRow, found: string): ApiError {
  return new ApiError("InternalError", `the bytes of ${uri} are damaged: they were sha256:${digest} and are sha256:${found}. Store the object anew`);
}

function infoOf({ bucket, key, digest, size }: ObjectRow): ObjectInfo {
  return { uri: objectUri(bucket, key), size, digest: `sha256:${digest}` };
}
