import type { Client } from "@sluice/client";
import { PreconditionError } from "@sluice/component";
import type { Clock, Logger } from "@sluice/controller";
import { ApiError, isApiError } from "@sluice/kubernetes";
import {
  ATTEMPT_LABEL,
  checkEdit,
  type Effect,
  newRun,
  outstandingEffects,
  podOf,
  restoreRun,
  RUN_LABEL,
  runHomeOf,
  TASK_LABEL,
  workspaceClaimOf,
  type EngineContext,
  type EngineEvent,
  type PodManifest,
  type RunInfo,
  type TaskRecord,
  type TaskReport,
} from "../engine/index.ts";
import { splitRoot } from "../domain/pipeline-root.ts";
import type { ArtifactStores } from "../artifact-stores/artifact-stores.ts";
import type { Store } from "../store/store.ts";
import type { ExperimentRow, OutboxRow, RunRow } from "../store/tables.ts";
import { DEFAULT_LIFECYCLE, podsDueAt, type ArtifactPolicy, type LifecycleSettings } from "../lifecycle/lifecycle-settings.ts";
import { artifactLinks } from "./artifact-links.ts";
import type { CacheSettings } from "./cache-lookup.ts";
import { Effects, outboxRow, outboxRowsOf } from "./effects.ts";
import { PODS, type ObservedPod } from "./kinds.ts";
import { LiveRun, type Batch } from "./live-run.ts";
import { LogArchive } from "./log-archive.ts";
import { logOf, missingLogs } from "./run-logs.ts";
import { isOver, obstacleOf, podOutcome } from "./pod-outcome.ts";
import { RunNotices, type RunNotice } from "./run-notices.ts";
import { artifactRootOf } from "./artifact-root.ts";
import { advanceRecord, historyOf, homeOfRow, isFinal, progressOf, runInfoOf } from "./run-record.ts";

const RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;
/** What one batch may hold, so that the main thread is soon free for others. */
const MOST_EVENTS = 200;
const MOST_ROUNDS = 50;
const MOST_TASKS = 2000;

/** What a runner works with. */
export interface RunnerOptions {
  readonly store: Store;
  readonly client: Client;
  readonly objects: ArtifactStores;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly engine: EngineContext;
  readonly cache?: CacheSettings | undefined;
  readonly lifecycle?: LifecycleSettings | undefined;
  readonly signal: AbortSignal;
}

