import { createHash } from "node:crypto";
import { chmod, copyFile, constants, open, readFile, rm, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { ApiError } from "@sluice/kubernetes";
import { hashFile } from "./hash-file.ts";

/** Up to this size bytes live in the index, where a thousand of them cost one write to the disk. */
const INLINE_BYTES: number = 64 * 1024;
const FILE_MODE = 0o644;

/** Bytes that are on disk or in memory, and not yet an object. */
export interface Staged {
  readonly digest: string;
  readonly size: number;
  /** Small ones as they are, others in a file that is on disk. */
  readonly content: { readonly bytes: Uint8Array } | { readonly path: string };
}

/** Takes bytes in, into files of its own where they are many. */
export class Staging {
  readonly #directory: string;
  #files = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Takes a file; what is hashed is the copy, so that it does not matter who writes to the file meanwhile. */
  async file(source: string): Promise<Staged> {
    const found = await stat(source);
    if (!found.isFile()) throw new ApiError("BadRequest", `cannot store ${source}: it is not a file`);
    if (found.size <= INLINE_BYTES) return inline(await readFile(source));
    return this.#create(async (path) => {
      await copyFile(source, path, constants.COPYFILE_FICLONE);
      await chmod(path, FILE_MODE);
      await using file = await open(path, "r+");
      const { size } = await file.stat();
      const [digest] = await Promise.all([hashFile(path, size), file.sync()]);
      return { digest, size, content: { path } };
    });
  }

  /** Takes bytes as they come. */
  async bytes(source: AsyncIterable<Uint8Array> | Uint8Array): Promise<Staged> {
    if (source instanceof Uint8Array) return source.length <= INLINE_BYTES ? inline(source) : this.#stream([], one(source));
    const head: Uint8Array[] = [];
    let size = 0;
    const iterator = source[Symbol.asyncIterator]();
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      head.push(next.value);
      size += next.value.length;
      if (size > INLINE_BYTES) return this.#stream(head, { [Symbol.asyncIterator]: () => iterator });
    }
    return inline(Buffer.concat(head));
  }

  /** Gives up what was staged. */
  async discard({ content }: Staged): Promise<void> {
    if ("path" in content) await rm(content.path, { force: true });
  }

  #stream(head: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): Promise<Staged> {
    return this.#create(async (path) => {
      await using file = await open(path, "wx", FILE_MODE);
      const hash = createHash("sha256");
      let size = 0;
      const write = async (bytes: Uint8Array): Promise<void> => {
        hash.update(bytes);
        size += bytes.length;
        await writeAll(file, bytes);
      };
      for (const bytes of head) await write(bytes);
      for await (const bytes of rest) await write(bytes);
      await file.sync();
      return { digest: hash.digest("hex"), size, content: { path } };
    });
  }

  async #create(fill: (path: string) => Promise<Staged>): Promise<Staged> {
    const path = join(this.#directory, String(this.#files++));
    try {
      return await fill(path);
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }
}

function inline(bytes: Uint8Array): Staged {
  return { digest: createHash("sha256").update(bytes).digest("hex"), size: bytes.length, content: { bytes } };
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done)).bytesWritten;
}
