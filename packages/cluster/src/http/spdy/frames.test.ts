import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeFrame, FrameReader, type Frame } from "./frames.ts";

const stream = fc.integer({ min: 0, max: 0x7fff_ffff });
const word = fc.integer({ min: 0, max: 0xffff_ffff });
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const frame: fc.Arbitrary<Exclude<Frame, { type: "other" }>> = fc.oneof(
  fc.record({ type: fc.constant("data" as const), stream, isLast: fc.boolean(), bytes }),
  fc.record({ type: fc.constantFrom("open" as const, "reply" as const, "headers" as const), stream, isLast: fc.boolean(), headers: bytes }),
  fc.record({ type: fc.constant("reset" as const), stream, status: word }),
  fc.record({ type: fc.constant("ping" as const), id: word }),
  fc.record({ type: fc.constant("goAway" as const), lastStream: stream, status: word }),
);

test("frames come out as they went in, however their bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(frame), fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (frames, sizes) => {
      const all = Buffer.concat(frames.map(encodeFrame));
      const reader = new FrameReader();
      const read: Frame[] = [];
      for (let at = 0; at < all.length;) {
        const { value: size = 1 } = sizes.next();
        read.push(...reader.push(all.subarray(at, (at += size))));
      }
      expect(read).toEqual(frames);
    }),
  );
});

test("other bytes are refused or waited for, and never anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
      try {
        new FrameReader().push(noise);
      } catch (error) {
        expect((error as Error).message).toMatch(/SPDY/);
      }
    }),
  );
  expect(() => new FrameReader().push(Buffer.from("GET / HTTP/1.1\r\n"))).toThrow("too large");
  expect(() => new FrameReader().push(Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0]))).toThrow("SPDY/2 is not spoken here");
});
