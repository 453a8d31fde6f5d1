import { stripVTControlCharacters } from "node:util";
import type { RunTask } from "@sluice/sdk";

/** A task as people see it: the frame around branches is left out, and an iteration of one step is shown as that step. */
export interface ShownTask {
  readonly task: RunTask;
  readonly name: string;
  readonly children: readonly ShownTask[];
}

/** A run's tasks below its root, in the order in which they came to be. */
export function taskTree(tasks: Iterable<RunTask>): readonly ShownTask[] {
  const all = [...tasks];
  const root = all.find(({ type }) => type === "ROOT")?.task_id;
  const known = new Set(all.map(({ task_id: id }) => id));
  const parentOf = ({ parent_task_id: id }: RunTask): string | undefined => (id !== undefined && known.has(id) ? id : root);
  const children = Map.groupBy(
    all.filter(({ task_id: id }) => id !== root),
    parentOf,
  );

  const below = (id: string | undefined): readonly RunTask[] =>
    (children.get(id) ?? []).sort(byOrder).flatMap((task) => (task.type === "CONDITION_BRANCH" ? below(task.task_id) : [task]));
  const shown = (task: RunTask): ShownTask => {
    const index = task.type_attributes?.iteration_index;
    const inside = below(task.task_id);
    const [only] = inside;
    if (index !== undefined && only?.type === "RUNTIME" && inside.length === 1) return { task: only, name: `${nameOf(only)} ${index}`, children: [] };
    return { task, name: index === undefined ? nameOf(task) : `${nameOf(task)} ${index}`, children: inside.map(shown) };
  };
  return below(root).map(shown);
}

/** A task that something runs for, under the name that people see. */
export interface Step {
  readonly task: RunTask;
  readonly name: string;
}

/** A run's steps in the order of its tree; one in an iteration of several has the iteration's name before its own. */
export function stepsOf(tasks: Iterable<RunTask>): readonly Step[] {
  const below = (tree: readonly ShownTask[], within: string): readonly Step[] =>
    tree.flatMap(({ task, name, children }) => {
      if (task.type === "RUNTIME" || task.type === "IMPORTER") return [{ task, name: `${within}${name}` }];
      return below(children, task.type_attributes?.iteration_index === undefined ? within : `${within}${name} / `);
    });
  return below(taskTree(tasks), "");
}

/** Text that cannot move the cursor. */
export function clean(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\t/gu, "  ")
    .replace(/[^\P{Cc}\n]/gu, "");
}

function nameOf(task: RunTask): string {
  return clean(task.display_name ?? task.name);
}

/** By time; times have whole seconds, and within one, iterations and branches are in order, and others as the server told them. */
function byOrder(a: RunTask, b: RunTask): number {
  const [x, y] = [a.create_time ?? "~", b.create_time ?? "~"];
  if (x !== y) return x < y ? -1 : 1;
  const isAlike = a.type_attributes?.iteration_index !== undefined || (a.type === "CONDITION" && b.type === "CONDITION");
  return isAlike ? (a.scope_path ?? a.name).localeCompare(b.scope_path ?? b.name, "en", { numeric: true }) : 0;
}
