import type { JobSpec } from "@sluice/kubernetes";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { JobWorld, type JobAction } from "./job-world.fixture.ts";

const SECOND = 1000;

const action: fc.Arbitrary<JobAction> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("reconcile" as const), writes: fc.oneof({ weight: 3, arbitrary: fc.constant(10_000) }, fc.nat(5)) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("end" as const), nth: fc.nat(9), fails: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), nth: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("suspend" as const), value: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("parallelism" as const), value: fc.integer({ min: 0, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 100 * SECOND }) }) },
);
const spec: fc.Arbitrary<Partial<JobSpec>> = fc
  .record(
    {
      parallelism: fc.integer({ min: 0, max: 5 }),
      completions: fc.integer({ min: 0, max: 8 }),
      backoffLimit: fc.integer({ min: 0, max: 6 }),
      completionMode: fc.constantFrom("Indexed" as const, "NonIndexed" as const),
      podReplacementPolicy: fc.constantFrom("Failed" as const, "TerminatingOrFailed" as const),
      activeDeadlineSeconds: fc.integer({ min: 1, max: 500 }),
      backoffLimitPerIndex: fc.integer({ min: 0, max: 2 }),
    },
    { requiredKeys: ["parallelism", "backoffLimit", "completionMode", "podReplacementPolicy"] },
  )
  .map(({ backoffLimitPerIndex, ...rest }) => {
    if (rest.completionMode !== "Indexed") return rest;
    return { ...rest, completions: rest.completions ?? 3, ...(backoffLimitPerIndex === undefined ? {} : { backoffLimitPerIndex }) };
  });

test("whatever happens and wherever it crashes: never too many pods, each counted once, and it ends", () => {
  fc.assert(
    fc.property(spec, fc.array(action, { maxLength: 60 }), (jobSpec, actions) => {
      const world = new JobWorld(jobSpec);
      for (const one of actions) world.perform(one);
      expect(world.finish()).toBe(true);
      expect(world.violations).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});
