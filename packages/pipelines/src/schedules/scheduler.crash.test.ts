import { FakeClock } from "@sluice/controller/fake-clock";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { CHAIN } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";

const START = Date.parse("2026-03-01T10:00:00Z");
const STEP = fc.record({
  seconds: fc.nat(4),
  /** How long the world goes on before the next step. */
  turns: fc.nat(15),
  dies: fc.boolean(),
});

test("whenever the process dies, each slot has one run", { timeout: 120_000 }, async () => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { minLength: 3, maxLength: 12 }), async (steps) => {
      await using world = new World();
      const clock = new FakeClock();
      clock.jump(START);
      world.clock = clock;
      world.work = () => ({ parameters: { Output: 1 } });
      await world.boot();
      const body = { display_name: "s", pipeline_spec: CHAIN, runtime_config: { parameters: { n: 1 } }, max_concurrency: "2", mode: "ENABLE" };
      const created = await world.request("POST", "/recurringruns", { ...body, trigger: { periodic_schedule: { interval_second: "1" } } });
      const { recurring_run_id: id } = created.body as { recurring_run_id: string };
      let passed = 0;
      for (const { seconds, turns, dies } of steps) {
        passed += seconds;
        await clock.advance(seconds * 1000);
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        if (dies) await world.boot();
      }
      const expected = Array.from({ length: passed }, (_, index) => START + (index + 1) * 1000);
      await vi.waitFor(
        async () => {
          const query = { predicates: [], sortColumn: "scheduled_at", isDescending: false, pageSize: 200 };
          const { rows } = await world.store.runs.list(query);
          expect(rows.map((row) => row.scheduled_at)).toEqual(expected);
          expect(rows.map((row) => row.name)).toEqual(expected.map((_, index) => `s-${index + 1}`));
          expect(await world.store.recurringRuns.find(id)).toMatchObject({ last_index: passed, error: "" });
          expect(rows.every(({ state }) => state === "SUCCEEDED")).toBe(true);
        },
        { timeout: 30_000, interval: 20 },
      );
      expect(new Set(world.created).size).toBe(world.created.length);
    }),
    { numRuns: 10, endOnFailure: true, interruptAfterTimeLimit: 40_000 },
  );
  vi.restoreAllMocks();
});
