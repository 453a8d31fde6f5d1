import { UserError } from "@sluice/kubernetes";
import { evaluateCondition } from "../domain/condition.ts";
import { cacheKeyOf, lookupEffect } from "./cache-key.ts";
import { claimEffect } from "./claim-task.ts";
import { closingOf } from "./closing.ts";
import { executorInputsOf } from "./executor.ts";
import { importedArtifact } from "./importer.ts";
import { iterationInputs, loopItems, resolveInputs } from "./inputs.ts";
import { runParameters, withDefaults } from "./parameter-type.ts";
import { containerOf, importerOf, isLoop, type PlannedTask, runsAnyway } from "./plan.ts";
import { claimNamesOf } from "./platform.ts";
import { podOf } from "./pod.ts";
import { retryDelay, retryPolicyOf } from "./retry-policy.ts";
import { hasTurns, type LoopItem, type OpenGraph, type OpenLoop, type RunState } from "./run-state.ts";

import { dueExitTasks, isStopped } from "./stop-run.ts";
import { rootTaskId } from "./task-id.ts";
import { iterationRecord, obstacleTo, taskRecord } from "./task-record.ts";
import {
  type Advance,
  type Effect,
  type EngineContext,
  hasEnded,
  NO_VALUES,
  type RunProgress,
  type TaskId,
  type TaskRecord,
  type TaskState,
  type TaskValues,
} from "./types.ts";
import { CLAIM_IMAGES, workspaceClaimOf } from "./volume-claim.ts";
import { blockedBy, conditionFalse } from "./why.ts";

/** How many tasks one event starts, so that nothing else waits long; the rest follows as soon as that has had its turn. */
const MOST_STARTS = 200;

/** One event's work on a run: it starts, ends and retries tasks, and notes what to store and to do. */
export class Transition {
  readonly run: RunState;
  readonly #time: number;
  readonly #context: EngineContext;
  readonly #changed = new Map<TaskId, TaskRecord>();
  readonly #effects: Effect[] = [];
  readonly #ended: TaskId[] = [];
  #hasProgressed = false;
  #starts = 0;

  constructor(run: RunState, time: number, context: EngineContext) {
    this.run = run;
    this.#time = time;
    this.#context = context;
  }

