import { styleText } from "node:util";
import { isFinished, type Run, type RunTask } from "@sluice/sdk";
import { durationOf } from "./format.ts";
import { clean, taskTree, type ShownTask } from "./task-tree.ts";
import { briefly, fit, padTo, widthOf } from "./text.ts";

/** What there is to show of a run. */
export interface RunView {
  readonly run: Run;
  readonly tasks: Iterable<RunTask>;
  /** The last lines of a task that runs. */
  readonly log?: { readonly taskId: string; readonly lines: readonly string[] } | undefined;
}

/** How to show it. */
export interface RenderOptions {
  /** Columns of the terminal. */
  readonly width: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Rows to stay within; finished tasks give way first. */
  readonly height?: number;
  readonly color?: boolean;
}

type Style = Parameters<typeof styleText>[0];

/** How a state is shown in one character. */
export const MARKS: Readonly<Record<string, readonly [mark: string, style: Style]>> = {
  PENDING: ["○", "dim"],
  RUNNING: ["●", "cyan"],
  SUCCEEDED: ["✓", "green"],
  CACHED: ["↺", "green"],
  SKIPPED: ["–", "dim"],
  FAILED: ["✗", "red"],
  CANCELING: ["◌", "yellow"],
  CANCELED: ["■", "yellow"],
};

interface Line {
  readonly text: string;
  /** May be left out where there is no room. */
  readonly isDone: boolean;
}

/** A run as lines of a terminal: its state, its tasks as a tree, why tasks failed, and what the running one writes. */
export function renderRun({ run, tasks, log }: RunView, { width, now, height, color = false }: RenderOptions): string[] {
  const paint = (style: Style, text: string): string => (color && text !== "" ? styleText(style, text, { validateStream: false }) : text);
  const row = (indent: number, state: string, name: string, start: string | undefined, end: string | undefined, strong: boolean): string => {
    const [mark, style] = MARKS[state] ?? ["?", "dim"];
    const duration = start === undefined ? "" : durationOf(start, end, now);
    const note = state === "CACHED" ? "cached" : state === "CANCELING" ? "stopping" : duration;
    const head = `${" ".repeat(indent)}${mark} `;
    const room = Math.max(0, width - widthOf(head) - (note === "" ? 0 : widthOf(note) + 2));
    const label = fit(name, room);
    const gap = note === "" ? "" : padTo(label, Math.min(room, Math.max(8, 36 - indent))).slice(label.length);
    const painted = `${" ".repeat(indent)}${paint(style, mark)} ${strong ? paint("bold", label) : label}`;
    return note === "" || room === 0 ? painted : `${painted}${gap}  ${paint("dim", note)}`;
  };

  const lines: Line[] = [];
  const add = ({ task, name, children }: ShownTask, depth: number): void => {
    const indent = Math.min(2 * depth, Math.max(2, Math.floor(width / 3)));
    const isDone = task.state === "SUCCEEDED" || task.state === "CACHED" || task.state === "SKIPPED";
    lines.push({ text: row(indent, task.state, name, task.start_time, task.end_time, false), isDone });
    const message = task.status_metadata?.message;
    if (message !== undefined && task.state === "FAILED") {
      lines.push({ text: paint("red", fit(`${" ".repeat(indent + 2)}${briefly(clean(message))}`, width)), isDone: false });
    }
    if (log?.taskId === task.task_id) {
      for (const part of log.lines) lines.push({ text: paint("dim", fit(`${" ".repeat(indent + 2)}│ ${clean(part)}`, width)), isDone: false });
    }
    for (const child of children) add(child, depth + 1);
  };
  for (const task of taskTree(tasks)) add(task, 1);

  const state = run.state ?? "PENDING";
  const header = row(0, state, `${clean(run.display_name)} (${run.run_id})`, run.created_at, isFinished(run) ? run.finished_at : undefined, true);
  const error = run.error?.message === undefined || !isFinished(run) ? [] : [paint("red", fit(`  ${briefly(clean(run.error.message))}`, width))];
  return [header, ...within(lines, height === undefined ? Infinity : height - 1 - error.length, width), ...error];
}

/** A change of one step as a line of its own: when, what, and how long it took. */
export function renderStep(task: RunTask, { name, elapsed }: { readonly name: string; readonly elapsed: string }): string {
  const { state, start_time: start, end_time: end, status_metadata: status } = task;
  const [mark] = MARKS[state] ?? ["?"];
  const how = state === "CACHED" ? "cached" : end === undefined || start === undefined ? "" : durationOf(start, end, 0);
  const why = state === "FAILED" && status?.message !== undefined ? `\n${clean(status.message).replace(/^/gmu, " ".repeat(11))}` : "";
  return `${padTo(elapsed, 7)}  ${mark} ${how === "" ? name : `${padTo(name, 34)}  ${how}`}${why}`;
}

/** At most `height` lines: finished tasks are counted instead of shown, then the last lines win. */
function within(lines: readonly Line[], height: number, width: number): string[] {
  if (lines.length <= height) return lines.map(({ text }) => text);
  let excess = lines.length - height + 1;
  let hidden = 0;
  const kept = lines.filter(({ isDone }) => {
    if (!isDone || excess <= 0) return true;
    excess--;
    hidden++;
    return false;
  });
  const note = hidden === 0 ? [] : [fit(`  … ${hidden} more done`, width)];
  return [...note, ...kept.slice(Math.max(0, kept.length - Math.max(0, height - note.length))).map(({ text }) => text)];
}
