import { hasEnded, type TaskRecord } from "../engine/types.ts";
import type { RunListRow } from "../store/tables.ts";
import type { Call } from "./api.ts";
import { found, type RouteOptions } from "./context.ts";
import { loadRunOutline } from "./runs.ts";

/** The run and the task that a path names: `{node_id}` is a task's id, or its pod's name. */
export async function loadTask(
  options: RouteOptions,
  { context, param }: Call,
  verb: string,
): Promise<{ readonly run: RunListRow; readonly task: TaskRecord }> {
  const { tasks } = options.store;
  const run = await loadRunOutline(options, context, param("run_id"), verb);
  const node = param("node_id");
  return { run, task: found((await tasks.find(run.id, node)) ?? (await tasks.findByPod(run.id, node)), "task", node) };
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
