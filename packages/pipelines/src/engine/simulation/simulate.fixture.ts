import type { JsonValue, PipelineSpec } from "../../domain/ir.ts";
import {
  advance,
  type Advance,
  type Effect,
  type EngineContext,
  type EngineEvent,
  hasEnded,
  newRun,
  outstandingEffects,
  restoreRun,
  type RunInfo,
  type RunProgress,
  type RunState,
  type TaskRecord,
  type TaskReport,
} from "../index.ts";
import { artifactUri, cachedOutput, type Outcomes, outputOf } from "./outcome.fixture.ts";
import { isInExitTask } from "./reference.fixture.ts";
import { quickHash, type Random } from "./random.fixture.ts";

const CONTEXT: EngineContext = { sha256: quickHash, settings: {}, isCacheEnabled: true };
const DATASET = { schemaTitle: "system.Dataset" };

/** What a simulated run meets beside its tasks' outcomes. */
export interface Trouble {
  /** One step in so many ends the process; 0 for never. */
  readonly crashOneIn: number;
  /** One event in so many comes twice; 0 for none. */
  readonly twiceOneIn: number;
  /** The steps at which somebody asks to stop the run. */
  readonly terminateAt?: readonly number[];
  readonly deadlineSeconds?: number;
}

interface Pod {
  readonly taskId: string;
  readonly attempt: number;
  readonly path: string;
  readonly report: TaskReport | undefined;
  phase: "waiting" | "running" | "over" | "gone";
}

/** Something that may happen next. */
type Pending =
  | { readonly what: "effect"; readonly effect: Effect }
  | { readonly what: "event"; readonly event: EngineEvent }
  | { readonly what: "pod"; readonly name: string };

/** A run, its store, and a cluster for its pods, in which everything happens in whatever order `random` chooses. */
export class Simulation {
  run: RunState;
  /** Tells each attempt that ran, in order. */
  readonly executed: string[] = [];
  outcomes: Outcomes;
  trouble: Trouble;
  readonly #random: Random;
  readonly #pods = new Map<string, Pod>();
  readonly #delivered: EngineEvent[] = [];
  #stored = new Map<string, TaskRecord>();
  #progress: RunProgress = { phase: "PENDING" };
  #info: RunInfo;
  #pending: Pending[] = [];
  #time = 0;
  #steps = 0;

  constructor(spec: PipelineSpec, outcomes: Outcomes, options: { readonly random: Random; readonly trouble: Trouble }) {
    this.outcomes = outcomes;
    this.#random = options.random;
    this.trouble = options.trouble;
    const { deadlineSeconds } = options.trouble;
    const info: RunInfo = { id: "r", displayName: "r", namespace: "n", spec, parameters: {}, pipelineRoot: "s3://b/p", createdAt: 0 };
    this.run = newRun(
      deadlineSeconds === undefined
        ? info
        : { ...info, platform: { platforms: { kubernetes: { pipelineConfig: { activeDeadlineSeconds: deadlineSeconds } } } } },
    );
    this.#info = this.run.info;
  }

