import type { RunTask } from "@sluice/sdk";
import type { ShownState } from "../app/states.ts";
import type { SpecComponent, TaskKind } from "./pipeline-spec.ts";

/** One place in a run: a task that has a record, or one that the pipeline says will come. */
export interface TaskPlace {
  /** Names joined by dots from the root, an iteration by its index; the same for as long as the run exists. */
  readonly path: string;
  readonly key: string;
  readonly label: string;
  readonly kind: TaskKind;
  readonly state: ShownState;
  /** Absent until it is reached. */
  readonly task?: RunTask;
  readonly component: SpecComponent;
  readonly condition?: string;
  /** Its index, if it is one iteration of a loop. */
  readonly iteration?: number;
  /** The paths of its siblings that come before it. */
  readonly after: readonly string[];
}

/** The records of a run, by where they are. */
export interface TaskIndex {
  readonly root: TaskPlace;
  /** What is in a place: its tasks, or its iterations; none for what contains nothing. */
  children(place: TaskPlace): readonly TaskPlace[];
  /** The place of that path, if the pipeline has one. */
  find(path: string): TaskPlace | undefined;
}

/** Indexes a run's tasks together with what its pipeline says is still to come. */
export function indexTasks(spec: SpecComponent, tasks: Iterable<RunTask>): TaskIndex {
  const byParent = new Map<string, Map<string, RunTask>>();
  let rootTask: RunTask | undefined;
  for (const task of tasks) {
    if (task.parent_task_id === undefined) {
      rootTask = task;
      continue;
    }
    const siblings = byParent.get(task.parent_task_id) ?? new Map<string, RunTask>();
    byParent.set(task.parent_task_id, siblings.set(iterationOf(task)?.toString() ?? task.name, task));
  }
  const root: TaskPlace = {
    ...{ path: "root", key: "root", label: rootTask?.display_name ?? "root", kind: "ROOT", component: spec, after: [] },
    ...(rootTask === undefined ? { state: "NONE" } : { task: rootTask, state: rootTask.state }),
  };
  const made = new Map<string, readonly TaskPlace[]>();

  const children = (place: TaskPlace): readonly TaskPlace[] => {
    const known = made.get(place.path);
    if (known !== undefined) return known;
    const records = byParent.get(place.task?.task_id ?? "");
    // Of a loop that has not been reached, only its body is known.
    const isOpenLoop = place.kind === "LOOP" && place.iteration === undefined && place.task !== undefined;
    const places = isOpenLoop ? iterations(place, records) : tasksIn(place, records);
    made.set(place.path, places);
    return places;
  };
  return {
    root,
    children,
    find(path) {
      const [first, ...rest] = path.split(".");
      let place: TaskPlace | undefined = first === "root" ? root : undefined;
      for (const key of rest) place = place === undefined ? undefined : children(place).find((child) => child.key === key);
      return place;
    },
  };
}

function tasksIn(place: TaskPlace, records: ReadonlyMap<string, RunTask> | undefined): readonly TaskPlace[] {
  return (place.component.tasks?.() ?? []).map((spec): TaskPlace => {
    const task = records?.get(spec.key);
    return {
      ...{ path: `${place.path}.${spec.key}`, key: spec.key, component: spec.component },
      ...(spec.condition === undefined ? {} : { condition: spec.condition }),
      label: task?.display_name ?? spec.label,
      kind: task?.type ?? spec.kind,
      after: spec.after.map((key) => `${place.path}.${key}`),
      ...stateOf(task, place),
    };
  });
}

/** What is in something that was skipped will not be reached. */
function stateOf(task: RunTask | undefined, parent: TaskPlace): Pick<TaskPlace, "state" | "task"> {
  if (task !== undefined) return { task, state: task.state };
  return { state: parent.state === "SKIPPED" ? "SKIPPED" : "NONE" };
}

function iterations(place: TaskPlace, records: ReadonlyMap<string, RunTask> | undefined): readonly TaskPlace[] {
  const count = Math.max(Number(place.task?.type_attributes?.iteration_count ?? 0), records?.size ?? 0);
  return Array.from({ length: count }, (_, index): TaskPlace => {
    const task = records?.get(String(index));
    return {
      ...{
        path: `${place.path}.${index}`,
        key: String(index),
        label: `${place.label} #${index}`,
        iteration: index,
        component: place.component,
        after: [],
      },
      kind: task?.type ?? (place.component.tasks === undefined ? "RUNTIME" : "DAG"),
      ...(task === undefined ? { state: "NONE" } : { task, state: task.state }),
    };
  });
}

function iterationOf({ type_attributes }: RunTask): number | undefined {
  const index = type_attributes?.iteration_index;
  return index === undefined ? undefined : Number(index);
}

/** How many places are in each state. */
export type StateCounts = ReadonlyMap<ShownState, number>;

/** Counts states. */
export function countStates(places: readonly TaskPlace[]): StateCounts {
  const counts = new Map<ShownState, number>();
  for (const { state } of places) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

/** Whether a place can contain others. */
export function isContainer({ kind, component }: Pick<TaskPlace, "kind" | "component">): boolean {
  return kind === "LOOP" || component.tasks !== undefined;
}
