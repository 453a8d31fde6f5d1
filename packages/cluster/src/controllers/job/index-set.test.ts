import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatIndexes, parseIndexes } from "./index-set.ts";

test.each<[number[], string]>([
  [[], ""],
  [[4], "4"],
  [[1, 2], "1,2"],
  [[7, 1, 3, 5, 4], "1,3-5,7"],
])("%j is written %j", (indexes, text) => expect(formatIndexes(new Set(indexes))).toBe(text));

test("what is written is read back, up to the limit; what is malformed is skipped", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(60)), fc.nat(60), (indexes, limit) => {
      expect([...parseIndexes(formatIndexes(new Set(indexes)), limit)].toSorted((a, b) => a - b)).toEqual(
        indexes.filter((index) => index < limit).toSorted((a, b) => a - b),
      );
    }),
  );
  expect([...parseIndexes("1,x,3-,5-4,7", 10)]).toEqual([1, 7]);
});
