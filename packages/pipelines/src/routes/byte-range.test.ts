import { expect, test } from "vitest";
import { byteRange } from "./byte-range.ts";

test.each([
  [undefined, undefined],
  ["", undefined],
  ["bytes=-", undefined],
  ["bytes=0-1,4-5", undefined],
  ["lines=0-1", undefined],
  ["bytes=5-4", undefined],
  ["bytes=0-", { start: 0, end: 10 }],
  ["bytes=0-0", { start: 0, end: 1 }],
  ["bytes=3-100", { start: 3, end: 10 }],
  ["bytes=-4", { start: 6, end: 10 }],
  ["bytes=-40", { start: 0, end: 10 }],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=10-", "unsatisfiable"],
])("%s of ten bytes", (header, range) => {
  expect(byteRange(header, 10)).toEqual(range);
});
