import type { RunState } from "./run-state.ts";
import type { Transition } from "./transition.ts";
import { hasEnded, type TaskRecord } from "./types.ts";

/** Whether nothing may start at this place any more: the run is being stopped, and this is no exit task nor within one. */
export function isStopped(run: RunState, task: TaskRecord): boolean {
  const { stopping, isForced } = run.progress;
  return stopping !== undefined && (isForced === true || !isWithinExit(run, task));
}

function isWithinExit(run: RunState, task: TaskRecord): boolean {
  for (let at = task; at.parentId !== undefined;) {
    const parent = run.get(at.parentId);
    if (at.iteration === undefined && run.plan(parent.component).get(at.name)?.isExit === true) return true;
    at = parent;
  }
  return false;
}

/** Stops what runs, and then lets exit tasks run; if that is so already, stops those too. */
export function stopRun(transition: Transition, stopping: "terminated" | "deadline", time: number): void {
  const { run } = transition;
  const { phase, isForced, stopping: already } = run.progress;
  if (phase === "PENDING") return transition.progress({ phase: "CANCELED", stopping, endedAt: time });
  if ((phase !== "RUNNING" && phase !== "CANCELING") || isForced === true) return;
  transition.progress({ phase: "CANCELING", stopping: already ?? stopping, ...(already === undefined ? {} : { isForced: true }) });
  const deadline = transition.deadline();
  if (deadline !== undefined) transition.effect({ type: "wakeAt", time: deadline });
  for (const task of [...run.tasks.values()]) {
    // What awaits its turn is left out when the graph around it ends.
    if (hasEnded(task.state) || task.step === "children" || task.step === "turn" || !isStopped(run, task)) continue;
    if (task.step === "pod" && task.podName !== undefined) {
      transition.effect({ type: "deletePod", taskId: task.id, attempt: task.attempt, podName: task.podName });
    } else {
      transition.end(task, "CANCELED", { message: "the run was stopped" });
    }
  }
  // Loops that have yet to start what they may will not: those in which nothing runs are over.
  transition.proceed();
}

/** The exit tasks of a graph in which nothing runs any more that are due while the run is being stopped: what they clean up after has begun. */
export function dueExitTasks(run: RunState, graph: TaskRecord): readonly string[] {
  const waiting = run.graphs.get(graph.id)?.waiting;
  if (waiting === undefined || run.progress.isForced === true) return [];
  const plan = run.plan(graph.component);
  const due = new Set<string>();
  for (const name of waiting.keys()) {
    const task = plan.get(name);
    if (task?.isExit === true && task.dependencies.some((one) => hasEnded(run.child(graph.id, one)?.state ?? "PENDING"))) due.add(name);
  }
  return [...due].filter((name) => plan.get(name)?.dependencies.every((one) => !due.has(one)) === true);
}
