import type { Client } from "@sluice/client";
import { PreconditionError } from "@sluice/component";
import type { Clock, Logger } from "@sluice/controller";
import { ApiError, isApiError } from "@sluice/kubernetes";
import type { ObjectStore } from "@sluice/object-store";
import {
  ATTEMPT_LABEL,
  newRun,
  outstandingEffects,
  restoreRun,
  RUN_LABEL,
  TASK_LABEL,
  workspaceClaimOf,
  type EngineContext,
  type EngineEvent,
  type TaskReport,
} from "../engine/index.ts";
import type { Store } from "../store/store.ts";
import type { ExperimentRow, RunRow } from "../store/tables.ts";
import { artifactLinks } from "./artifact-links.ts";
import { Effects, outboxRow, outboxRowsOf } from "./effects.ts";
import { PODS, type ObservedPod } from "./kinds.ts";
import { LiveRun, type Batch } from "./live-run.ts";
import { LogArchive } from "./log-archive.ts";
import { logUriOf, missingLogs } from "./run-logs.ts";
import { isOver, obstacleOf, podOutcome } from "./pod-outcome.ts";
import { RunNotices, type RunNotice } from "./run-notices.ts";
import { advanceRecord, historyOf, isFinal, progressOf, runInfoOf } from "./run-record.ts";

const RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;

/** What a runner works with. */
export interface RunnerOptions {
  readonly store: Store;
  readonly client: Client;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly engine: EngineContext;
  readonly signal: AbortSignal;
}

