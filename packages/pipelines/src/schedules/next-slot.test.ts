import fc from "fast-check";
import { expect, test } from "vitest";
import { nextSlot, type Schedule } from "./next-slot.ts";
import type { Trigger } from "./trigger.ts";

const CREATED = Date.parse("2026-03-01T10:00:00.400Z");
const second = (seconds: number): number => Date.parse("2026-03-01T10:00:00Z") + seconds * 1000;
const schedule = (trigger: Trigger, change: Partial<Schedule> = {}): Schedule => ({
  ...{ trigger, catchesUp: true, createdAt: CREATED, lastSlot: undefined },
  ...change,
});
const slotAt = (trigger: Trigger, now: number, change: Partial<Schedule> = {}): number | undefined => nextSlot(schedule(trigger, change), now, "UTC");

test("without a trigger there is one slot, at once", () => {
  expect(slotAt({}, second(50))).toBe(second(0));
  expect(slotAt({}, second(50), { lastSlot: second(0) })).toBeUndefined();
});

test("an interval begins with the creation or the start", () => {
  expect(slotAt({ every: 60 }, second(0))).toBe(second(60));
  expect(slotAt({ every: 60, start: second(100) }, second(0))).toBe(second(160));
  expect(slotAt({ every: 60, start: second(-90) }, second(0))).toBe(second(-30));
});

test("slots end with the end, which is one of them", () => {
  expect(slotAt({ every: 60, end: second(120) }, second(0), { lastSlot: second(60) })).toBe(second(120));
  expect(slotAt({ every: 60, end: second(120) }, second(0), { lastSlot: second(120) })).toBeUndefined();
  expect(slotAt({ cron: "@hourly", end: second(120) }, second(0))).toBeUndefined();
});

test("what was missed is dealt with one by one, or only the latest of it", () => {
  const lastSlot = second(60);
  expect(slotAt({ every: 60 }, second(400), { lastSlot })).toBe(second(120));
  expect(slotAt({ every: 60 }, second(400), { lastSlot, catchesUp: false })).toBe(second(360));
  expect(slotAt({ cron: "0 * * * * *" }, second(400), { lastSlot, catchesUp: false })).toBe(second(360));
  expect(slotAt({ every: 60, end: second(200) }, second(400), { lastSlot, catchesUp: false })).toBe(second(180));
});

test("going from slot to slot visits all of them, each once, in order; without catching up, the latest at every look", () => {
  const triggers = fc.oneof(
    fc.record({ every: fc.integer({ min: 1, max: 90 }) }),
    fc.record({ cron: fc.constantFrom("*/7 * * * * *", "5,20,40 * * * * *", "0 * * * *", "@every 13s", "30 0/2 * * * *") }),
  );
  const bounds = fc.record({ start: fc.integer({ min: -300, max: 300 }), end: fc.integer({ min: 0, max: 600 }) }, { requiredKeys: [] });
  const looks = fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 12 });
  fc.assert(
    fc.property(triggers, bounds, looks, fc.boolean(), (kind, { start, end }, steps, catchesUp) => {
      const trigger: Trigger = {
        ...kind,
        ...(start === undefined ? {} : { start: second(start) }),
        ...(end === undefined ? {} : { end: second(end) }),
      };
      const last = steps.reduce((sum, step) => sum + step, 0);
      const all: number[] = [];
      for (let slot = slotAt(trigger, 0); slot !== undefined && slot <= second(last); slot = slotAt(trigger, 0, { lastSlot: slot })) all.push(slot);
      const fired: number[] = [];
      let now = second(0);
      let expected: number[] = [];
      for (const step of [0, ...steps]) {
        const before = fired.at(-1) ?? -Infinity;
        now += step * 1000;
        for (;;) {
          const slot = slotAt(trigger, now, { lastSlot: fired.at(-1), catchesUp });
          if (slot === undefined || slot > now) break;
          fired.push(slot);
        }
        const due = all.filter((slot) => slot > before && slot <= now);
        expected = [...expected, ...(catchesUp ? due : due.slice(-1))];
      }
      expect(fired).toEqual(expected);
    }),
  );
});
