import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCron } from "./cron.ts";

const at = (text: string): number => Date.parse(text);
const times = (cron: string, from: string, count: number, zone = "UTC"): string[] => {
  const recurrence = parseCron(cron, zone);
  const found: string[] = [];
  for (let time = recurrence.next(at(from)); time !== undefined && found.length < count; time = recurrence.next(time)) {
    found.push(new Date(time).toISOString().replace(".000Z", "Z"));
  }
  return found;
};

test.each([
  ["0 30 9 * * *", "2026-03-01T09:30:00Z", "2026-03-02T09:30:00Z"],
  ["30 9 * * *", "2026-03-01T09:29:59Z", "2026-03-01T09:30:00Z"],
  ["*/10 * * * * *", "2026-03-01T00:00:05Z", "2026-03-01T00:00:10Z"],
  ["5/20 * * * * *", "2026-03-01T00:00:26Z", "2026-03-01T00:00:45Z"],
  ["0 0 0 ? * 2-6", "2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z"],
  ["0 0 12 * jan-MAR mon,FRI", "2026-03-30T12:00:00Z", "2027-01-01T12:00:00Z"],
  ["0 0 0 13 * FRI", "2026-03-01T00:00:00Z", "2026-03-06T00:00:00Z"],
  ["0 0 0 */2 * MON", "2026-03-01T00:00:00Z", "2026-03-09T00:00:00Z"],
  ["0 0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"],
  ["@hourly", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"],
  ["@midnight", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"],
  ["@weekly", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z"],
  ["@yearly", "2026-03-02T00:00:00Z", "2027-01-01T00:00:00Z"],
  ["@every 1h30m", "2026-03-01T00:00:07Z", "2026-03-01T01:30:07Z"],
  ["@every 10ms", "2026-03-01T00:00:07Z", "2026-03-01T00:00:08Z"],
  ["@every 2.5s", "2026-03-01T00:00:00Z", "2026-03-01T00:00:02Z"],
  ["CRON_TZ=Asia/Tokyo 0 0 9 * * *", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"],
  ["TZ=America/New_York 0 9 * * *", "2026-03-01T00:00:00Z", "2026-03-01T14:00:00Z"],
])("%s after %s is %s", (cron, from, expected) => {
  expect(times(cron, from, 1)).toEqual([expected]);
});

describe("daylight saving time", () => {
  const zone = "Europe/Berlin";

  test("a time of day that is left out comes right after the gap, and one that comes twice counts once", () => {
    expect(times("0 30 2 * * *", "2026-03-28T12:00:00Z", 2, zone)).toEqual(["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    expect(times("0 30 2 * * *", "2026-10-24T12:00:00Z", 2, zone)).toEqual(["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
  });

  test("what happens every so often goes on doing so", () => {
    const expected = ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"];
    expect(times("0 */30 * * * *", "2026-10-24T23:59:00Z", 4, zone)).toEqual(expected);
    expect(times("0 0 * * * *", "2026-03-29T00:30:00Z", 2, zone)).toEqual(["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"]);
  });

  test("a day at nine stays at nine", () => {
    expect(times("0 0 9 * * *", "2026-03-27T12:00:00Z", 3, zone)).toEqual(["2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z", "2026-03-30T07:00:00Z"]);
  });
});

test.each([
  ["", "is not a cron expression"],
  ["1 2 3", "exactly five"],
  ["1 2 3 4 5 6 7", "is not a cron expression"],
  ["0 61 * * * *", "61"],
  ["0 0 0 * FOO *", "is not a cron expression"],
  ["*/0 * * * * *", "is not a cron expression"],
  ["@reboot", "is not a cron expression"],
  ["@every soon", "is not a duration"],
  ["CRON_TZ=Mars/Olympus * * * * *", "is not a time zone"],
])("%j is refused: %s", (cron, message) => {
  expect(() => parseCron(cron, "UTC")).toThrow(message);
});

/** A field, and the values that it stands for. */
interface Field {
  readonly text: string;
  readonly values: ReadonlySet<number>;
}
const field = (from: number, to: number): fc.Arbitrary<Field> => {
  const all = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  const stepped = (first: number, last: number, step: number): Set<number> =>
    new Set(all.filter((value) => value >= first && value <= last && (value - first) % step === 0));
  const number = fc.integer({ min: from, max: to });
  const step = fc.integer({ min: 1, max: to - from });
  const range = fc.tuple(number, number, step).map(([a, b, every]) => [Math.min(a, b), Math.max(a, b), every] as const);
  return fc.oneof(
    fc.constant({ text: "*", values: new Set(all) }),
    fc.uniqueArray(number, { minLength: 1, maxLength: 3 }).map((list) => ({ text: list.join(","), values: new Set(list) })),
    range.map(([a, b, every]) => ({ text: `${a}-${b}/${every}`, values: stepped(a, b, every) })),
    fc.tuple(number, step).map(([a, every]) => ({ text: `${a}/${every}`, values: stepped(a, to, every) })),
    step.map((every) => ({ text: `*/${every}`, values: stepped(from, to, every) })),
  );
};
const MINUTE = 60_000;
const DAYS = 3;

/** The minutes in the days after `from` that a clock on the wall shows as wanted, found by looking at each. */
function slowly([minute, hour, dom, month, dow]: readonly Field[], from: number, zone: string): number[] {
  const parts = new Intl.DateTimeFormat("en-US", {
    ...{ timeZone: zone, hourCycle: "h23", minute: "numeric", hour: "numeric", day: "numeric", month: "numeric", weekday: "short" },
  });
  const found: number[] = [];
  for (let time = from + MINUTE; time <= from + DAYS * 24 * 60 * MINUTE; time += MINUTE) {
    const wall = new Map(parts.formatToParts(time).map(({ type, value }) => [type, value]));
    const has = (of: Field | undefined, value: unknown): boolean => of?.values.has(Number(value)) ?? false;
    if (!has(minute, wall.get("minute")) || !has(hour, wall.get("hour")) || !has(month, wall.get("month"))) continue;
    const isDay = has(dom, wall.get("day"));
    const isWeekday = has(dow, ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"].indexOf(wall.get("weekday") ?? ""));
    const isEither = !dom?.text.startsWith("*") && !dow?.text.startsWith("*");
    if (isEither ? isDay || isWeekday : isDay && isWeekday) found.push(time);
  }
  return found;
}

test("the times of an expression are those that a look at the clock each minute finds", { timeout: 60_000 }, () => {
  // A repeated minute or hour, so that a change of the clocks needs no rule of its own.
  const often = field(0, 59).filter(({ text }) => text.includes("*") || text.includes("/"));
  const fields = fc.tuple(often, field(0, 23), field(1, 31), field(1, 12), field(0, 6));
  const starts = fc.constantFrom(at("2026-03-27T22:10:00Z"), at("2026-10-24T12:00:00Z"), at("2028-02-27T23:59:00Z"), at("2026-12-30T23:00:00Z"));
  const zones = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe");
  fc.assert(
    fc.property(fields, starts, zones, fc.integer({ min: 0, max: DAYS * 24 * 60 }), (five, from, zone, minutes) => {
      const recurrence = parseCron(five.map(({ text }) => text).join(" "), zone);
      const expected = slowly(five, from, zone);
      const found: number[] = [];
      const end = from + DAYS * 24 * 60 * MINUTE;
      for (let time = recurrence.next(from); time !== undefined && time <= end; time = recurrence.next(time)) found.push(time);
      expect(found).toEqual(expected);
      const until = from + minutes * MINUTE;
      expect(recurrence.latest(from, until)).toBe(expected.findLast((time) => time <= until));
    }),
    { numRuns: 60, interruptAfterTimeLimit: 30_000 },
  );
});