/**
 * Takes runs through their tasks. Events of one run are decided in order, and those of one turn of the event loop together: decide in
 * memory, commit once, then act. All that it knows can be had again from the database and the pods.
 */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #effects: Effects;
  readonly #lifecycle: LifecycleSettings;
  readonly #logs: LogArchive;
  readonly #runs = new Map<string, LiveRun>();
  /** Which attempt a pod is, by `namespace/name`. */
  readonly #pods = new Map<string, { readonly runId: string; readonly taskId: string; readonly attempt: number }>();
  readonly #notices = new RunNotices();
  /** The word of the artifacts of runs that were deleted while they went on: their pods may still bring some. */
  readonly #cutShort = new Map<string, OutboxRow>();
  /** What is being deleted of runs that are over, by run: none of them may go on meanwhile. */
  readonly #releasing = new Map<string, Promise<void>>();
  /** Resolves once the runs of an earlier process are known: before, nobody may ask for anything. */
  readonly #started = Promise.withResolvers<void>();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#lifecycle = options.lifecycle ?? DEFAULT_LIFECYCLE;
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
    void this.#effects.removeLeftovers(orphans.filter(({ kind }) => kind !== "createPod"));
    await store.outbox.remove(orphans.filter(({ kind }) => kind === "createPod").map(({ id }) => id));
    this.#started.resolve();
    void missingLogs(this.#options, (pod, log) => this.#logs.keep(pod, log));
  }

  /** Stores a run, as `Store.createRun` does, and starts it. */
  async create(row: RunRow, fallback?: ExperimentRow): Promise<RunRow> {
    await this.#started.promise;
    const artifactRoot = await artifactRootOf(row, this.#options.objects);
    const state = newRun(runInfoOf({ ...row, artifact_root: artifactRoot }));
    const stored = await this.#options.store.runs.create({ ...row, artifact_root: artifactRoot }, fallback);
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

  /**
   * Starts again what failed in a run that has ended; resolves once that is on disk. Given another pipeline (and its platform settings),
   * it goes on as that, and also what means something else there runs again; a `UserError` says why it cannot.
   */
  async retry(runId: string, edited: Partial<Pick<RunInfo, "spec" | "platform">> = {}): Promise<void> {
    await this.#started.promise;
    await this.#releasing.get(runId);
    const live = this.#runs.get(runId);
    const row = live?.row ?? (await this.#options.store.runs.find(runId));
    if (row === undefined) throw new ApiError("NotFound", `run ${runId} not found`);
    const { phase } = live?.state.progress ?? progressOf(row);
    if (phase !== "FAILED" && phase !== "CANCELED") {
      throw new PreconditionError(`run ${runId} is ${phase}: only a failed or canceled run can be retried`);
    }
    const run = live ?? (await this.#load(row));
    const { spec, platform } = edited;
    if (spec !== undefined) checkEdit(run.state, platform === undefined ? { spec } : { spec, platform });
    await this.#push(run, { type: "retryRequested", time: this.#now(), ...edited });
  }

  /** Deletes a run with its pods and its workspace, and by policy with its artifacts: those that no other run uses. */
  async delete(row: RunRow, artifacts: ArtifactPolicy = this.#lifecycle.artifacts): Promise<void> {
    await this.#started.promise;
    const run = this.#runs.get(row.id);
    const leftovers = await this.#leftoversOf(row);
    const home = homeOfRow(row);
    const { query } = splitRoot(home.pipelineRoot);
    const bytes = outboxRow(row, "deleteArtifacts", query === "" ? runHomeOf(home) : `${runHomeOf(home)}?${query}`);
    if (artifacts === "delete") leftovers.push(bytes);
    const freed = await this.#options.store.upkeep.remove(row.id, leftovers);
    if (artifacts === "delete" && row.finished_at === 0) this.#cutShort.set(row.id, bytes);
    if (run !== undefined) this.#forget(run);
    this.#notices.tell({ row, tasks: [], isOver: true });
    void this.#effects.removeLeftovers([...leftovers, ...freed]);
  }

  /** Deletes the pods and the workspace of a run that is over; its record, its results and its artifacts stay. */
  async releasePods(row: RunRow): Promise<void> {
    await this.#started.promise;
    if (this.#runs.has(row.id)) return;
    const released = Promise.withResolvers<void>();
    this.#releasing.set(row.id, released.promise);
    try {
      const leftovers = await this.#leftoversOf(row);
      if (await this.#options.store.upkeep.releasePods(row.id, leftovers)) await this.#effects.removeLeftovers(leftovers);
    } finally {
      this.#releasing.delete(row.id);
      released.resolve();
    }
  }

  /** What a run has in the cluster, or may have. */
  async #leftoversOf(row: RunRow): Promise<OutboxRow[]> {
    const { store, client } = this.#options;
    const page = await client.list(PODS, { namespace: row.namespace, labelSelector: `${RUN_LABEL}=${row.id}` });
    const run = this.#runs.get(row.id);
    const tasks = run?.state.tasks.values() ?? (await store.tasks.ofRun(row.id));
    const pods = new Set(page.items.map(({ metadata }) => metadata.name));
    for (const { podName } of tasks) if (podName !== undefined) pods.add(podName);
    const workspace = workspaceClaimOf(run?.state.info ?? runInfoOf(row));
    const leftovers = [...pods].map((name) => outboxRow(row, "deletePod", name));
    if (workspace !== undefined) leftovers.push(outboxRow(row, "deleteClaim", workspace.metadata.name));
    return leftovers;
  }

  /** The pod of a task's latest attempt, as it is made or was. */
  async podOf(row: RunRow, { id }: TaskRecord): Promise<PodManifest> {
    const { store, engine } = this.#options;
    const run = this.#runs.get(row.id)?.state ?? restoreRun(runInfoOf(row), progressOf(row), await store.tasks.ofRun(row.id));
    return podOf(run, run.get(id), engine);
  }

  /** Takes what the agent of a pod in `namespace` found; resolves once that is on disk. */
  async report(report: TaskReport, namespace: string): Promise<void> {
    await this.#started.promise;
    try {
      await this.#options.store.tasks.putReport(report, namespace);
    } catch (error) {
      const bytes = this.#cutShort.get(report.runId);
      if (bytes !== undefined) void this.#effects.removeLeftovers([bytes]);
      throw error;
    }
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
      const log = logOf(run, { taskId, attempt }, this.#options.engine);
      if (log !== undefined) void this.#logs.keep({ namespace, name }, log);
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
    const effects = outstandingEffects(run.state, this.#options.engine, { hasPod: (name) => pods.has(podKey(row.namespace, name)) });
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
      const stored = Promise.withResolvers<void>();
      try {
        // A decision that was not stored is none: the next one must not build on it.
        if (failures > 0) await this.#restore(run);
        if (!isWanted()) break;
        queued = run.queue.slice(0, MOST_EVENTS);
        run.queue = run.queue.slice(MOST_EVENTS);
        const batch = await this.#decide(run, queued, stored.promise);
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
      } finally {
        stored.resolve();
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
  /** A mistake in the engine ends the run it happens in, and no other. */
  async #decide(run: LiveRun, queued: LiveRun["queue"], stored: Promise<void>): Promise<Batch> {
    const { engine, logger } = this.#options;
    try {
      const batch = run.advance(
        queued.map(({ event }) => event),
        engine,
      );
      // What the cache answers changes nothing but the run, so that many shared results in a row are one commit.
      for (let round = 0; round < MOST_ROUNDS && batch.tasks.size < MOST_TASKS; round++) {
        const lookups = answerable(batch);
        if (lookups.length === 0) break;
        const answers = await this.#effects.answers(run, lookups, stored);
        const answered = new Set<Effect>(lookups);
        batch.effects = batch.effects.filter((effect) => !answered.has(effect));
        run.advance(answers, engine, batch);
      }
      return batch;
    } catch (error) {
      logger.error("the engine failed", { run: run.row.id, error });
      return run.giveUp(`internal error: ${error instanceof Error ? error.message : String(error)}`, this.#now());
    }
  }

  /** Does what follows from a batch that is stored. */
  #follow(run: LiveRun, { tasks, effects }: Batch): void {
    const isOver = isFinal(run.state.progress.phase);
    this.#notices.tell({ row: run.row, tasks: [...tasks.values()], isOver });
    // What is left to do after a run does not end with it.
    if (isOver) void this.#effects.removeLeftovers(outboxRowsOf(run.row, effects));
    else this.#carryOut(run, effects);
  }

  async #commit(run: LiveRun, { tasks, progress, effects, spec }: Batch): Promise<void> {
    const { store } = this.#options;
    const time = this.#now();
    const outbox = outboxRowsOf(run.row, effects);
    const done = [...run.done];
    if (tasks.size === 0 && progress === undefined && outbox.length === 0) return;
    const advanced = progress === undefined ? run : advanceRecord(run, progress, time);
    const { history } = advanced;
    const row = spec === undefined ? advanced.row : { ...advanced.row, spec, version_id: "" };
    const { id, namespace } = row;
    const changed = [...tasks.values()];
    const change = {
      run: { id, namespace, pipeline: run.pipeline },
      ...{ tasks: changed, time, outbox, done, ...artifactLinks(run, changed, this.#options.engine) },
      ...(spec === undefined ? {} : { spec }),
    };
    await store.runs.commit(
      progress === undefined
        ? change
        : { ...change, progress: { value: progress, history, podsDueAt: podsDueAt(run.state.info, progress, this.#lifecycle) } },
    );
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

/** The questions to the cache that can be answered now: not those whose answer this very batch has yet to store. */
function answerable({ tasks, effects }: Batch): Extract<Effect, { readonly type: "lookupCache" }>[] {
  const made = new Set<string | undefined>();
  for (const { state, fingerprint } of tasks.values()) if (state === "SUCCEEDED") made.add(fingerprint);
  return effects.filter((effect) => effect.type === "lookupCache").filter(({ fingerprint }) => !made.has(fingerprint));
}

function podKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ""}/${name}`;
}
