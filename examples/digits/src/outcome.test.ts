import type { RunTask } from "@sluice/sdk";
import { expect, test } from "vitest";
import { outcomeOf } from "./outcome.ts";

const step = (name: string, state: RunTask["state"], outputs: RunTask["outputs"] = {}): RunTask => ({
  task_id: name,
  run_id: "r",
  name,
  type: "RUNTIME",
  state,
  outputs,
});

test("the outcome is read from the steps' outputs", () => {
  const tasks = [
    step("choose-best", "CACHED", { parameters: [{ parameter_key: "name", value: "128 units" }] }),
    step("test-model", "SUCCEEDED", { parameters: [{ parameter_key: "accuracy", value: 0.97 }] }),
    step("write-report", "SUCCEEDED", { artifacts: [{ artifact_key: "page", artifacts: [{ artifact_id: "a1" }] }] }),
    step("explain-refusal", "SKIPPED"),
    { ...step("root", "SUCCEEDED"), type: "ROOT" as const },
  ];
  expect(outcomeOf({ run_id: "r", display_name: "digits", state: "SUCCEEDED", tasks })).toEqual({
    ...{ steps: 3, cached: 1, failed: [], page: "a1", best: "128 units", testAccuracy: 0.97, refusal: undefined },
  });
});
