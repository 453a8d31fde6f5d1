import { loopItems } from "./inputs.ts";
import { hasTurns, RunState } from "./run-state.ts";
import { isStopped } from "./stop-run.ts";
import type { RunInfo, RunProgress, TaskRecord } from "./types.ts";

/** A run that has not started. */
export function newRun(info: RunInfo): RunState {
  return new RunState(info, { phase: "PENDING" });
}

/** A run as its stored records have it, in any order. */
export function restoreRun(info: RunInfo, progress: RunProgress, records: Iterable<TaskRecord>): RunState {
  const run = new RunState(info, progress);
  for (const record of records) run.put(record);
  for (const record of run.tasks.values()) {
    if (record.step !== "children") continue;
    if (record.kind !== "LOOP") {
      run.openGraph(record);
      continue;
    }
    const spec = record.parentId === undefined ? undefined : run.plan(run.get(record.parentId).component).get(record.name)?.spec;
    if (spec === undefined) continue;
    const loop = run.openLoop(record, loopItems(spec, record.inputs), spec.iteratorPolicy?.parallelismLimit ?? 0);
    if (hasTurns(loop) && !isStopped(run, record)) run.behind.add(record.id);
  }
  run.isProceeding = run.behind.size > 0;
  return run;
}
