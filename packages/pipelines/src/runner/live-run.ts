import {
  advance,
  type Effect,
  type EngineContext,
  type EngineEvent,
  type RunProgress,
  type RunState,
  type TaskId,
  type TaskRecord,
  type TaskReport,
} from "../engine/index.ts";
import type { HistoryEntry } from "../store/change.ts";
import type { RunRow } from "../store/tables.ts";
import { historyOf, specTextOf } from "./run-record.ts";

/** An event that waits for its turn, and who wants to know that it is on disk. */
interface QueuedEvent {
  readonly event: EngineEvent;
  readonly settle: PromiseWithResolvers<void>;
}

/** What a batch of events did, not stored yet. */
export interface Batch {
  /** Every changed record once, as it is at the end. */
  readonly tasks: Map<TaskId, TaskRecord>;
  progress?: RunProgress;
  effects: Effect[];
  /** The run's pipeline as text, if it has been replaced. */
  spec?: string;
}

/** A run that goes on, in memory: its state, the events that wait for it, and what is known of its pods. */
export class LiveRun {
  /** As it is stored. */
  row: RunRow;
  history: readonly HistoryEntry[];
  state: RunState;
  readonly pipeline: string;
  queue: QueuedEvent[] = [];
  isBusy = false;
  /** Aborts when the run leaves memory. */
  readonly stop: AbortController = new AbortController();
  /** Effects that are done and may leave the outbox. */
  done: string[] = [];
  /** The names of its pods that it has been told the end of. */
  readonly over: Set<string> = new Set();
  readonly running: Set<string> = new Set();
  /** The names of pods that are to be deleted, should they still be on their way into being. */
  readonly doomed: Set<string> = new Set();
  /** The times at which it will be woken. */
  readonly alarms: Set<number> = new Set();
  readonly #reports = new Map<string, TaskReport>();

  constructor(row: RunRow, state: RunState, reports: readonly TaskReport[]) {
    this.row = row;
    this.state = state;
    this.history = historyOf(row);
    this.pipeline = state.info.spec.pipelineInfo.name;
    for (const report of reports) this.putReport(report);
  }

  putReport(report: TaskReport): void {
    this.#reports.set(`${report.taskId}/${report.attempt}`, report);
  }

  report(taskId: TaskId, attempt: number): TaskReport | undefined {
    return this.#reports.get(`${taskId}/${attempt}`);
  }

  /** Resolves once what the event did is on disk. */
  enqueue(event: EngineEvent): Promise<void> {
    const settle = Promise.withResolvers<void>();
    this.queue.push({ event, settle });
    return settle.promise;
  }

  /** Takes the state through `events`; what they do is added to `batch`. */
  advance(events: readonly EngineEvent[], context: EngineContext, batch: Batch = { tasks: new Map(), effects: [] }): Batch {
    const { info } = this.state;
    for (const event of events) {
      const { changed, effects, progress } = advance(this.state, event, context);
      for (const task of changed) batch.tasks.set(task.id, task);
      for (const effect of effects) batch.effects.push(effect);
      if (progress !== undefined) batch.progress = progress;
    }
    if (this.state.info !== info) batch.spec = specTextOf(this.state.info);
    return batch;
  }

  /** Ends the run where it is, with what that leaves to do. */
  giveUp(message: string, time: number): Batch {
    const unfinished = [...this.state.tasks.values()].filter(({ step }) => step !== undefined);
    const effects = unfinished.flatMap(({ id, attempt, podName }): Effect[] =>
      podName === undefined ? [] : [{ type: "deletePod", taskId: id, attempt, podName }],
    );
    const tasks = unfinished.map(({ step: _step, ...task }): TaskRecord => ({
      ...task,
      state: "CANCELED",
      endedAt: time,
      message: "the run was given up",
    }));
    for (const task of tasks) this.state.put(task);
    const progress: RunProgress = { ...this.state.progress, phase: "FAILED", message, endedAt: time };
    this.state.progress = progress;
    return { tasks: new Map(tasks.map((task) => [task.id, task])), progress, effects };
  }
}
