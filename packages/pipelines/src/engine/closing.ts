import { graphOutputs, loopOutputs } from "./outputs.ts";
import { componentOf } from "./plan.ts";
import type { RunState } from "./run-state.ts";
import { hasEnded, type TaskRecord, type TaskState, type TaskValues } from "./types.ts";

const LISTED = 3;

/** How a graph or a loop ends. */
export interface Closing {
  readonly state: TaskState;
  readonly outputs: TaskValues;
  readonly message?: string;
}

/** How a graph or a loop in which nothing runs any more has ended, by how all in it did. */
export function closingOf(run: RunState, record: TaskRecord): Closing {
  const component = componentOf(run.info.spec, record.component);
  const isLoop = record.kind === "LOOP";
  const plan = run.plan(record.component);
  const total = isLoop ? (record.iterationCount ?? 0) : plan.size;
  const keys = isLoop ? Array.from({ length: total }, (_, index) => String(index)) : plan.keys();
  const failed: string[] = [];
  let reason: string | undefined;
  let ended = 0;
  let isCanceled = false;
  for (const key of keys) {
    const child = run.child(record.id, key);
    if (child === undefined || !hasEnded(child.state)) continue;
    ended++;
    if (child.state === "FAILED") {
      failed.push(isLoop ? `iteration ${key}` : `task ${JSON.stringify(child.name)}`);
      reason ??= child.message;
    }
    if (child.state === "CANCELED") isCanceled = true;
  }
  const outputs = isLoop ? loopOutputs(run, record, component) : graphOutputs(run, record, component);
  if (failed.length > 0) {
    const listed = failed.slice(0, LISTED).join(", ") + (failed.length > LISTED ? ` and ${failed.length - LISTED} more` : "");
    return { state: "FAILED", outputs, message: `${listed} failed${reason === undefined ? "" : `: ${reason}`}` };
  }
  if (isCanceled || ended < total) return { state: "CANCELED", outputs, message: "the run was stopped" };
  return { state: "SUCCEEDED", outputs };
}
