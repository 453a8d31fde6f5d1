import { runsAnyway } from "./plan.ts";
import type { RunState } from "./run-state.ts";
import { hasSucceeded, NO_VALUES, type TaskRecord } from "./types.ts";

/**
 * The records of an ended run that must run again, reset to await their turn: all that did not succeed, the tasks that
 * ran anyway after one of those, and whatever follows such a task.
 */
export function resetUnfinished(run: RunState): readonly TaskRecord[] {
  const reset: TaskRecord[] = [];
  const visit = (task: TaskRecord, isForced: boolean): void => {
    if (!isForced && hasSucceeded(task.state)) return;
    const { step: _step, message: _message, podName: _pod, fingerprint: _key, cachedFrom: _from, ...rest } = task;
    const { startedAt: _started, endedAt: _ended, retryAt: _retryAt, keyParts: _parts, why: _why, ...kept } = rest;
    const attempt = task.podName === undefined ? task.attempt : task.attempt + 1;
    reset.push({ ...kept, state: "PENDING", step: "turn", attempt, retries: 0, outputs: NO_VALUES });
    if (task.kind === "LOOP") {
      for (let index = 0; index < (task.iterationCount ?? 0); index++) {
        const iteration = run.child(task.id, String(index));
        if (iteration !== undefined) visit(iteration, isForced);
      }
      return;
    }
    const forced = new Set<string>();
    for (const planned of run.plan(task.component).values()) {
      const child = run.child(task.id, planned.name);
      if (child === undefined) continue;
      const isAfterForced = planned.dependencies.some((name) => forced.has(name));
      const isAfterUnfinished =
        runsAnyway(planned.spec) && planned.dependencies.some((name) => !hasSucceeded(run.child(task.id, name)?.state ?? "SKIPPED"));
      const isChildForced = isForced || isAfterForced || isAfterUnfinished;
      if (isChildForced) forced.add(planned.name);
      visit(child, isChildForced);
    }
  };
  if (run.root !== undefined) visit(run.get(run.root), false);
  return reset;
}
