import { expect, test } from "vitest";
import type { Run, RunTask } from "@sluice/sdk";
import { mergeRun, runDataOf } from "./run-data.ts";

const run = (state: Run["state"]): Run => ({ run_id: "r", display_name: "r", ...(state === undefined ? {} : { state }), pipeline_spec: { a: 1 } });
const task = (id: string, state: RunTask["state"]): RunTask => ({ task_id: id, run_id: "r", name: id, type: "RUNTIME", state });

test("events change what they name and keep the rest as it is", () => {
  const before = runDataOf({ ...run("RUNNING"), tasks: [task("a", "SUCCEEDED"), task("b", "RUNNING")] });
  const after = mergeRun(before, [
    { run: run("RUNNING"), changed: [task("b", "SUCCEEDED")], isWhole: false },
    { run: run("SUCCEEDED"), changed: [task("c", "CACHED")], isWhole: false },
  ]);
  expect(after?.run.state).toBe("SUCCEEDED");
  expect([...(after?.tasks.values() ?? [])].map(({ task_id, state }) => [task_id, state])).toEqual([
    ["a", "SUCCEEDED"],
    ["b", "SUCCEEDED"],
    ["c", "CACHED"],
  ]);
  expect(after?.tasks.get("a")).toBe(before.tasks.get("a"));
  expect(after?.run.pipeline_spec).toBe(before.run.pipeline_spec);
  expect(before.tasks.size).toBe(2);
});

test("a new connection replaces everything, but not the objects that say the same", () => {
  const before = runDataOf({ ...run("RUNNING"), tasks: [task("a", "SUCCEEDED"), task("gone", "RUNNING")] });
  const after = mergeRun(before, [{ run: run("RUNNING"), changed: [task("a", "SUCCEEDED"), task("b", "PENDING")], isWhole: true }]);
  expect([...(after?.tasks.keys() ?? [])]).toEqual(["a", "b"]);
  expect(after?.tasks.get("a")).toBe(before.tasks.get("a"));
});

test("without events nothing changes", () => {
  const before = runDataOf(run("RUNNING"));
  expect(mergeRun(before, [])).toBe(before);
  expect(mergeRun(undefined, [{ run: run("PENDING"), changed: [], isWhole: true }])?.run.state).toBe("PENDING");
});