  /** Lets what has ended have its consequences, and tells what the event did. */
  finish(): Advance {
    for (let next = 0; next < this.#ended.length; next++) {
      const id = this.#ended[next];
      if (id !== undefined) this.#tellParent(this.run.get(id));
    }
    return {
      changed: [...this.#changed.values()],
      ...(this.#hasProgressed ? { progress: this.run.progress } : {}),
      effects: this.#effects,
    };
  }

  /** Changes the run as a whole. */
  progress(change: Partial<RunProgress>): void {
    this.run.progress = { ...this.run.progress, ...change };
    this.#hasProgressed = true;
  }

  effect(effect: Effect): void {
    this.#effects.push(effect);
  }

  /** Stores a record in place of the one it was made from. */
  put(record: TaskRecord): TaskRecord {
    this.run.put(record);
    this.#changed.set(record.id, record);
    return record;
  }

  /** Starts the run, or what of it awaits its turn again. */
  startRoot(): void {
    const { info } = this.run;
    const id = rootTaskId(this.#context.sha256, info.id);
    const deadline = this.deadline();
    if (deadline !== undefined) this.effect({ type: "wakeAt", time: deadline });
    const record: TaskRecord = this.run.tasks.get(id) ?? {
      id,
      runId: info.id,
      name: "root",
      displayName: info.spec.pipelineInfo.displayName ?? info.spec.pipelineInfo.name,
      path: "root",
      kind: "ROOT",
      component: "",
      state: "PENDING",
      step: "turn",
      attempt: 0,
      retries: 0,
      inputs: NO_VALUES,
      outputs: NO_VALUES,
      createdAt: this.#time,
    };
    this.#try(record, () => {
      const workspace = workspaceClaimOf(info);
      if (workspace !== undefined) this.effect({ type: "createVolumeClaim", claim: workspace });
      if (info.spec.root.dag === undefined) throw new UserError("the pipeline's root is not a graph of tasks");
      this.#openGraph({ ...record, inputs: { parameters: runParameters(info.spec.root, info.parameters), artifacts: {} } });
    });
  }

  /** When the run will be stopped; undefined if it may take any time. Exit tasks have as much time again. */
  deadline(): number | undefined {
    const { startedAt, stopping, isForced } = this.run.progress;
    const seconds = Number(this.run.info.platform?.platforms.kubernetes.pipelineConfig?.activeDeadlineSeconds ?? 0);
    if (seconds <= 0 || startedAt === undefined || isForced === true) return undefined;
    return startedAt + seconds * 1000 * (stopping === undefined ? 1 : 2);
  }

  /** Starts what was left to start when an event had started as much as it may. */
  proceed(): void {
    this.run.isProceeding = false;
    for (const id of [...this.run.behind]) {
      const loop = this.run.loops.get(id);
      const task = this.#plannedOf(this.run.get(id));
      this.run.behind.delete(id);
      if (loop !== undefined && task !== undefined) this.#startIterations(this.run.get(id), loop, task);
    }
    this.launchDue();
  }

  /** Tries again what has waited long enough. */
  launchDue(): void {
    for (const [retryAt, ids] of [...this.run.sleeping]) {
      if (retryAt > this.#time) continue;
      for (const id of [...ids]) {
        if (this.#starts >= MOST_STARTS) return this.#askToProceed();
        this.#starts++;
        this.launch(this.run.get(id));
      }
    }
  }

  #askToProceed(): void {
    if (this.run.isProceeding) return;
    this.run.isProceeding = true;
    this.effect({ type: "proceed" });
  }

  /** Ends a task; its consequences follow in `finish`. */
  end(record: TaskRecord, state: TaskState, change: Partial<TaskRecord> = {}): void {
    this.#putEnded({ ...record, ...change }, state);
    this.#ended.push(record.id);
  }

  /** What an earlier try of a task has left in it, and this one has not reached, ends with it. */
  #putEnded(record: TaskRecord, state: TaskState): void {
    const { step: _step, retryAt: _retryAt, ...rest } = record;
    this.put({ ...rest, state, endedAt: this.#time });
    const left = this.run.progress.stopping === undefined ? "SKIPPED" : "CANCELED";
    for (const child of this.run.children(record.id)) {
      if (!hasEnded(child.state)) this.#putEnded({ ...child, message: "it was not reached again" }, left);
    }
  }

  /** Creates the pod of the record's attempt, or fails the task if that cannot be. */
  launch(record: TaskRecord): void {
    const { retryAt: _retryAt, ...rest } = record;
    this.#try(record, () => {
      const pod = podOf(this.run, record, this.#context);
      this.put({ ...rest, state: "PENDING", step: "pod", podName: pod.metadata.name });
      this.effect({ type: "createPod", taskId: record.id, attempt: record.attempt, pod });
    });
  }

  /** Tries a failed attempt again if the task's policy has it, or else ends the task. */
  fail(record: TaskRecord, message: string): void {
    if (isStopped(this.run, record)) return this.end(record, "CANCELED", { message: "the run was stopped" });
    const delay = retryDelay(retryPolicyOf(this.run, record), record.retries);
    if (delay === undefined) return this.end(record, "FAILED", { message });
    const next: TaskRecord = { ...record, attempt: record.attempt + 1, retries: record.retries + 1, message };
    if (delay === 0) return this.launch(next);
    const retryAt = this.#time + delay;
    this.put({ ...next, state: "PENDING", step: "backoff", retryAt });
    this.effect({ type: "wakeAt", time: retryAt });
  }

  /** Does what may throw a `UserError` about the task, which fails it. */
  #try(record: TaskRecord, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.end(record, "FAILED", { message: error.message });
    }
  }

