import { expect, test } from "vitest";
import { expandMacros, expandParameters, hasMacros, type MacroValues } from "./macros.ts";

const values: MacroValues = {
  runId: "the-id",
  index: 7,
  scheduledAt: Date.parse("2026-03-01T09:05:07Z"),
  now: Date.parse("2026-12-31T23:59:58.120Z"),
};

test.each([
  ["[[ScheduledTime]]", "20260301090507"],
  ["[[CurrentTime]]", "20261231235958"],
  ["a [[Index]] b [[RunUUID]]/[[Index]]", "a 7 b the-id/7"],
  ["[[ScheduledTime.15-04-05]]", "09-05-07"],
  ["[[ScheduledTime.2006-01-02T15:04:05Z07:00]]", "2026-03-01T09:05:07Z"],
  ["[[ScheduledTime.Mon Jan _2 3:04PM 2006]]", "Sun Mar  1 9:05AM 2026"],
  ["[[ScheduledTime.Monday, 2 January 06 at 3pm]]", "Sunday, 1 March 26 at 9am"],
  ["[[ScheduledTime.1/2 5s 4m 002 __2]]", "3/1 7s 5m 060  60"],
  ["[[CurrentTime.15:04:05.000 MST -0700 -07:00]]", "23:59:58.120 UTC +0000 +00:00"],
  ["[[CurrentTime.05.999999 03 pm]]", "58.12 11 pm"],
  ["[[ScheduledTime.05.99]]", "07"],
  ["[[Nothing]] [[ScheduledTim]] [[]]", "[[Nothing]] [[ScheduledTim]] [[]]"],
])("%s becomes %s", (text, expected) => {
  expect(expandMacros(text, values)).toBe(expected);
});

test("all texts of the parameters are looked at, and nothing else", () => {
  const parameters = { text: "r[[Index]]", list: ["[[Index]]", 1, { deep: "[[RunUUID]]" }], number: 3, none: null };
  expect(expandParameters(parameters, values)).toEqual({ text: "r7", list: ["7", 1, { deep: "the-id" }], number: 3, none: null });
  expect([hasMacros("x[[Index]]"), hasMacros("x[[Index]")]).toEqual([true, false]);
});
