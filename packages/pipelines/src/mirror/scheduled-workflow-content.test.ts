import { canonicalJson } from "@sluice/kubernetes";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ScheduledWorkflow } from "../kinds/scheduled-workflow.ts";
import { CHAIN } from "../specs.fixture.ts";
import type { RecurringRunRow } from "../store/tables.ts";
import { columnsOfObject, contentOfObject, contentOfRow, objectSpecOf, withContentOf } from "./scheduled-workflow-content.ts";

const object = (spec: ScheduledWorkflow["spec"]): ScheduledWorkflow => ({
  ...{ apiVersion: "kubeflow.org/v1beta1", kind: "ScheduledWorkflow", metadata: { name: "s", namespace: "n" }, spec },
});

const second = fc.integer({ min: 1, max: 4_000_000_000 }).map((seconds) => seconds * 1000);
const bounds = fc.record({ start: second, end: second }, { requiredKeys: [] });
const trigger = fc.oneof(
  fc.constant({}),
  fc.tuple(bounds, fc.constantFrom("@daily", "0 0 9 * * *")).map(([ends, cron]) => ({ ...ends, cron })),
  fc.tuple(bounds, fc.integer({ min: 1, max: 1e6 })).map(([ends, every]) => ({ ...ends, every })),
);
const source = fc.constantFrom(
  { pipeline_id: "p", version_id: "", spec: "" },
  { pipeline_id: "p", version_id: "v", spec: "" },
  { pipeline_id: "", version_id: "", spec: JSON.stringify(CHAIN) },
);
const row: fc.Arbitrary<RecurringRunRow> = fc
  .record({
    trigger: trigger.map((value) => JSON.stringify(value)),
    parameters: fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value)),
    ...{ pipeline_root: fc.constantFrom("", "minio://b/x"), service_account: fc.constantFrom("", "robot"), source },
    ...{ status: fc.constantFrom("ENABLED" as const, "DISABLED" as const), no_catchup: fc.constantFrom(0, 1) },
    ...{ max_concurrency: fc.integer({ min: 1, max: 10 }), max_history: fc.integer({ min: 0, max: 100 }) },
    plugins_input: fc.constantFrom("{}", '{"mlflow":{"a":1}}'),
  })
  .map(({ source: from, ...columns }) => ({
    ...{
      id: "r",
      namespace: "n",
      experiment_id: "e",
      name: "s",
      description: "",
      error: "",
      created_at: 1,
      updated_at: 1,
      last_slot_at: 0,
      last_index: 0,
    },
    ...columns,
    ...from,
  }));

test("an object that is made of a recurring run says the same, and gives the same columns back", () => {
  fc.assert(
    fc.property(row, (one) => {
      const made = object(objectSpecOf(one));
      expect(canonicalJson(contentOfObject(made, one))).toBe(canonicalJson(contentOfRow(one)));
      expect(canonicalJson(contentOfRow({ ...one, ...columnsOfObject(made, one) }))).toBe(canonicalJson(contentOfRow(one)));
      expect(JSON.stringify(made).length).toBeLessThan(one.parameters.length * 3 + 1000);
    }),
  );
});

test("an object that follows its recurring run says the same afterwards", () => {
  fc.assert(
    fc.property(row, row, (before, after) => {
      const kept = { ...after, pipeline_id: before.pipeline_id, version_id: before.version_id, spec: before.spec };
      expect(canonicalJson(contentOfObject(withContentOf(object(objectSpecOf(before)), kept), kept))).toBe(canonicalJson(contentOfRow(kept)));
    }),
  );
});

describe("what an object runs", () => {
  const text = JSON.stringify(CHAIN);
  const columns = (spec: ScheduledWorkflow["spec"]): Partial<RecurringRunRow> => columnsOfObject(object(spec), undefined);

  test("is a stored pipeline before one of its own", () => {
    expect(columns({ pipelineId: "p", workflow: { spec: CHAIN } })).toMatchObject({ pipeline_id: "p", version_id: "", spec: "" });
    expect(JSON.parse(columns({ workflow: { spec: CHAIN } }).spec ?? "")).toEqual(CHAIN);
    expect(JSON.parse(columns({ workflow: { spec: text } }).spec ?? "")).toEqual(CHAIN);
  });

  test("must be a pipeline", () => {
    expect(() => columns({ workflow: { spec: { entrypoint: "argo" } } })).toThrow(
      'spec.workflow.spec is no pipeline: pipeline spec: unknown field "entrypoint"',
    );
  });
});

test("numbers out of range are brought into it, and values of parameters are JSON or text", () => {
  const workflow = { parameters: [{ name: "a", value: '{"x":1}' }, { name: "b", value: "plain" }, { name: "c" }] };
  expect(contentOfObject(object({ maxConcurrency: 50, maxHistory: -1, workflow }), undefined)).toMatchObject({
    ...{ maxConcurrency: 10, maxHistory: 0, enabled: false, parameters: { a: { x: 1 }, b: "plain", c: "" } },
  });
});