  #openGraph(record: TaskRecord): void {
    this.put({ ...record, state: "RUNNING", step: "children", startedAt: record.startedAt ?? this.#time });
    const graph = this.run.openGraph(record);
    for (const task of graph.plan.values()) {
      if (graph.waiting.get(task.name) === 0) this.#start(record, graph, task);
    }
    if (graph.running === 0) this.#close(record.id);
  }

  #start(parent: TaskRecord, graph: OpenGraph, task: PlannedTask): void {
    if (!graph.waiting.delete(task.name)) return;
    graph.running++;
    this.#starts++;
    const record = taskRecord(this.run, parent, task, { sha256: this.#context.sha256, time: this.#time });
    const obstacle = runsAnyway(task.spec) ? undefined : obstacleTo(this.run, parent, task);
    if (obstacle !== undefined) return this.end(record, "SKIPPED", blockedBy(obstacle));
    this.#try(record, () => {
      const inputs = resolveInputs(this.run, parent, task, record.id);
      const ready = { ...record, inputs };
      const condition = task.spec.triggerPolicy?.condition;
      if (condition !== undefined && condition !== "") {
        const known = executorInputsOf(task.component, inputs);
        if (!evaluateCondition(condition, known)) return this.end(ready, "SKIPPED", conditionFalse(condition, known.parameterValues));
      }
      if (isLoop(task.spec)) this.#openLoop(ready, task);
      else this.#begin(ready, task);
    });
  }

