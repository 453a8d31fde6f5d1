import type { TaskIndex, TaskPlace } from "../graph/task-tree.ts";
import { isContainer } from "../graph/task-tree.ts";
import { lookOf } from "../app/states.ts";

/** A row of the table of tasks. */
export interface TaskRow {
  readonly place: TaskPlace;
  readonly depth: number;
  readonly isOpen: boolean;
  readonly hasChildren: boolean;
}

/** A loop with more iterations starts closed. */
const OPEN_ITERATIONS = 10;

/** Whether a container shows what is in it before anybody said so. */
function isOpenAtFirst(index: TaskIndex, place: TaskPlace): boolean {
  return place.kind !== "LOOP" || place.iteration !== undefined || index.children(place).length <= OPEN_ITERATIONS;
}

/** The rows of the table: the tasks in their order with what is in them below; with a filter, every task that it fits. */
export function taskRows(index: TaskIndex, toggled: ReadonlySet<string>, filter: string): readonly TaskRow[] {
  const rows: TaskRow[] = [];
  const wanted = filter.trim().toLowerCase();
  const fits = ({ label, path, state }: TaskPlace): boolean => `${label} ${path} ${lookOf(state).label}`.toLowerCase().includes(wanted);
  const add = (place: TaskPlace, depth: number): void => {
    const children = isContainer(place) ? index.children(place) : [];
    const isOpen = isOpenAtFirst(index, place) !== toggled.has(place.path);
    if (wanted === "") rows.push({ place, depth, isOpen, hasChildren: children.length > 0 });
    else if (fits(place)) rows.push({ place, depth: 0, isOpen: false, hasChildren: false });
    if (wanted !== "" || isOpen) for (const child of children) add(child, depth + 1);
  };
  for (const place of index.children(index.root)) add(place, 0);
  return rows;
}
