import type { Sha256 } from "../domain/fingerprint.ts";
import { importerOf, isExitHandler, isLoop, type PlannedTask } from "./plan.ts";
import type { RunState } from "./run-state.ts";
import { childTaskId } from "./task-id.ts";
import { hasSucceeded, NO_VALUES, type TaskKind, type TaskRecord } from "./types.ts";

/** What a new record is made with. */
interface Making {
  readonly sha256: Sha256;
  readonly time: number;
}

/** The record of a task of a graph whose turn has come; one that had its turn before goes on counting its attempts. */
export function taskRecord(run: RunState, parent: TaskRecord, task: PlannedTask, { sha256, time }: Making): TaskRecord {
  const id = childTaskId(sha256, parent.id, task.name);
  const earlier = run.tasks.get(id);
  return {
    id,
    runId: run.info.id,
    parentId: parent.id,
    name: task.name,
    displayName: task.spec.taskInfo?.name ?? task.name,
    path: `${parent.path}.${task.name}`,
    kind: kindOf(run, task),
    component: task.spec.componentRef.name,
    state: "PENDING",
    attempt: earlier?.attempt ?? 0,
    retries: 0,
    inputs: NO_VALUES,
    outputs: NO_VALUES,
    createdAt: earlier?.createdAt ?? time,
  };
}

/** The record of one iteration of a loop. */
export function iterationRecord(run: RunState, loop: TaskRecord, task: PlannedTask, options: Making & { readonly index: number }): TaskRecord {
  const { sha256, time, index } = options;
  const id = childTaskId(sha256, loop.id, String(index));
  const earlier = run.tasks.get(id);
  return {
    id,
    runId: loop.runId,
    parentId: loop.id,
    name: task.name,
    displayName: loop.displayName,
    path: `${loop.path}.${index}`,
    kind: task.component.dag === undefined ? leafKindOf(run, task) : "DAG",
    component: loop.component,
    iteration: index,
    state: "PENDING",
    attempt: earlier?.attempt ?? 0,
    retries: 0,
    inputs: NO_VALUES,
    outputs: NO_VALUES,
    createdAt: earlier?.createdAt ?? time,
  };
}

function kindOf(run: RunState, task: PlannedTask): TaskKind {
  if (isLoop(task.spec)) return "LOOP";
  if (task.component.dag === undefined) return leafKindOf(run, task);
  if ((task.spec.triggerPolicy?.condition ?? "") !== "") return "CONDITION";
  if (/^comp-condition-branches(-|$)/.test(task.spec.componentRef.name)) return "CONDITION_BRANCH";
  return isExitHandler(task.spec.componentRef.name) ? "EXIT_HANDLER" : "DAG";
}

function leafKindOf(run: RunState, { component }: PlannedTask): TaskKind {
  return importerOf(run.info.spec, component) === undefined ? "RUNTIME" : "IMPORTER";
}

/** The task without whose success one that needs all tasks before it cannot start; undefined if it can. */
export function obstacleTo(run: RunState, parent: TaskRecord, task: PlannedTask): TaskRecord | undefined {
  const before = task.dependencies.map((name) => run.child(parent.id, name));
  return before.find((one) => one !== undefined && !hasSucceeded(one.state));
}