  /** Lets the run go on from `event` to its end. */
  play(event: EngineEvent): void {
    this.#pending.push({ what: "event", event });
    for (let idle = 0; ; this.#steps++) {
      check(this.#steps < 5_000, "the run ends");
      if (this.trouble.terminateAt?.includes(this.#steps) === true) this.#offer({ type: "terminateRequested", time: this.#time });
      if (this.trouble.crashOneIn > 0 && this.#random.oneIn(this.trouble.crashOneIn)) this.#crash();
      const next = this.#take();
      if (next === undefined) {
        // Whoever awaits nothing has ended.
        if (idle++ > 0 || this.run.progress.endedAt !== undefined) break;
        this.#crash();
        continue;
      }
      idle = 0;
      this.#time++;
      if (next.what === "event") this.#send(next.event);
      else if (next.what === "pod") this.#live(next.name);
      else this.#do(next.effect);
    }
    check(this.run.progress.endedAt !== undefined, "the run ends");
    for (const task of this.run.tasks.values()) check(hasEnded(task.state) && task.step === undefined, `${task.path} has ended`);
    this.#comeLate();
  }

  /** What is told once more after the end changes nothing. */
  #comeLate(): void {
    for (let count = 0; count < 5 && this.#delivered.length > 0; count++) {
      const event = this.#random.pick(this.#delivered);
      if (event.type === "retryRequested") continue;
      const { changed, progress, effects } = advance(this.run, { ...event, time: this.#time + 100_000 }, CONTEXT);
      check(changed.length === 0 && progress === undefined && effects.length === 0, `a late ${event.type} changes nothing`);
    }
  }

  #take(): Pending | undefined {
    if (this.#pending.length === 0) return undefined;
    const index = this.#random.below(this.#pending.length);
    const last = this.#pending.pop();
    if (last === undefined || index === this.#pending.length) return last;
    const taken = this.#pending[index];
    this.#pending[index] = last;
    return taken;
  }

  #offer(event: EngineEvent): void {
    this.#pending.push({ what: "event", event });
    if (this.trouble.twiceOneIn > 0 && event.type !== "terminateRequested" && this.#random.oneIn(this.trouble.twiceOneIn)) {
      this.#pending.push({ what: "event", event });
    }
  }

  #send(event: EngineEvent): void {
    const result = advance(this.run, event, CONTEXT);
    if (this.trouble.crashOneIn > 0 && this.#random.oneIn(4 * this.trouble.crashOneIn)) {
      // The process ends before it has stored what it decided; what it was told of, it is told again.
      if (event.type === "retryRequested" || event.type === "terminateRequested" || event.type === "runStarted") {
        this.#pending.push({ what: "event", event });
      }
      this.#crash();
      return;
    }
    this.#delivered.push(event);
    this.#store(result);
    for (const effect of result.effects) {
      if (effect.type === "createPod") this.#checkMayStart(this.run.get(effect.taskId).path);
      this.#pending.push({ what: "effect", effect });
    }
  }

  #checkMayStart(path: string): void {
    const { stopping, isForced } = this.run.progress;
    if (stopping !== undefined) check(isForced !== true && isInExitTask(this.run.info.spec, path), `${path} may start`);
  }

  #store({ changed, progress }: Advance): void {
    const seen = new Set<string>();
    for (const record of changed) {
      check(!seen.has(record.id), "a record is told once");
      seen.add(record.id);
      check(this.run.tasks.get(record.id) === record, "a changed record is the present one");
      this.#stored.set(record.id, record);
    }
    this.#info = this.run.info;
    if (progress === undefined) return;
    check(progress === this.run.progress, "progress is told");
    this.#progress = progress;
  }

  /** The end of the process: what is stored and what runs in the cluster is all that is left. */
  #crash(): void {
    const isRead = this.#random.oneIn(4);
    const records = [...this.#stored.values()].map((record) => (isRead ? (JSON.parse(JSON.stringify(record)) as TaskRecord) : record));
    this.run = restoreRun(this.#info, this.#progress, records);
    const asked = this.#pending.filter(({ what }) => what === "event") as Extract<Pending, { what: "event" }>[];
    // Who asked for something asks again.
    this.#pending = asked.filter(({ event: { type } }) => type === "terminateRequested" || type === "retryRequested" || type === "runStarted");
    for (const effect of outstandingEffects(this.run, CONTEXT)) this.#pending.push({ what: "effect", effect });
    for (const [name, pod] of this.#pods) if (pod.phase === "waiting" || pod.phase === "running") this.#pending.push({ what: "pod", name });
    for (const { id, attempt, step, state, podName = "" } of this.run.tasks.values()) {
      if (step !== "pod") continue;
      const pod = this.#pods.get(podName);
      if (pod?.phase === "over" || pod?.phase === "gone") this.#tellEnd(pod);
      else if (pod === undefined && state === "RUNNING")
        this.#offer({ type: "podFinished", time: this.#time, taskId: id, attempt, succeeded: false });
    }
  }

  #do(effect: Effect): void {
    const time = this.#time;
    switch (effect.type) {
      case "lookupCache": {
        const { path } = this.run.get(effect.taskId);
        const { out, uri } = cachedOutput(path);
        const art = [{ id: uri, name: "art", type: DATASET, uri, metadata: {} }];
        const hit = this.outcomes.isCached(path)
          ? { hit: { runId: "earlier", taskId: "earlier", madeAt: 0, outputs: { parameters: { out }, artifacts: { art } } } }
          : {};
        return this.#offer({ type: "cacheAnswered", time, taskId: effect.taskId, ...hit });
      }
      case "createPod":
        return this.#create(effect);
      case "deletePod": {
        const pod = this.#pods.get(effect.podName);
        if (pod !== undefined && pod.phase !== "over") pod.phase = "gone";
        if (pod === undefined)
          this.#pods.set(effect.podName, { taskId: effect.taskId, attempt: effect.attempt, path: "", report: undefined, phase: "gone" });
        return this.#offer({ type: "podFinished", time, taskId: effect.taskId, attempt: effect.attempt, succeeded: false });
      }
      case "wakeAt":
        this.#time = Math.max(time, effect.time);
        return this.#offer({ type: "timeReached", time: this.#time });
      case "proceed":
        return this.#offer({ type: "proceed", time });
      case "createVolumeClaim":
      case "deleteVolumeClaim":
        throw new Error("no pipeline here has claims");
    }
  }

  #create({ taskId, attempt, pod: { metadata, spec } }: Extract<Effect, { type: "createPod" }>): void {
    if (this.#pods.has(metadata.name)) return;
    const task = this.run.get(taskId);
    const input = JSON.parse(spec.containers[0]?.args?.[0]?.replaceAll("$$", "$") ?? "") as {
      readonly inputs: { readonly parameterValues: Record<string, JsonValue>; readonly artifacts: Record<string, { artifacts: { uri: string }[] }> };
    };
    const artifacts = Object.fromEntries(Object.entries(input.inputs.artifacts).map(([name, list]) => [name, list.artifacts.map(({ uri }) => uri)]));
    const out = outputOf(task.path, { parameters: input.inputs.parameterValues, artifacts });
    const art = { output: "art", name: "art", type: DATASET, uri: artifactUri(task.path), metadata: {} };
    const report = { runId: "r", taskId, attempt, parameters: { out }, artifacts: [art], problems: [] };
    const succeeds = this.outcomes.succeeds(task.path, attempt);
    this.#pods.set(metadata.name, { taskId, attempt, path: task.path, report: succeeds ? report : undefined, phase: "waiting" });
    this.#pending.push({ what: "pod", name: metadata.name });
  }

  /** A pod's next step. */
  #live(name: string): void {
    const pod = this.#pods.get(name);
    if (pod === undefined) return;
    const { taskId, attempt, path } = pod;
    if (pod.phase === "waiting") {
      pod.phase = "running";
      this.executed.push(`${path}/${attempt}`);
      this.#offer({ type: "podRunning", time: this.#time, taskId, attempt });
      this.#pending.push({ what: "pod", name });
    } else if (pod.phase === "running") {
      pod.phase = "over";
      this.#tellEnd(pod);
    }
  }

  #tellEnd({ taskId, attempt, phase, report }: Pod): void {
    const succeeded = phase === "over" && report !== undefined;
    this.#offer({ type: "podFinished", time: this.#time, taskId, attempt, succeeded, ...(succeeded ? { report } : { exitCode: 1 }) });
  }
}

/** Throws unless it holds. */
export function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not so: ${what}`);
}
