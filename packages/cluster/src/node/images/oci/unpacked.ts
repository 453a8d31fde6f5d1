import { createHash } from "node:crypto";
import { once } from "node:events";
import { PassThrough, type Readable, Transform, type Duplex } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { broken } from "./descriptor.ts";

const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/**
 * What a blob or archive holds, decompressed by what its first bytes say: gzip, zstd or as it is. Reading it to its end fails
 * with an `ImageError` if it is damaged, or is not what `expect` says.
 */
export async function unpacked(
  source: Readable,
  { expect, what }: { readonly expect?: string | undefined; readonly what: string },
): Promise<Readable> {
  const first = await firstBytes(source);
  const decompress = first.subarray(0, 2).equals(GZIP)
    ? createGunzip()
    : first.subarray(0, 4).equals(ZSTD)
      ? createZstdDecompress()
      : new PassThrough();
  const end = checking(expect, what);
  const fail = (cause: Error): void =>
    void end.destroy(cause.name === "ImageError" ? cause : broken(what, `a part of it is damaged: ${cause.message}`, cause));
  source.on("error", fail);
  decompress.on("error", fail);
  end.on("close", () => {
    source.destroy();
    decompress.destroy();
  });
  source.pipe(decompress).pipe(end);
  return end;
}

/** Looks at a stream's first bytes, and puts them back. */
async function firstBytes(source: Readable): Promise<Buffer> {
  let first = Buffer.alloc(0);
  while (first.length < ZSTD.length) {
    await once(source, "readable");
    const part = source.read() as Buffer | null;
    if (part === null) break;
    first = Buffer.concat([first, part]);
  }
  if (first.length > 0) source.unshift(first);
  return first;
}

function checking(expect: string | undefined, what: string): Duplex {
  const hash = createHash("sha256");
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      if (expect === undefined || `sha256:${hash.digest("hex")}` === expect) return done();
      done(broken(what, `a layer is not what its configuration says: ${expect} was expected`));
    },
  });
}
