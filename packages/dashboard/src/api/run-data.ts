import type { Run, RunTask } from "@sluice/sdk";

/** A run and its tasks, by id, as far as they are known. */
export interface RunData {
  readonly run: Run;
  readonly tasks: ReadonlyMap<string, RunTask>;
}

/** What one event of a run's stream brings; the first of a connection brings everything. */
export interface RunEvent {
  readonly run: Run;
  readonly changed: readonly RunTask[];
  readonly isWhole: boolean;
}

/** The run with its tasks out of it. */
export function runDataOf(run: Run): RunData {
  const { tasks = [], ...rest } = run;
  return { run: rest, tasks: new Map(tasks.map((task) => [task.task_id, task])) };
}

/** The run after some events. What did not change stays the same object, so that nothing is drawn again for it. */
export function mergeRun(data: RunData | undefined, events: readonly RunEvent[]): RunData | undefined {
  const last = events.at(-1);
  if (last === undefined) return data;
  const tasks = new Map(data?.tasks);
  for (const { changed, isWhole } of events) {
    const known = isWhole ? new Map(tasks) : tasks;
    if (isWhole) tasks.clear();
    for (const task of changed) {
      const before = known.get(task.task_id);
      tasks.set(task.task_id, isWhole && before !== undefined && isSame(before, task) ? before : task);
    }
  }
  const spec = data?.run.pipeline_spec ?? last.run.pipeline_spec;
  return { run: { ...last.run, ...(spec === undefined ? {} : { pipeline_spec: spec }) }, tasks };
}

function isSame(one: RunTask, other: RunTask): boolean {
  return one.state === other.state && one.attempt === other.attempt && JSON.stringify(one) === JSON.stringify(other);
}
