import { hasEnded, type TaskRecord } from "../engine/types.ts";
import type { RunRow } from "../store/tables.ts";
import { found, type RouteContext, type RouteOptions } from "./context.ts";
import { loadRun } from "./runs.ts";

/** The run and the task that a path names: `node` is a task's id, or its pod's name. */
export async function loadTask(
  options: RouteOptions,
  context: RouteContext,
  verb: string,
): Promise<{ readonly run: RunRow; readonly task: TaskRecord }> {
  const run = await loadRun(options, context, context.req.param("id") ?? "", verb);
  const node = context.req.param("node") ?? "";
  const task = (await options.store.tasks.find(run.id, node)) ?? (await options.store.tasks.ofRun(run.id)).find(({ podName }) => podName === node);
  return { run, task: found(task, "task", node) };
}

/** The task once it runs or has ended, or as it last was when `signal` aborts first. */
export async function begunTask({ store, runner }: RouteOptions, task: TaskRecord, signal: AbortSignal): Promise<TaskRecord> {
  const hasBegun = ({ state }: TaskRecord): boolean => state === "RUNNING" || hasEnded(state);
  const { promise, resolve } = Promise.withResolvers<TaskRecord | undefined>();
  const unsubscribe = runner.subscribe(task.runId, ({ tasks, isOver }) => {
    const changed = tasks.find(({ id }) => id === task.id);
    if (changed !== undefined && hasBegun(changed)) resolve(changed);
    else if (isOver) resolve(changed);
  });
  const stop = (): void => resolve(undefined);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const now = (await store.tasks.find(task.runId, task.id)) ?? task;
    if (hasBegun(now) || signal.aborted) return now;
    return (await promise) ?? now;
  } finally {
    signal.removeEventListener("abort", stop);
    unsubscribe();
  }
}
