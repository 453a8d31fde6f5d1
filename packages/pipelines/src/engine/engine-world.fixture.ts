import { createHash } from "node:crypto";
import type { JsonObject } from "../domain/ir.ts";
import { parsePipeline } from "../domain/ir-parse.ts";
import {
  advance,
  type Effect,
  type EngineContext,
  type EngineEvent,
  newRun,
  type RunInfo,
  type RunState,
  type TaskRecord,
  type TaskReport,
} from "./index.ts";

/** An engine that may share results. */
export const context: EngineContext = { sha256: (text) => createHash("sha256").update(text).digest("hex"), settings: {}, isCacheEnabled: true };

/** A run of the pipeline that is written in `yaml`. */
export function infoOf(yaml: string, parameters: JsonObject = {}): RunInfo {
  const { pipelineSpec, platformSpec } = parsePipeline(yaml);
  return {
    id: "run-1",
    displayName: "My run",
    namespace: "ns",
    spec: pipelineSpec,
    ...(platformSpec ? { platform: platformSpec } : {}),
    parameters,
    pipelineRoot: "minio://mlpipeline/v2/artifacts",
    createdAt: 0,
  };
}

/** What a pod comes to. */
export interface Outcome {
  readonly succeeded: boolean;
  readonly parameters?: TaskReport["parameters"];
  /** It goes on until somebody stops it. */
  readonly hangs?: boolean;
}

/** A cluster in which every pod runs at once and ends as `outcome` says. */
export class World {
  run: RunState;
  time = 1000;
  readonly started: string[] = [];
  readonly pods: Extract<Effect, { type: "createPod" }>[] = [];
  readonly cache: Map<string, TaskRecord> = new Map();
  readonly #queue: Effect[] = [];
  readonly #outcome: (task: TaskRecord) => Outcome;
  maxRunning = 0;

  constructor(yaml: string, outcome: (task: TaskRecord) => Outcome = () => ({ succeeded: true }), parameters: JsonObject = {}) {
    this.run = newRun(infoOf(yaml, parameters));
    this.#outcome = outcome;
  }

  send(event: EngineEvent): void {
    this.#queue.push(...advance(this.run, event, context).effects);
  }

  finish(): this {
    this.send({ type: "runStarted", time: this.time });
    this.drain();
    return this;
  }

  drain(): void {
    for (let effect = this.#next(); effect !== undefined; effect = this.#next()) {
      this.maxRunning = Math.max(this.maxRunning, [...this.run.tasks.values()].filter(({ step }) => step === "pod").length);
      this.do(effect);
    }
  }

  /** Time passes only when nothing else is to be done. */
  #next(): Effect | undefined {
    const index = this.#queue.findIndex(({ type }) => type !== "wakeAt");
    return this.#queue.splice(Math.max(index, 0), 1)[0];
  }

  do(effect: Effect): void {
    this.time += 1;
    const { time } = this;
    if (effect.type === "lookupCache") {
      const hit = this.cache.get(effect.fingerprint);
      this.send({
        type: "cacheAnswered",
        time,
        taskId: effect.taskId,
        ...(hit ? { hit: { runId: hit.runId, taskId: hit.id, madeAt: 0, outputs: hit.outputs } } : {}),
      });
    } else if (effect.type === "createPod") {
      this.pods.push(effect);
      const task = this.run.get(effect.taskId);
      this.started.push(task.path);
      this.send({ type: "podRunning", time, taskId: task.id, attempt: effect.attempt });
      if (this.#outcome(task).hangs !== true) this.finishPod(effect.taskId, effect.attempt);
    } else if (effect.type === "deletePod") {
      this.send({ type: "podFinished", time, taskId: effect.taskId, attempt: effect.attempt, succeeded: false, message: "deleted" });
    } else if (effect.type === "wakeAt") {
      this.time = Math.max(this.time, effect.time);
      this.send({ type: "timeReached", time: this.time });
    } else if (effect.type === "proceed") {
      this.send({ type: "proceed", time });
    } else if (effect.taskId !== undefined) {
      this.send({ type: "claimDone", time, taskId: effect.taskId });
    }
  }

  finishPod(taskId: string, attempt: number): void {
    const { succeeded, parameters = {} } = this.#outcome(this.run.get(taskId));
    const outputs = this.run.info.spec.components?.[this.run.get(taskId).component]?.outputDefinitions?.artifacts ?? {};
    const artifacts = Object.keys(outputs).map((output) => ({
      output,
      name: output,
      type: { schemaTitle: "system.Dataset" },
      uri: `minio://b/${taskId}/${output}`,
      metadata: {},
    }));
    const report: TaskReport = { runId: "run-1", taskId, attempt, parameters, artifacts, problems: [] };
    this.send({ type: "podFinished", time: this.time, taskId, attempt, succeeded, ...(succeeded ? { report } : { exitCode: 1 }) });
    const task = this.run.get(taskId);
    if (task.state === "SUCCEEDED" && task.fingerprint !== undefined) this.cache.set(task.fingerprint, task);
  }

  task(path: string): TaskRecord {
    const found = [...this.run.tasks.values()].find((task) => task.path === path);
    if (found === undefined) throw new Error(`no ${path} among ${[...this.run.tasks.values()].map((task) => task.path).join(", ")}`);
    return found;
  }

  states(): Record<string, string> {
    return Object.fromEntries([...this.run.tasks.values()].map((task) => [task.path, task.state]));
  }
}
