import type { Edit } from "./edit.ts";
import { type PlannedTask, runsAnyway } from "./plan.ts";
import type { RunState } from "./run-state.ts";
import { hasSucceeded, NO_VALUES, type TaskRecord } from "./types.ts";

/** The pipeline that a run has had until now, and what another one changes of it. */
export interface EditedRun {
  readonly edit: Edit;
  plannedBefore(component: string, task: string): PlannedTask | undefined;
}

/**
 * The records of an ended run that must run again, reset to await their turn: all that did not succeed, the tasks that
 * ran anyway after one of those, what the pipeline that the run has now has changed, and whatever follows such a task.
 */
export function resetUnfinished(run: RunState, edited?: EditedRun): readonly TaskRecord[] {
  const reset: TaskRecord[] = [];
  const visit = (task: TaskRecord, component: string, isForced: boolean): void => {
    const isTouched = edited?.edit.isTouched(task.component, component) === true;
    if (!isForced && hasSucceeded(task.state) && !isTouched) {
      if (task.component !== component) reset.push({ ...task, component });
      return;
    }
    const { step: _step, message: _message, podName: _pod, fingerprint: _key, cachedFrom: _from, ...rest } = task;
    const { startedAt: _started, endedAt: _ended, retryAt: _retryAt, keyParts: _parts, why: _why, ...kept } = rest;
    const attempt = task.podName === undefined ? task.attempt : task.attempt + 1;
    reset.push({ ...kept, component, state: "PENDING", step: "turn", attempt, retries: 0, outputs: NO_VALUES });
    if (task.kind === "LOOP") {
      for (const iteration of run.children(task.id)) visit(iteration, component, isForced);
      return;
    }
    const forced = new Set<string>();
    for (const planned of run.plan(component).values()) {
      const child = run.child(task.id, planned.name);
      if (child === undefined) continue;
      const before = edited?.plannedBefore(task.component, planned.name);
      const isChanged = before !== undefined && edited?.edit.isChanged(before, planned, component === "") === true;
      const isAfterForced = planned.dependencies.some((name) => forced.has(name));
      const isAfterUnfinished =
        runsAnyway(planned.spec) && planned.dependencies.some((name) => !hasSucceeded(run.child(task.id, name)?.state ?? "SKIPPED"));
      const isChildForced = isForced || isChanged || isAfterForced || isAfterUnfinished;
      const inner = planned.spec.componentRef.name;
      if (isChildForced || edited?.edit.isTouched(child.component, inner) === true) forced.add(planned.name);
      visit(child, inner, isChildForced);
    }
  };
  if (run.root !== undefined) visit(run.get(run.root), "", false);
  return reset;
}
