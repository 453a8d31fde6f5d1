import { createHash, type Hash } from "node:crypto";
import { mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";

const FILE_MODE = 0o644;
/** What is written at once: networks bring small pieces, and each write waits for a thread. */
const WRITE_BYTES = 2 ** 20;

/** How many bytes there were, and their `sha256:<hex>`. */
export interface Hashed {
  readonly size: number;
  readonly digest: string;
}

/** Writes bytes as they come to a new file at `path`, whatever is there now; leaves none if they do not all come. */
export async function writeHashed(path: string, bytes: AsyncIterable<Uint8Array>): Promise<Hashed> {
  await mkdir(dirname(path), { recursive: true });
  // Whatever is there, be it a link to elsewhere, is replaced and not written through.
  await rm(path, { force: true });
  const tap = new HashTap();
  try {
    await using file = await open(path, "wx", FILE_MODE);
    for await (const chunk of batched(tap.through(bytes))) {
      for (let done = 0; done < chunk.length;) done += (await file.write(chunk, done)).bytesWritten;
    }
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return tap.result();
}

async function* batched(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let batch: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    batch.push(chunk);
    size += chunk.length;
    if (size < WRITE_BYTES) continue;
    yield batch.length === 1 ? chunk : Buffer.concat(batch, size);
    batch = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(batch, size);
}

/** Hashes bytes on their way elsewhere. */
export class HashTap {
  readonly #hash: Hash = createHash("sha256");
  #size = 0;

  async *through(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      this.#hash.update(chunk);
      this.#size += chunk.length;
      yield chunk;
    }
  }

  /** What has passed; to be asked once. */
  result(): Hashed {
    return { size: this.#size, digest: `sha256:${this.#hash.digest("hex")}` };
  }
}

/** Bytes that are all there, as if they came. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
