import { expect, test } from "vitest";
import { parseDuration } from "./duration.ts";

const HOUR = 3_600_000;

test.each([
  ["7d", 7 * 24 * HOUR],
  ["P7D", 7 * 24 * HOUR],
  ["P1W", 7 * 24 * HOUR],
  ["1h30m", 1.5 * HOUR],
  ["PT1H30M", 1.5 * HOUR],
  ["P1DT2H", 26 * HOUR],
  ["0s", 0],
  ["P0D", 0],
  ["1.5s", 1500],
])("%s is a duration", (text, ms) => expect(parseDuration("x", text)).toBe(ms));

test.each(["", "P", "PT", "7", "d", "-1d", "7 d", "P1H", "1m1h", "1e3s"])("%j is none", (text) => {
  expect(() => parseDuration("the age", text)).toThrow(`the age: ${JSON.stringify(text)} is not a duration`);
});
