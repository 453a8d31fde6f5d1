import { createReadStream } from "node:fs";
import { mkdir, open, opendir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { ApiError } from "@sluice/kubernetes";
import { canonicalUri } from "./canonical-uri.ts";
import type { ObjectInfo, ObjectStore } from "./object-store.ts";
import { storageError } from "./storage-error.ts";
import { writeHashed } from "./write-hashed.ts";

const READ_BYTES = 2 ** 20;

/** A directory of this machine that may be reached by `file:` URIs. */
export interface FileDirectory {
  readonly path: string;
  readonly isReadOnly?: boolean;
}

/** Files below `directories` as objects; no other path is read or written, wherever links lead. */
export function fileStore(directories: readonly FileDirectory[]): ObjectStore {
  return new FileStore(directories);
}

class FileStore implements ObjectStore {
  readonly #directories: readonly FileDirectory[];

  constructor(directories: readonly FileDirectory[]) {
    this.#directories = directories;
  }

  putFile(uri: string, path: string): Promise<ObjectInfo> {
    return this.put(uri, createReadStream(path, { highWaterMark: READ_BYTES }));
  }

  async put(uri: string, bytes: AsyncIterable<Uint8Array> | Uint8Array): Promise<ObjectInfo> {
    const path = pathOf(uri);
    try {
      await this.#check(uri, path, "write");
      await mkdir(dirname(path), { recursive: true });
      const partial = join(dirname(path), `.${basename(path)}.partial`);
      const hashed = await writeHashed(partial, bytes instanceof Uint8Array ? one(bytes) : bytes);
      await using file = await open(partial, "r+");
      await file.sync();
      await rename(partial, path);
      return { uri: canonicalUri(uri).uri, ...hashed };
    } catch (cause) {
      throw storageError(`store ${uri}`, cause);
    }
  }

  async getFile(uri: string, path: string): Promise<ObjectInfo> {
    try {
      return { uri, ...(await writeHashed(path, this.get(uri))) };
    } catch (cause) {
      throw storageError(`bring ${uri} to ${path}`, cause);
    }
  }

  async *get(uri: string, { start = 0, end }: { readonly start?: number; readonly end?: number } = {}): AsyncGenerator<Uint8Array> {
    if (end !== undefined && end <= start) return;
    try {
      const path = await this.#check(uri, pathOf(uri), "read");
      yield* createReadStream(path, {
        start,
        highWaterMark: READ_BYTES,
        ...(end === undefined ? {} : { end: end - 1 }),
      }) as AsyncIterable<Uint8Array>;
    } catch (cause) {
      throw storageError(`read ${uri}`, cause);
    }
  }

  async stat(uri: string): Promise<ObjectInfo | undefined> {
    return this.#info(canonicalUri(uri).uri);
  }

  async *list(uri: string): AsyncGenerator<ObjectInfo> {
    const { uri: base } = canonicalUri(uri);
    const path = await this.#check(uri, pathOf(base), "read");
    const found = await stat(path).catch(ignoreAbsence);
    if (found?.isDirectory() !== true) return;
    const files: string[] = [];
    for await (const entry of await opendir(path, { recursive: true })) {
      if (!entry.isDirectory()) files.push(join(entry.parentPath, entry.name).slice(path.length + 1));
    }
    for (const file of files.sort()) {
      const info = await this.#info(`${base}/${file}`);
      if (info !== undefined) yield info;
    }
  }

  async delete(uri: string): Promise<void> {
    try {
      await rm(await this.#check(uri, pathOf(uri), "write"), { recursive: true, force: true });
    } catch (cause) {
      throw storageError(`delete ${uri}`, cause);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #info(uri: string): Promise<ObjectInfo | undefined> {
    const found = await stat(await this.#check(uri, pathOf(uri), "read")).catch(ignoreAbsence);
    return found?.isFile() === true ? { uri, size: found.size, digest: `etag:${found.ino}-${found.size}-${found.mtimeMs}` } : undefined;
  }

  /** The path as it is without links, if it may be used so. */
  async #check(uri: string, path: string, use: "read" | "write"): Promise<string> {
    const real = await realOf(path);
    const permitted = await Promise.all(this.#directories.map(async (each) => ({ ...each, real: await realOf(each.path) })));
    const home = permitted.find((each) => real === each.real || real.startsWith(`${each.real}${sep}`));
    if (home === undefined) {
      const where = this.#directories.length === 0 ? "none is" : `only ${this.#directories.map((each) => each.path).join(", ")}`;
      throw new ApiError(
        "Forbidden",
        `${uri} lies in no directory of this machine that is open to this namespace: ${where}; see artifacts.directories in sluice.yaml`,
      );
    }
    if (use === "write" && home.isReadOnly === true) throw new ApiError("Forbidden", `cannot write ${uri}: ${home.path} is open for reading only`);
    return real;
  }
}

/** The path without links; of one that is not there yet, what there is of it. */
async function realOf(path: string): Promise<string> {
  const real = await realpath(path).catch(ignoreAbsence);
  if (real !== undefined) return real;
  const parent = dirname(path);
  return parent === path ? path : join(await realOf(parent), basename(path));
}

function pathOf(uri: string): string {
  return canonicalUri(uri).uri.slice("file://".length);
}

function ignoreAbsence(error: unknown): undefined {
  if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
  throw error;
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
