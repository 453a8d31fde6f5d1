import { expect, test } from "vitest";
import { formatAgo, formatBytes, formatDuration, formatNumber, formatValue, plural, timeOf } from "./format.ts";

test.each([
  [0, "<1s"],
  [999, "1s"],
  [59_400, "59s"],
  [184_000, "3m 04s"],
  [7_500_000, "2h 05m"],
  [273_600_000, "3d 4h"],
  [-5, "<1s"],
])("%i ms are %s", (ms, text) => expect(formatDuration(ms)).toBe(text));

test("1970 is no time", () => {
  expect([timeOf(undefined), timeOf("1970-01-01T00:00:00Z"), timeOf("nonsense")]).toEqual([undefined, undefined, undefined]);
  expect(timeOf("2026-11-24T08:00:00Z")).toBe(Date.UTC(2026, 10, 24, 8));
});

test.each([
  [3, "just now"],
  [42, "42 s ago"],
  [150, "2 min ago"],
  [7200, "2 h ago"],
  [100_000, "yesterday"],
  [300_000, "3 days ago"],
])("%i seconds ago is %s", (seconds, text) => expect(formatAgo(1e12 - seconds * 1000, 1e12)).toBe(text));

test("sizes, numbers and values", () => {
  expect([0, 999, 1000, 12_345, 250e6].map(formatBytes)).toEqual(["0 B", "999 B", "1.00 kB", "12.3 kB", "250 MB"]);
  expect([10_000, 0.1234567, 1 / 3].map(formatNumber)).toEqual(["10,000", "0.123457", "0.333333"]);
  expect(["a", null, 1.5, [1]].map(formatValue)).toEqual(["a", "null", "1.5", "[\n  1\n]"]);
  expect([plural(1, "run"), plural(1200, "run")]).toEqual(["1 run", "1,200 runs"]);
});
