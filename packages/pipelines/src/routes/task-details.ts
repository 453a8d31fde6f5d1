import type { JsonObject } from "../domain/ir.ts";
import type { TaskRecord, TaskState, TaskValues } from "../engine/types.ts";
import { compact, timestamp } from "./wire.ts";

/** KFP's PipelineTaskDetails, by which clients older than its task API look at a run. */
export function taskDetailsJson(tasks: readonly TaskRecord[]): JsonObject[] {
  const children = Map.groupBy(tasks, ({ parentId }) => parentId);
  return tasks.map((task) => taskDetailJson(task, children.get(task.id) ?? []));
}

/** KFP's RuntimeState, which knows no cached tasks. */
function runtimeState(state: TaskState): string {
  return state === "CACHED" ? "SKIPPED" : state;
}

function taskDetailJson(task: TaskRecord, children: readonly TaskRecord[]): JsonObject {
  const ids = (values: TaskValues): JsonObject =>
    Object.fromEntries(Object.entries(values.artifacts).map(([name, list]) => [name, { artifact_ids: list.map(({ id }) => id) }]));
  return compact({
    ...{ run_id: task.runId, task_id: task.id, display_name: task.displayName, parent_task_id: task.parentId, pod_name: task.podName },
    ...{ create_time: timestamp(task.createdAt), start_time: timestamp(task.startedAt), end_time: timestamp(task.endedAt) },
    ...{ state: runtimeState(task.state), inputs: ids(task.inputs), outputs: ids(task.outputs) },
    error: task.state === "FAILED" ? { code: 2, message: task.message ?? "the task failed" } : undefined,
    child_tasks: children.map(({ id }) => ({ task_id: id })),
  });
}
