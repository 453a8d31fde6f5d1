import type { Run, RunTask } from "@sluice/sdk";
import { expect, test } from "vitest";
import { renderRun, renderStep } from "./render-run.ts";
import { widthOf } from "./text.ts";

const now = Date.parse("2026-01-01T00:02:00Z");
const at = (second: number): string => new Date(Date.parse("2026-01-01T00:00:00Z") + second * 1000).toISOString();
const run = (state: Run["state"]): Run => ({
  run_id: "r1",
  display_name: "digits",
  created_at: at(0),
  ...(state === undefined ? {} : { state }),
  finished_at: state === "RUNNING" ? "1970-01-01T00:00:00Z" : at(95),
});
const root: RunTask = { task_id: "0", run_id: "r1", name: "root", type: "ROOT", state: "RUNNING", create_time: at(0) };
const task = (name: string, state: RunTask["state"], more: Partial<RunTask> = {}): RunTask => ({
  task_id: name,
  run_id: "r1",
  name,
  type: "RUNTIME",
  state,
  parent_task_id: "0",
  create_time: at(1),
  start_time: at(1),
  ...(state === "RUNNING" || state === "PENDING" ? {} : { end_time: at(5) }),
  ...more,
});

test("a run in flight, with the log of what runs", () => {
  const tasks = [
    root,
    task("load", "CACHED"),
    task("loop", "RUNNING", { type: "LOOP", create_time: at(2) }),
    task("train", "RUNNING", { parent_task_id: "loop", type_attributes: { iteration_index: "0" } }),
  ];
  expect(
    renderRun({ run: run("RUNNING"), tasks, log: { taskId: "train", lines: ["epoch 1\t\x1b[31mred\x1b[0m\x1b[2J"] } }, { width: 60, now }),
  ).toEqual([
    "● digits (r1)                           2m 00s",
    "  ↺ load                                cached",
    "  ● loop                                1m 59s",
    "    ● train 0                           1m 59s",
    "      │ epoch 1  red",
  ]);
});

test("iterations of one step are that step, branches have no frame, and all stay in order", () => {
  const within = (parent: string): Partial<RunTask> => ({ parent_task_id: parent });
  const tasks = [
    root,
    task("load", "SUCCEEDED"),
    task("candidates", "SUCCEEDED", { type: "LOOP", create_time: at(2) }),
    ...[1, 0].flatMap((index) => [
      task(`loop ${index}`, "SUCCEEDED", { ...within("candidates"), type: "DAG", type_attributes: { iteration_index: index } }),
      task(`train-${index}`, "SUCCEEDED", { ...within(`loop ${index}`), name: "train" }),
    ]),
    task("branches", "SUCCEEDED", { type: "CONDITION_BRANCH", create_time: at(3) }),
    task("good enough", "SUCCEEDED", { ...within("branches"), type: "CONDITION" }),
    task("publish", "CACHED", within("good enough")),
  ];
  const lines = renderRun({ run: run("SUCCEEDED"), tasks }, { width: 60, now }).slice(1);
  expect(lines.map((line) => line.slice(0, 20).trimEnd())).toEqual([
    "  ✓ load",
    "  ✓ candidates",
    "    ✓ train 0",
    "    ✓ train 1",
    "  ✓ good enough",
    "    ↺ publish",
  ]);
});

test("a step's change has a line of its own", () => {
  const failed = task("train", "FAILED", { status_metadata: { message: "exit code 1\nno such file" } });
  expect(renderStep(task("load", "RUNNING"), { name: "load", elapsed: "3s" })).toBe("3s       ● load");
  expect(renderStep(failed, { name: "train 0", elapsed: "1m 05s" }).split("\n")).toEqual([
    "1m 05s   ✗ train 0                             4s",
    "           exit code 1",
    "           no such file",
  ]);
});

test("a failure says why", () => {
  const tasks = [root, task("train", "FAILED", { status_metadata: { message: "exit code 1\nno such file" } })];
  expect(renderRun({ run: { ...run("FAILED"), error: { message: "train failed" } }, tasks }, { width: 60, now })).toEqual([
    "✗ digits (r1)                           1m 35s",
    "  ✗ train                               4s",
    "    exit code 1: no such file",
    "  train failed",
  ]);
});

test.each([1, 5, 12, 20, 33, 80])("no line is wider than %i columns", (width) => {
  const tasks = [root, task("模型訓練-a-long-name-indeed", "RUNNING"), task("b", "FAILED", { status_metadata: { message: "x".repeat(200) } })];
  for (const line of renderRun({ run: run("RUNNING"), tasks }, { width, now })) expect(widthOf(line)).toBeLessThanOrEqual(Math.max(width, 5));
});

test("finished tasks give way where there is no room", () => {
  const tasks = [root, ...Array.from({ length: 30 }, (_, index) => task(`t${index}`, "SUCCEEDED")), task("last", "RUNNING")];
  const lines = renderRun({ run: run("RUNNING"), tasks }, { width: 60, now, height: 10 });
  expect(lines).toHaveLength(10);
  expect(lines.join("\n")).toContain("more done");
  expect(lines.join("\n")).toContain("last");
});

test("colour only where it is asked for", () => {
  const view = { run: run("SUCCEEDED"), tasks: [root, task("a", "SUCCEEDED")] };
  expect(renderRun(view, { width: 60, now }).join("")).not.toContain("\x1b");
  expect(renderRun(view, { width: 60, now, color: true }).join("")).toContain("\x1b[32m");
});
