import { constants, deflateSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DICTIONARY } from "./dictionary.ts";
import { HeaderDecoder, HeaderEncoder } from "./header-blocks.ts";

const name = fc.string({ minLength: 1, maxLength: 30 }).map((text) => `x${text.toLowerCase()}`);

test("headers come out as they went in, one block building on the other", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.dictionary(name, fc.string({ maxLength: 200 }), { noNullPrototype: true }), { maxLength: 5 }), async (blocks) => {
      using encoder = new HeaderEncoder();
      using decoder = new HeaderDecoder();
      for (const headers of blocks) expect(await decoder.decode(await encoder.encode(headers))).toEqual(headers);
    }),
    { numRuns: 50 },
  );
});

test("names are in lower case, as clients write them in any", async () => {
  using encoder = new HeaderEncoder();
  using decoder = new HeaderDecoder();
  expect(await decoder.decode(await encoder.encode({ StreamType: "Data" }))).toEqual({ streamtype: "Data" });
});

test("what is no block, or far too large, is refused", async () => {
  const decode = async (block: Buffer): Promise<unknown> => {
    using decoder = new HeaderDecoder();
    return await decoder.decode(block);
  };
  const packed = (bytes: Buffer): Buffer => deflateSync(bytes, { dictionary: DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH });
  await expect(decode(Buffer.from("nonsense"))).rejects.toThrow("incorrect header check");
  await expect(decode(packed(Buffer.from([0, 0, 0, 9, 0, 0])))).rejects.toThrow("too short");
  await expect(decode(packed(Buffer.from([0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff])))).rejects.toThrow("too short");
  await expect(decode(packed(Buffer.alloc(10 * 1024 * 1024)))).rejects.toThrow("larger than");
});
