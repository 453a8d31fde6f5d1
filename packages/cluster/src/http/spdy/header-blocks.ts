import { constants, createDeflate, createInflate, type Deflate, type Inflate } from "node:zlib";
import { DICTIONARY, lengthAndText } from "./dictionary.ts";

/** The headers of a stream; names are in lower case. */
export type Headers = Readonly<Record<string, string>>;

/** More than any client needs to say about a stream, compressed or not. */
const MAX_BYTES = 64 * 1024;

/** Compresses the header blocks of one direction of a connection: each builds on those before it, so that their order counts. */
export class HeaderEncoder implements Disposable {
  readonly #deflate: Deflate = createDeflate({ dictionary: DICTIONARY, flush: constants.Z_SYNC_FLUSH });

  encode(headers: Headers): Promise<Buffer> {
    const entries = Object.entries(headers);
    const count = Buffer.alloc(4);
    count.writeUInt32BE(entries.length);
    return pass(this.#deflate, Buffer.concat([count, ...entries.flat().map(lengthAndText)]));
  }

  [Symbol.dispose](): void {
    this.#deflate.close();
  }
}

/** Reads the header blocks of one direction of a connection, in their order. */
export class HeaderDecoder implements Disposable {
  readonly #inflate: Inflate = createInflate({ dictionary: DICTIONARY });

  /** Throws where a block is no header block. */
  async decode(block: Uint8Array): Promise<Headers> {
    const bytes = await pass(this.#inflate, block);
    let at = 0;
    const read = (length: number): Buffer => {
      if (at + length > bytes.length) throw new Error("a SPDY header block is too short");
      return bytes.subarray(at, (at += length));
    };
    const headers: Record<string, string> = {};
    for (let left = read(4).readUInt32BE(); left > 0; left--) {
      const name = read(read(4).readUInt32BE()).toString();
      headers[name.toLowerCase()] = read(read(4).readUInt32BE()).toString();
    }
    return headers;
  }

  [Symbol.dispose](): void {
    this.#inflate.close();
  }
}

/** What comes out of a compressor for what goes in. */
function pass(stream: Deflate | Inflate, bytes: Uint8Array): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  const collect = (chunk: Buffer): void => {
    size += chunk.length;
    chunks.push(chunk);
    if (size <= MAX_BYTES) return;
    reject(new Error(`a SPDY header block is larger than ${MAX_BYTES} bytes`));
    stream.destroy();
  };
  // Its listener stays, as errors may come late; the first one settles it.
  stream.on("error", reject);
  stream.on("data", collect);
  stream.write(bytes, (error) => {
    stream.off("data", collect);
    if (error === null || error === undefined) resolve(Buffer.concat(chunks));
    else reject(error);
  });
  return promise;
}