  /** Begins a task, or one iteration of it, whose inputs are known. */
  #begin(record: TaskRecord, task: PlannedTask): void {
    const { component } = task;
    const { spec } = this.run.info;
    if (component.dag !== undefined) {
      const isIteration = record.iteration !== undefined;
      const parameters = isIteration ? record.inputs.parameters : withDefaults(component, record.inputs.parameters);
      return this.#openGraph({ ...record, inputs: { ...record.inputs, parameters } });
    }
    const importer = importerOf(spec, component);
    if (importer !== undefined) {
      const outputs = importedArtifact(this.run, record, component, importer, this.#context.sha256);
      return this.end(record, "SUCCEEDED", { outputs, startedAt: this.#time });
    }
    const container = containerOf(spec, component);
    if (container === undefined) throw new UserError(`component ${JSON.stringify(record.component)} has nothing to run`);
    if (container.image === CLAIM_IMAGES.create || container.image === CLAIM_IMAGES.delete) return this.#changeClaim(record);
    const pvcNames = claimNamesOf(this.run, record);
    const { isCacheEnabled, sha256 } = this.#context;
    const key = isCacheEnabled ? cacheKeyOf(task, container, record.inputs, { sha256, pvcNames }) : undefined;
    if (key === undefined) return this.launch({ ...record, why: { type: "uncached", because: isCacheEnabled ? "pipeline" : "installation" } });
    const { fingerprint, parts: keyParts } = key;
    const keyed: TaskRecord = { ...record, fingerprint, keyParts };
    const effect = lookupEffect(this.run, keyed, fingerprint, this.#context);
    // Its result may be shared by others all the same.
    if (effect.maxAgeMs === 0) return this.launch({ ...keyed, why: { type: "uncached", because: "staleness" } });
    this.put({ ...keyed, step: "cache" });
    this.effect(effect);
  }

  #changeClaim(record: TaskRecord): void {
    const effect = claimEffect(this.run, record);
    this.put({ ...record, state: "RUNNING", step: "claim", startedAt: this.#time });
    this.effect(effect);
  }

  #openLoop(record: TaskRecord, task: PlannedTask): void {
    const inputs: TaskValues =
      task.component.dag === undefined ? record.inputs : { ...record.inputs, parameters: withDefaults(task.component, record.inputs.parameters) };
    const items = loopItems(task.spec, inputs);
    const opened = this.put({
      ...record,
      inputs,
      kind: "LOOP",
      state: "RUNNING",
      step: "children",
      iterationCount: items.length,
      startedAt: this.#time,
    });
    this.#startIterations(opened, this.run.openLoop(opened, items, task.spec.iteratorPolicy?.parallelismLimit ?? 0), task);
  }

  /** Starts as many iterations as the loop's limit and this event allow, and ends a loop that has none left. */
  #startIterations(record: TaskRecord, loop: OpenLoop, task: PlannedTask): void {
    while (hasTurns(loop) && !isStopped(this.run, record)) {
      if (this.#starts >= MOST_STARTS) {
        this.run.behind.add(record.id);
        return this.#askToProceed();
      }
      const index = loop.turns.shift() ?? loop.next++;
      const item = loop.items[index];
      if (item === undefined) continue;
      loop.running++;
      this.#starts++;
      this.#startIteration(record, task, index, item);
    }
    if (loop.running === 0) this.#close(record.id);
  }

  #startIteration(parent: TaskRecord, task: PlannedTask, index: number, item: LoopItem): void {
    const record = iterationRecord(this.run, parent, task, { sha256: this.#context.sha256, time: this.#time, index });
    this.#try(record, () => this.#begin({ ...record, inputs: iterationInputs(task, parent.inputs, item) }, task));
  }

  #tellParent(record: TaskRecord): void {
    if (record.parentId === undefined) return this.#endRun(record);
    const parent = this.run.get(record.parentId);
    const loop = this.run.loops.get(parent.id);
    if (loop !== undefined) {
      loop.running--;
      const task = this.#plannedOf(parent);
      if (task !== undefined && !this.run.behind.has(parent.id)) this.#startIterations(parent, loop, task);
      return;
    }
    const graph = this.run.graphs.get(parent.id);
    if (graph === undefined) return;
    graph.running--;
    const isOver = isStopped(this.run, parent);
    for (const name of graph.plan.get(record.name)?.dependents ?? []) {
      const waiting = graph.waiting.get(name);
      const task = graph.plan.get(name);
      if (waiting === undefined || task === undefined) continue;
      graph.waiting.set(name, waiting - 1);
      if (waiting === 1 && !isOver) this.#start(parent, graph, task);
    }
    if (graph.running === 0 && isOver) this.#startExitTasks(parent, graph);
    if (graph.running === 0) this.#close(parent.id);
  }

  #startExitTasks(parent: TaskRecord, graph: OpenGraph): void {
    for (const name of dueExitTasks(this.run, parent)) {
      const task = graph.plan.get(name);
      if (task !== undefined) this.#start(parent, graph, task);
    }
  }

  /** What the graph around a task says of it. */
  #plannedOf(record: TaskRecord): PlannedTask | undefined {
    return record.parentId === undefined ? undefined : this.run.plan(this.run.get(record.parentId).component).get(record.name);
  }

  /** Ends a graph or loop in which nothing runs any more. */
  #close(id: TaskId): void {
    const record = this.run.get(id);
    if (hasEnded(record.state)) return;
    const { state, ...change } = closingOf(this.run, record);
    this.run.graphs.delete(id);
    this.run.loops.delete(id);
    this.run.behind.delete(id);
    this.end(record, state, change);
  }

  #endRun(root: TaskRecord): void {
    const { stopping } = this.run.progress;
    const phase = stopping === "terminated" ? "CANCELED" : stopping === "deadline" || root.state === "FAILED" ? "FAILED" : "SUCCEEDED";
    const message = stopping === "deadline" ? "the run took longer than its deadline allows" : root.message;
    this.progress({ phase, endedAt: this.#time, ...(message === undefined ? {} : { message }) });
    const workspace = phase === "SUCCEEDED" ? workspaceClaimOf(this.run.info) : undefined;
    if (workspace !== undefined) this.effect({ type: "deleteVolumeClaim", name: workspace.metadata.name });
  }
}