/**
 * Takes runs through their tasks. Events of one run are decided in order, and those of one turn of the event loop together: decide in
 * memory, commit once, then act. All that it knows can be had again from the database and the pods.
 */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #effects: Effects;
  readonly #logs: LogArchive;
  readonly #runs = new Map<string, LiveRun>();
  /** Which attempt a pod is, by `namespace/name`. */
  readonly #pods = new Map<string, { readonly runId: string; readonly taskId: string; readonly attempt: number }>();
  readonly #notices = new RunNotices();
  /** Resolves once the runs of an earlier process are known: before, nobody may ask for anything. */
  readonly #started = Promise.withResolvers<void>();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#logs = new LogArchive(options);
    this.#effects = new Effects({ ...options, logs: this.#logs, push: (run, event) => this.#push(run, event) });
  }

  /** Takes up the runs that an earlier process left. */
  async start(): Promise<void> {
    const { store, client } = this.#options;
    const [rows, outbox] = [await store.runs.unfinished(), await store.outbox.all()];
    const runs: LiveRun[] = [];
    for (const row of rows) {
      try {
        if (!this.#runs.has(row.id)) runs.push(await this.#load(row));
      } catch (error) {
        this.#options.logger.error("cannot take up run", { run: row.id, error });
      }
    }
    // Listed once the runs are in memory, so that what happens to a pod from here on finds its run.
    const pods = new Map<string, ObservedPod>();
    for (let next: string | undefined, isFirst = true; runs.length > 0 && (isFirst || (next !== undefined && next !== "")); isFirst = false) {
      const page = await client.list(PODS, { labelSelector: RUN_LABEL, limit: 500, continue: next });
      for (const pod of page.items) pods.set(podKey(pod.metadata.namespace, pod.metadata.name), pod);
      next = page.metadata.continue;
    }
    const pending = new Set(outbox.map(({ id }) => id));
    for (const run of runs) this.#adopt(run, pods, pending);
    const orphans = outbox.filter(({ run_id }) => !this.#runs.has(run_id));
    this.#effects.removeLeftovers(orphans.filter(({ kind }) => kind !== "createPod"));
    await store.outbox.remove(orphans.filter(({ kind }) => kind === "createPod").map(({ id }) => id));
    this.#started.resolve();
    void missingLogs(this.#options, (pod, uri) => this.#logs.keep(pod, uri));
  }

  /** Stores a run, as `Store.createRun` does, and starts it. */
  async create(row: RunRow, fallback?: ExperimentRow): Promise<RunRow> {
    await this.#started.promise;
    const state = newRun(runInfoOf(row));
    const stored = await this.#options.store.runs.create(row, fallback);
    const run = new LiveRun(stored, state, []);
    this.#runs.set(row.id, run);
    void this.#push(run, { type: "runStarted", time: this.#now() });
    return stored;
  }

  /** Asks a run to stop; resolves once that is on disk. */
  async terminate(runId: string): Promise<void> {
    await this.#started.promise;
    const run = this.#runs.get(runId);
    if (run === undefined || isFinal(run.state.progress.phase))
      throw new ApiError("BadRequest", `run ${runId} has ended: there is nothing to terminate`);
    await this.#push(run, { type: "terminateRequested", time: this.#now() });
  }

  /** Starts again what failed in a run that has ended; resolves once that is on disk. */
  async retry(runId: string): Promise<void> {
    await this.#started.promise;
    const live = this.#runs.get(runId);
    const row = live?.row ?? (await this.#options.store.runs.find(runId));
    if (row === undefined) throw new ApiError("NotFound", `run ${runId} not found`);
    const { phase } = live?.state.progress ?? progressOf(row);
    if (phase !== "FAILED" && phase !== "CANCELED") {
      throw new PreconditionError(`run ${runId} is ${phase}: only a failed or canceled run can be retried`);
    }
    await this.#push(live ?? (await this.#load(row)), { type: "retryRequested", time: this.#now() });
  }

  /** Deletes a run with its pods and its workspace. */
  async delete(row: RunRow): Promise<void> {
    await this.#started.promise;
    const { store, client } = this.#options;
    const page = await client.list(PODS, { namespace: row.namespace, labelSelector: `${RUN_LABEL}=${row.id}` });
    const run = this.#runs.get(row.id);
    const tasks = run?.state.tasks.values() ?? (await store.tasks.ofRun(row.id));
    const pods = new Set(page.items.map(({ metadata }) => metadata.name));
    for (const { podName } of tasks) if (podName !== undefined) pods.add(podName);
    const workspace = workspaceClaimOf(run?.state.info ?? runInfoOf(row));
    const leftovers = [...pods].map((name) => outboxRow(row, "deletePod", name));
    if (workspace !== undefined) leftovers.push(outboxRow(row, "deleteClaim", workspace.metadata.name));
    await store.runs.delete(row.id, leftovers);
    if (run !== undefined) this.#forget(run);
    this.#notices.tell({ row, tasks: [], isOver: true });
    this.#effects.removeLeftovers(leftovers);
  }

  /** Takes what a pod's agent found; resolves once that is on disk. */
  async report(report: TaskReport): Promise<void> {
    await this.#started.promise;
    await this.#options.store.tasks.putReport(report);
    this.#runs.get(report.runId)?.putReport(report);
  }

  /** Hears of every change of a run, or of `EVERY_RUN`, from now on; call what it returns to hear no more. */
  subscribe(runId: string, listener: (notice: RunNotice) => void): () => void {
    return this.#notices.subscribe(runId, listener);
  }

  /** Looks at a pod as it is now. */
  observe(pod: ObservedPod): void {
    const { namespace, name, labels } = pod.metadata;
    const [runId, taskId, attempt] = [labels?.[RUN_LABEL], labels?.[TASK_LABEL], Number(labels?.[ATTEMPT_LABEL])];
    if (runId === undefined || taskId === undefined || !Number.isInteger(attempt)) return;
    const run = this.#runs.get(runId);
    if (run === undefined || run.over.has(name) || run.row.namespace !== namespace) return;
    this.#pods.set(podKey(namespace, name), { runId, taskId, attempt });
    const obstacle = obstacleOf(pod);
    if (isOver(pod)) {
      run.over.add(name);
      const uri = logUriOf(run, { taskId, attempt }, this.#options.engine);
      if (uri !== undefined) void this.#logs.keep({ namespace, name }, uri);
      void this.#finished(run, pod, { taskId, attempt });
    } else if (obstacle !== undefined) {
      run.over.add(name);
      void this.#push(run, { type: "podFinished", time: this.#now(), taskId, attempt, succeeded: false, isStuck: true, message: obstacle });
    } else if (pod.status?.phase === "Running" && !run.running.has(name)) {
      run.running.add(name);
      void this.#push(run, { type: "podRunning", time: this.#now(), taskId, attempt });
    }
  }

  /** Takes note that a pod is gone. A report does not tell whether its container succeeded, so without its end the attempt has failed. */
  vanished(namespace: string | undefined, name: string): void {
    const known = this.#pods.get(podKey(namespace, name));
    const run = known === undefined ? undefined : this.#runs.get(known.runId);
    if (known === undefined || run === undefined || run.over.has(name)) return;
    this.#gone(run, name, known, "the pod was deleted");
  }

  #gone(run: LiveRun, podName: string, { taskId, attempt }: { readonly taskId: string; readonly attempt: number }, message: string): void {
    run.over.add(podName);
    void this.#push(run, { type: "podFinished", time: this.#now(), taskId, attempt, succeeded: false, message });
  }

  async #finished(run: LiveRun, pod: ObservedPod, { taskId, attempt }: { readonly taskId: string; readonly attempt: number }): Promise<void> {
    const time = this.#now();
    const outcome = await podOutcome(this.#options.client, pod);
    const report = run.report(taskId, attempt);
    void this.#push(run, { type: "podFinished", time, taskId, attempt, ...outcome, ...(report === undefined ? {} : { report }) });
  }

  async #load(row: RunRow): Promise<LiveRun> {
    const { store } = this.#options;
    const [tasks, reports] = await Promise.all([store.tasks.ofRun(row.id), store.tasks.reportsOf(row.id)]);
    const known = this.#runs.get(row.id);
    if (known !== undefined) return known;
    const run = new LiveRun(row, restoreRun(runInfoOf(row), progressOf(row), tasks), reports);
    this.#runs.set(row.id, run);
    return run;
  }

  /** Does again what may not have been done, and looks what has become of the pods. */
  #adopt(run: LiveRun, pods: ReadonlyMap<string, ObservedPod>, outbox: ReadonlySet<string>): void {
    const { row } = run;
    if (run.state.tasks.size === 0) {
      void this.#push(run, { type: "runStarted", time: this.#now() });
      return;
    }
    const effects = outstandingEffects(run.state, this.#options.engine);
    const creations = new Map(effects.flatMap((effect) => (effect.type === "createPod" ? [[effect.taskId, effect]] : [])));
    this.#carryOut(
      run,
      effects.filter(({ type }) => type !== "createPod"),
    );
    for (const { id, attempt, step, podName } of run.state.tasks.values()) {
      if (step !== "pod" || podName === undefined) continue;
      const pod = pods.get(podKey(row.namespace, podName));
      this.#pods.set(podKey(row.namespace, podName), { runId: row.id, taskId: id, attempt });
      const creation = creations.get(id);
      const isCreated = creation === undefined || !outboxRowsOf(row, [creation]).some((effect) => outbox.has(effect.id));
      if (pod !== undefined) this.observe(pod);
      else if (creation !== undefined && !isCreated && run.report(id, attempt) === undefined) this.#carryOut(run, [creation]);
      else this.#gone(run, podName, { taskId: id, attempt }, "the pod was deleted while nobody watched it");
    }
  }

  #push(run: LiveRun, event: EngineEvent): Promise<void> {
    const settled = run.enqueue(event);
    // Most events have nobody who waits for them.
    settled.catch(() => undefined);
    if (!run.isBusy) {
      run.isBusy = true;
      setImmediate(() => void this.#drain(run));
    }
    return settled;
  }

  /** Decides what is queued, batch by batch, until nothing is. */
  async #drain(run: LiveRun): Promise<void> {
    const { clock, logger, signal } = this.#options;
    const isWanted = (): boolean => run.queue.length > 0 && !run.stop.signal.aborted && !signal.aborted;
    for (let failures = 0; isWanted();) {
      let queued: LiveRun["queue"] = [];
      try {
        // A decision that was not stored is none: the next one must not build on it.
        if (failures > 0) await this.#restore(run);
        if (!isWanted()) break;
        queued = run.queue;
        run.queue = [];
        const batch = this.#decide(run, queued);
        await this.#commit(run, batch);
        failures = 0;
        for (const { settle } of queued) settle.resolve();
        this.#follow(run, batch);
      } catch (error) {
        run.queue = [...queued, ...run.queue];
        if (isApiError(error, "NotFound")) run.stop.abort();
        if (!isWanted()) break;
        logger.error("cannot store what a run did", { run: run.row.id, error });
        await clock.sleep(Math.min(RETRY_MS * 2 ** failures++, LONGEST_RETRY_MS), signal);
      }
    }
    run.isBusy = false;
    const refusal = run.stop.signal.aborted
      ? new ApiError("NotFound", `run ${run.row.id} is over or was deleted`)
      : signal.aborted
        ? new ApiError("ServiceUnavailable", "the program is stopping")
        : undefined;
    if (refusal !== undefined) {
      for (const { settle } of run.queue) settle.reject(refusal);
      run.queue = [];
    } else if (isFinal(run.state.progress.phase) && run.queue.length === 0) this.#forget(run);
  }

  /** A mistake in the engine ends the run it happens in, and no other. */
  #decide(run: LiveRun, queued: LiveRun["queue"]): Batch {
    try {
      return run.advance(
        queued.map(({ event }) => event),
        this.#options.engine,
      );
    } catch (error) {
      this.#options.logger.error("the engine failed", { run: run.row.id, error });
      return run.giveUp(`internal error: ${error instanceof Error ? error.message : String(error)}`, this.#now());
    }
  }

  /** Does what follows from a batch that is stored. */
  #follow(run: LiveRun, { tasks, effects }: Batch): void {
    const isOver = isFinal(run.state.progress.phase);
    this.#notices.tell({ row: run.row, tasks, isOver });
    // What is left to do after a run does not end with it.
    if (isOver) this.#effects.removeLeftovers(outboxRowsOf(run.row, effects));
    else this.#carryOut(run, effects);
  }

  async #commit(run: LiveRun, { tasks, progress, effects }: Batch): Promise<void> {
    const { store } = this.#options;
    const time = this.#now();
    const outbox = outboxRowsOf(run.row, effects);
    const done = [...run.done];
    if (tasks.length === 0 && progress === undefined && outbox.length === 0) return;
    const { history, row } = progress === undefined ? run : advanceRecord(run, progress, time);
    const { id, namespace } = row;
    const change = { run: { id, namespace, pipeline: run.pipeline }, tasks, time, outbox, done, ...artifactLinks(run, tasks, this.#options.engine) };
    await store.runs.commit(progress === undefined ? change : { ...change, progress: { value: progress, history } });
    run.row = row;
    run.history = history;
    run.done = run.done.slice(done.length);
  }

  /** Puts the run back to what is stored. */
  async #restore(run: LiveRun): Promise<void> {
    const { store } = this.#options;
    const [row, tasks] = await Promise.all([store.runs.find(run.row.id), store.tasks.ofRun(run.row.id)]);
    if (row === undefined) throw new ApiError("NotFound", `run ${run.row.id} does not exist`);
    run.row = row;
    run.history = historyOf(row);
    run.state = restoreRun(runInfoOf(row), progressOf(row), tasks);
  }

  #carryOut(run: LiveRun, effects: Batch["effects"]): void {
    for (const effect of effects) {
      if (effect.type !== "createPod") continue;
      const { runId, taskId, attempt } = { runId: run.row.id, ...effect };
      this.#pods.set(podKey(run.row.namespace, effect.pod.metadata.name), { runId, taskId, attempt });
    }
    this.#effects.carryOut(run, effects);
  }

  #forget(run: LiveRun): void {
    run.stop.abort();
    if (this.#runs.get(run.row.id) === run) this.#runs.delete(run.row.id);
    for (const { podName } of run.state.tasks.values()) if (podName !== undefined) this.#pods.delete(podKey(run.row.namespace, podName));
    const done = run.done;
    run.done = [];
    this.#options.store.outbox.remove(done).catch((error: unknown) => {
      this.#options.logger.warn("cannot clear the outbox; it will be cleared on the next start", { run: run.row.id, error });
    });
  }

  #now(): number {
    return this.#options.clock.now();
  }
}

function podKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ""}/${name}`;
}
