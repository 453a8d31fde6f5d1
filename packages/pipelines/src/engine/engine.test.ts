import { createHash } from "node:crypto";
import {
  collect,
  compare,
  compile,
  component,
  container,
  dataset,
  finalStatus,
  forEach,
  integer,
  list,
  number,
  onExit,
  otherwise,
  pipeline,
  string,
  when,
} from "@sluice/sdk";
import { expect, test } from "vitest";
import { parsePipeline } from "../domain/ir-parse.ts";
import {
  advance,
  type Effect,
  type EngineContext,
  type EngineEvent,
  newRun,
  outstandingEffects,
  restoreRun,
  type RunInfo,
  type RunState,
  type TaskRecord,
  type TaskReport,
} from "./index.ts";

const context: EngineContext = { sha256: (text) => createHash("sha256").update(text).digest("hex"), settings: {}, isCacheEnabled: true };

function infoOf(yaml: string, parameters: RunInfo["parameters"] = {}): RunInfo {
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

interface Outcome {
  succeeded: boolean;
  parameters?: TaskReport["parameters"];
}

/** A cluster in which every pod runs at once and ends as `outcome` says. */
class World {
  run: RunState;
  time = 1000;
  readonly started: string[] = [];
  readonly pods: Extract<Effect, { type: "createPod" }>[] = [];
  readonly cache = new Map<string, TaskRecord>();
  readonly #queue: Effect[] = [];
  readonly #outcome: (task: TaskRecord) => Outcome;
  maxRunning = 0;

  constructor(yaml: string, outcome: (task: TaskRecord) => Outcome = () => ({ succeeded: true }), parameters: RunInfo["parameters"] = {}) {
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
    for (let effect = this.#queue.shift(); effect !== undefined; effect = this.#queue.shift()) {
      this.maxRunning = Math.max(this.maxRunning, [...this.run.tasks.values()].filter(({ step }) => step === "pod").length);
      this.do(effect);
    }
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
      this.finishPod(effect.taskId, effect.attempt);
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

const roll = component({ name: "roll", inputs: { x: number() }, outputs: { value: number() }, run: ({ inputs }) => ({ value: inputs.x }) });
const use = component({ name: "use", inputs: { x: number() }, outputs: {}, run: () => undefined });
const useAll = component({ name: "use-all", inputs: { xs: list(number()) }, outputs: {}, run: () => undefined });
const make = container({
  name: "make",
  image: "busybox",
  inputs: { n: string({ default: "a$(b)" }) },
  outputs: { data: dataset() },
  command: ["echo", "{{$.inputs.parameters['n']}}", "$(HOME)"],
});
const eat = container({
  name: "eat",
  image: "busybox",
  inputs: { data: dataset() },
  outputs: {},
  command: ["cat", "{{$.inputs.artifacts['data'].path}}"],
});
const notify = component({ name: "notify", inputs: { status: finalStatus() }, outputs: {}, run: () => undefined });

test("runs tasks in order, passes artifacts, and shapes pods", () => {
  const yaml = compile(
    pipeline({ name: "plain", inputs: {} }, () => {
      eat({ data: make({}, { retry: 1 }).outputs.data }, { resources: { cpu: "1", accelerator: { type: "nvidia.com/gpu", count: 2 } } });
    }),
  );
  const world = new World(yaml).finish();
  expect(world.states()).toEqual({ root: "SUCCEEDED", "root.make": "SUCCEEDED", "root.eat": "SUCCEEDED" });
  expect(world.run.progress.phase).toBe("SUCCEEDED");
  const [first, second] = world.pods.map(({ pod }) => pod);
  // A value's own $( is not a variable, the author's is.
  expect(first!.spec.containers[0]!.command).toEqual(["echo", "a$$(b)", "$(HOME)"]);
  // Also without inputs, the directories of outputs are made before the container starts.
  expect(first!.spec.initContainers.map(({ name }) => name)).toEqual(["fetch", "publish"]);
  expect(second!.spec.initContainers.map(({ name }) => name)).toEqual(["fetch", "publish"]);
  expect(second!.spec.containers[0]!.resources!.limits).toEqual({ cpu: "1", "nvidia.com/gpu": "2" });
  expect(second!.spec.containers[0]!.command![1]).toMatch(/^\/minio\/b\//);
  expect(second!.metadata.name).toMatch(/^plain-eat-[0-9a-f]{10}$/);
});

test("an identical task is cached, and costs no pod", () => {
  const yaml = compile(
    pipeline({ name: "cached", inputs: {} }, () => {
      eat({ data: make({}).outputs.data });
    }),
  );
  const first = new World(yaml).finish();
  const second = new World(yaml);
  for (const [key, value] of first.cache) second.cache.set(key, value);
  second.finish();
  expect(second.states()).toEqual({ root: "SUCCEEDED", "root.make": "CACHED", "root.eat": "CACHED" });
  expect(second.pods).toHaveLength(0);
  expect(second.task("root.make").cachedFrom).toBe(first.task("root.make").id);
});

test("conditions choose one branch and skip the other", () => {
  const yaml = compile(
    pipeline({ name: "branches", inputs: { n: integer({ default: 5 }) } }, ({ n }) => {
      const rolled = roll({ x: 7 });
      when(compare(n, ">", 3), () => {
        use({ x: rolled.outputs.value });
      });
      otherwise(() => {
        use({ x: 2 });
      });
    }),
  );
  const world = new World(yaml, ({ name }) => ({ succeeded: true, parameters: name === "roll" ? { value: 7 } : {} })).finish();
  expect(world.run.progress.phase).toBe("SUCCEEDED");
  expect(world.started).toEqual(["root.roll", "root.condition-branches-1.condition-1.use"]);
  expect(world.task("root.condition-branches-1.condition-2").state).toBe("SKIPPED");
  expect(world.task("root.condition-branches-1").kind).toBe("CONDITION_BRANCH");
  expect(new World(yaml, undefined, { n: "x" }).finish().run.progress).toMatchObject({
    phase: "FAILED",
    message: expect.stringContaining('"n" type mismatch'),
  });
});

test("a loop keeps its limit and collects in order", () => {
  const yaml = compile(
    pipeline({ name: "loop", inputs: { xs: list(number(), { default: [3, 1, 2] }) } }, ({ xs }) => {
      let out: ReturnType<typeof roll> | undefined;
      forEach(
        xs,
        (x) => {
          out = roll({ x }, { cache: false });
        },
        { parallelism: 2 },
      );
      useAll({ xs: collect(out!.outputs.value) });
    }),
  );
  const outcome = (task: TaskRecord): Outcome => ({
    succeeded: true,
    parameters: task.name === "roll" ? { value: Number(task.inputs.parameters["x"]) * 10 } : {},
  });
  const world = new World(yaml, outcome).finish();
  expect(world.task("root.use-all").inputs.parameters).toEqual({ xs: [30, 10, 20] });
  expect(world.maxRunning).toBe(2);
  const empty = new World(yaml, outcome, { xs: [] }).finish();
  expect(empty.task("root.use-all").inputs.parameters).toEqual({ xs: [] });
});

test("a failure skips what follows, and the exit task still runs with its status", () => {
  const yaml = compile(
    pipeline({ name: "exits", inputs: {} }, () => {
      const last = notify({});
      onExit(last, () => {
        use({ x: roll({ x: 1 }, { retry: { limit: 2, backoffSeconds: 10 } }).outputs.value });
      });
    }),
  );
  const world = new World(yaml, ({ name }) => ({ succeeded: name === "notify" })).finish();
  expect(world.run.progress).toMatchObject({ phase: "FAILED", message: expect.stringContaining("exited with code 1") });
  expect(world.task("root.exit-handler-1.use").state).toBe("SKIPPED");
  expect(world.task("root.exit-handler-1.roll")).toMatchObject({ attempt: 2, retries: 2, state: "FAILED" });
  expect(world.task("root.notify").inputs.parameters["status"]).toMatchObject({ state: "FAILED", pipelineTaskName: "exit-handler-1" });
  expect(world.started.at(-1)).toBe("root.notify");
  expect(world.time).toBeGreaterThan(31_000);
  expect(new Set(world.pods.map(({ pod }) => pod.metadata.name)).size).toBe(world.pods.length);
});

test("terminate deletes pods and cancels; retry runs again only what did not succeed", () => {
  const yaml = compile(
    pipeline({ name: "stop", inputs: {} }, () => {
      use({ x: roll({ x: 1 }).outputs.value });
    }),
  );
  let broken = true;
  const world = new World(yaml, ({ name }) => (name === "roll" ? { succeeded: true, parameters: { value: 1 } } : { succeeded: !broken })).finish();
  expect(world.run.progress.phase).toBe("FAILED");
  broken = false;
  world.send({ type: "retryRequested", time: 5000 });
  world.drain();
  expect(world.run.progress.phase).toBe("SUCCEEDED");
  expect(world.started).toEqual(["root.roll", "root.use", "root.use"]);
  expect(world.pods[1]!.pod.metadata.name).not.toBe(world.pods[2]!.pod.metadata.name);

  const run = newRun(infoOf(yaml));
  const [lookup] = advance(run, { type: "runStarted", time: 1 }, context).effects;
  const taskId = lookup?.type === "lookupCache" ? lookup.taskId : "";
  advance(run, { type: "cacheAnswered", time: 2, taskId }, context);
  const stopped = advance(run, { type: "terminateRequested", time: 3 }, context);
  expect(stopped.effects).toMatchObject([{ type: "deletePod" }]);
  expect(run.progress.phase).toBe("CANCELING");
  advance(run, { type: "podFinished", time: 4, taskId, attempt: 0, succeeded: false }, context);
  expect(run.progress.phase).toBe("CANCELED");
  expect([...run.tasks.values()].every(({ endedAt }) => endedAt !== undefined)).toBe(true);
});

test("a pod without a report, or with problems, fails its task", () => {
  const yaml = compile(
    pipeline({ name: "report", inputs: {} }, () => {
      roll({ x: 1 }, { cache: false });
    }),
  );
  const fail = (report?: TaskReport): string | undefined => {
    const run = newRun(infoOf(yaml));
    const effect = advance(run, { type: "runStarted", time: 1 }, context).effects[0];
    const taskId = effect?.type === "createPod" ? effect.taskId : "";
    advance(run, { type: "podFinished", time: 4, taskId, attempt: 0, succeeded: true, ...(report ? { report } : {}) }, context);
    return run.get(taskId).message;
  };
  expect(fail()).toContain("reported no outputs");
  expect(fail({ runId: "", taskId: "", attempt: 0, parameters: {}, artifacts: [], problems: ["no x", "no y"] })).toBe("no x; no y");
});

test("a wide loop costs little per event", () => {
  const yaml = compile(
    pipeline({ name: "wide", inputs: {} }, () => {
      forEach(
        Array.from({ length: 1000 }, (_, index) => index),
        (x) => {
          use({ x }, { cache: false });
        },
      );
    }),
  );
  const world = new World(yaml);
  const pods: Effect[] = [];
  let event: EngineEvent = { type: "runStarted", time: 1 };
  for (let hasMore = true; hasMore; event = { type: "proceed", time: 1 }) {
    const { effects } = advance(world.run, event, context);
    hasMore = effects.some(({ type }) => type === "proceed");
    expect(effects.length).toBeLessThanOrEqual(201);
    pods.push(...effects.filter(({ type }) => type === "createPod"));
  }
  expect(pods).toHaveLength(1000);
  const sizes = pods.map((effect) =>
    effect.type === "createPod"
      ? advance(
          world.run,
          {
            type: "podFinished",
            time: 2,
            taskId: effect.taskId,
            attempt: 0,
            succeeded: true,
            report: { runId: "", taskId: effect.taskId, attempt: 0, parameters: {}, artifacts: [], problems: [] },
          },
          context,
        ).changed.length
      : 0,
  );
  expect(sizes.slice(0, -1).every((size) => size === 2)).toBe(true);
  expect(world.run.progress.phase).toBe("SUCCEEDED");
});

test("a restored run tells what is outstanding", () => {
  const yaml = compile(
    pipeline({ name: "restore", inputs: {} }, () => {
      roll({ x: 1 });
      make({});
    }),
  );
  const run = newRun(infoOf(yaml));
  const { effects } = advance(run, { type: "runStarted", time: 1 }, context);
  const records = JSON.parse(JSON.stringify([...run.tasks.values()].reverse())) as TaskRecord[];
  const restored = restoreRun(run.info, run.progress, records);
  expect(new Set(outstandingEffects(restored, context).map((effect) => JSON.stringify(effect)))).toEqual(
    new Set(effects.map((effect) => JSON.stringify(effect))),
  );
});

test("a run that takes longer than its deadline is stopped, and fails", () => {
  const yaml = compile(
    pipeline({ name: "late", inputs: {} }, () => {
      roll({ x: 1 }, { cache: false });
    }),
  );
  const run = newRun(infoOf(`${yaml}\n---\nplatforms: {kubernetes: {pipelineConfig: {activeDeadlineSeconds: 60}}}\n`));
  const { effects } = advance(run, { type: "runStarted", time: 0 }, context);
  expect(effects).toMatchObject([{ type: "wakeAt", time: 60_000 }, { type: "createPod" }]);
  const pod = advance(run, { type: "timeReached", time: 60_000 }, context).effects.find(({ type }) => type === "deletePod");
  if (pod?.type !== "deletePod") throw new Error("expected the pod to be deleted");
  advance(run, { type: "podFinished", time: 60_001, taskId: pod.taskId, attempt: 0, succeeded: false }, context);
  expect(run.progress).toMatchObject({ phase: "FAILED", message: expect.stringContaining("deadline") });
});
