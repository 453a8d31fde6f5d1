import { createHash } from "node:crypto";
import fc from "fast-check";
import { test } from "vitest";
import type { ComponentSpec, JsonValue, PipelineSpec, TaskSpec } from "../domain/ir.ts";
import { parsePipelineObject } from "../domain/ir-parse.ts";
import {
  advance,
  type Effect,
  type EngineContext,
  type EngineEvent,
  hasEnded,
  newRun,
  outstandingEffects,
  restoreRun,
  type RunInfo,
  type RunProgress,
  type TaskRecord,
} from "./index.ts";

const context: EngineContext = { sha256: (text) => createHash("sha256").update(text).digest("hex"), settings: {}, isCacheEnabled: true };

interface Shape {
  readonly kind: "leaf" | "graph" | "loop";
  readonly size: number;
  readonly items: number;
  readonly limit: number;
  readonly after: readonly number[];
  readonly exit: boolean;
  readonly condition: boolean | undefined;
  readonly retries: number;
  readonly tasks: readonly Shape[];
}

function graphOf(depth: number): fc.Arbitrary<readonly Shape[]> {
  const task = fc.record({
    kind:
      depth > 0
        ? fc.constantFrom("leaf" as const, "graph" as const, "loop" as const)
        : fc.constantFrom("leaf" as const, "leaf" as const, "loop" as const),
    size: fc.nat(3),
    items: fc.nat(4),
    limit: fc.nat(3),
    after: fc.array(fc.nat(4), { maxLength: 3 }),
    exit: fc.integer({ min: 0, max: 3 }).map((one) => one === 0),
    condition: fc.constantFrom(undefined, undefined, undefined, true, true, false),
    retries: fc.nat(2),
    tasks: depth > 0 ? graphOf(depth - 1) : fc.constant([]),
  });
  return fc.array(task, { minLength: depth > 1 ? 1 : 0, maxLength: depth > 1 ? 5 : 3, size: "max" });
}
const graph = graphOf(2);

/** A pipeline of that shape; every task may depend on earlier ones, and takes the output of the first of them. */
function specOf(shapes: readonly Shape[]): PipelineSpec {
  const components: Record<string, ComponentSpec> = {
    leaf: {
      executorLabel: "leaf",
      inputDefinitions: { parameters: { in: { parameterType: "STRING", isOptional: true }, item: { parameterType: "STRING", isOptional: true } } },
      outputDefinitions: { parameters: { out: { parameterType: "STRING" } } },
    },
  };
  const graphOf = (list: readonly Shape[]): ComponentSpec => {
    const tasks: Record<string, TaskSpec> = {};
    list.forEach((shape, index) => {
      const before = [...new Set(shape.after)].filter((one) => one < index).map((one) => `t${one}`);
      let component = "leaf";
      if (shape.kind !== "leaf" && shape.tasks.length > 0) {
        component = `graph-${Object.keys(components).length}`;
        components[component] = {};
        components[component] = graphOf(shape.tasks);
      }
      const producer = before[0];
      tasks[`t${index}`] = {
        componentRef: { name: component },
        cachingOptions: { enableCache: shape.size === 1 },
        dependentTasks: before,
        inputs: { parameters: producer === undefined ? {} : { in: { taskOutputParameter: { producerTask: producer, outputParameterKey: "out" } } } },
        retryPolicy: { maxRetryCount: shape.retries, backoffDuration: shape.size > 1 ? "5s" : "0s" },
        triggerPolicy: {
          ...(shape.condition === undefined ? {} : { condition: String(shape.condition) }),
          ...(shape.exit ? { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" as const } : {}),
        },
        ...(shape.kind === "loop"
          ? {
              parameterIterator: { items: { raw: JSON.stringify(Array.from({ length: shape.items }, (_, item) => item)) }, itemInput: "item" },
              iteratorPolicy: { parallelismLimit: shape.limit },
            }
          : {}),
      };
    });
    const outputs = Object.keys(tasks).map((name) => ({ producerSubtask: name, outputParameterKey: "out" }));
    return {
      dag: { tasks, outputs: { parameters: { out: { valueFromOneof: { parameterSelectors: outputs } } } } },
      inputDefinitions: { parameters: { in: { parameterType: "STRING", isOptional: true }, item: { parameterType: "STRING", isOptional: true } } },
      outputDefinitions: { parameters: { out: { parameterType: "STRING" } } },
    };
  };
  const root = graphOf(shapes);
  const { inputDefinitions: _inputs, ...rest } = root;
  return parsePipelineObject({
    schemaVersion: "2.1.0",
    pipelineInfo: { name: "random" },
    root: rest,
    components,
    deploymentSpec: { executors: { leaf: { container: { image: "busybox", args: ["{{$}}"] } } } },
  }).pipelineSpec;
}

interface Story {
  readonly records: readonly string[];
  readonly progress: RunProgress;
  readonly pods: readonly string[];
}

/**
 * Plays a run to its end. `choose` picks which of the outstanding effects happens next and `fails` which pods fail, both by
 * content alone; with `crashes`, the run is thrown away and restored from what was stored before each such step.
 */
function play(spec: PipelineSpec, seed: number, options: { crashes: boolean; terminateAt?: number; retry?: boolean }): Story {
  const info: RunInfo = { id: "r", displayName: "r", namespace: "n", spec, parameters: {}, pipelineRoot: "s3://b/p", createdAt: 0 };
  const random = (text: string): number => Number.parseInt(context.sha256(`${seed} ${text}`).slice(0, 8), 16);
  const stored = new Map<string, string>();
  let run = newRun(info);
  let time = 0;
  const pending = new Map<string, Effect>();
  const pods: string[] = [];
  const created = new Set<string>();
  const send = (event: EngineEvent): void => {
    const { changed, effects, progress } = advance(run, event, context);
    for (const record of changed) {
      check(run.tasks.get(record.id) === record, "a changed record is the present one");
      stored.set(record.id, JSON.stringify(record));
    }
    if (progress !== undefined) check(progress === run.progress, "progress is told");
    for (const effect of effects) pending.set(keyOf(effect), effect);
  };
  const keyOf = (effect: Effect): string =>
    JSON.stringify([
      effect.type,
      "taskId" in effect ? effect.taskId : "",
      "attempt" in effect ? effect.attempt : "",
      "time" in effect ? effect.time : "",
    ]);

  send({ type: "runStarted", time });
  let isRetried = false;
  for (let step = 0; ; step++) {
    check(step < 20_000, "the run ends");
    if (run.progress.endedAt !== undefined) {
      if (options.retry !== true || isRetried || run.progress.phase === "SUCCEEDED") break;
      isRetried = true;
      pending.clear();
      send({ type: "retryRequested", time: (time += 1) });
      continue;
    }
    if (options.terminateAt === step && !isRetried) send({ type: "terminateRequested", time });
    if (options.crashes && random(`crash ${step}`) % 3 === 0) {
      check(stored.size === run.tasks.size, "every record is stored");
      run = restoreRun(
        info,
        run.progress,
        [...stored.values()].reverse().map((text) => JSON.parse(text) as TaskRecord),
      );
      for (const effect of outstandingEffects(run, context)) pending.set(keyOf(effect), effect);
    }
    const keys = [...pending.keys()].sort();
    if (keys.length === 0) break;
    const key = keys[random(keys.join()) % keys.length]!;
    const effect = pending.get(key)!;
    pending.delete(key);
    time += 1;
    if (effect.type === "lookupCache") send({ type: "cacheAnswered", time, taskId: effect.taskId });
    else if (effect.type === "proceed") send({ type: "proceed", time });
    else if (effect.type === "wakeAt") send({ type: "timeReached", time: (time = Math.max(time, effect.time)) });
    else if (effect.type === "deletePod") {
      send({ type: "podFinished", time, taskId: effect.taskId, attempt: effect.attempt, succeeded: false });
    } else if (effect.type === "createPod") {
      if (created.has(key)) continue;
      created.add(key);
      const { taskId, attempt } = effect;
      const task = run.get(taskId);
      check(task.step !== "pod" || task.attempt === attempt, "a pod is for its attempt");
      checkInputs(run, task);
      pods.push(task.path);
      const out: JsonValue = task.path;
      const report = { runId: "r", taskId, attempt, parameters: { out }, artifacts: [], problems: [] };
      const succeeded = isRetried || random(`outcome ${task.path} ${attempt}`) % 4 !== 0;
      send({ type: "podFinished", time, taskId, attempt, succeeded, ...(succeeded ? { report } : {}) });
    }
  }
  check(run.progress.endedAt !== undefined, "the run ends");
  for (const task of run.tasks.values()) check(hasEnded(task.state), `${task.path} has ended`);
  return { records: [...stored.values()].map(timeless).sort(), progress: run.progress, pods };
}

function timeless(text: string): string {
  const { createdAt: _c, startedAt: _s, endedAt: _e, ...rest } = JSON.parse(text) as TaskRecord;
  return JSON.stringify(rest, Object.keys(rest).sort().concat(["parameters", "artifacts", "in", "out", "item"]));
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not so: ${what}`);
}

/** Nothing starts before all that it depends on has ended, and succeeded unless it runs anyway. */
function checkInputs(run: ReturnType<typeof newRun>, task: TaskRecord): void {
  for (let at = task; at.parentId !== undefined; at = run.get(at.parentId)) {
    const planned = at.iteration === undefined ? run.plan(run.get(at.parentId).component).get(at.name) : undefined;
    for (const name of planned?.dependencies ?? []) {
      const state = run.child(at.parentId, name)?.state;
      check(state !== undefined && hasEnded(state), `${name} has ended before ${task.path}`);
      const isExit = planned?.spec.triggerPolicy?.strategy === "ALL_UPSTREAM_TASKS_COMPLETED";
      check(isExit || state === "SUCCEEDED" || state === "CACHED", `${name} has succeeded before ${task.path}`);
    }
  }
}

test("every run ends, in order, the same in any interleaving and after any crash", () => {
  fc.assert(
    fc.property(graph, fc.nat(), (shapes, seed) => {
      const spec = specOf(shapes);
      const smooth = play(spec, seed, { crashes: false });
      const crashed = play(spec, seed, { crashes: true });
      check(
        JSON.stringify(smooth.records) === JSON.stringify(crashed.records),
        `crashes change nothing:\n${smooth.records.join("\n")}\n\n${crashed.records.join("\n")}`,
      );
      check(smooth.progress.phase === crashed.progress.phase, "nor the run");
      check(smooth.pods.toSorted().join() === crashed.pods.toSorted().join(), "nor the pods");
      const failed = smooth.records.some((text) => text.includes('"state":"FAILED"'));
      check(smooth.progress.phase === (failed ? "FAILED" : "SUCCEEDED"), "a run fails exactly if a task does");
    }),
    { numRuns: 150 },
  );
});

test("a terminated run ends, whenever that comes", () => {
  fc.assert(
    fc.property(graph, fc.nat(), fc.nat(30), (shapes, seed, terminateAt) => {
      const { progress } = play(specOf(shapes), seed, { crashes: seed % 2 === 0, terminateAt });
      check(progress.stopping === undefined || progress.phase === "CANCELED", "it is canceled");
    }),
    { numRuns: 150 },
  );
});

test("a retried run succeeds once its tasks do, and repeats none that had succeeded unless something ran anyway", () => {
  fc.assert(
    fc.property(graph, fc.nat(), fc.option(fc.nat(20), { nil: undefined }), (shapes, seed, terminateAt) => {
      const stop = terminateAt === undefined ? {} : { terminateAt };
      const { progress, pods, records } = play(specOf(shapes), seed, { crashes: true, retry: true, ...stop });
      check(progress.phase === "SUCCEEDED", `it succeeds: ${JSON.stringify(progress)}`);
      const hasExit = (list: readonly Shape[]): boolean => list.some((shape) => shape.exit || hasExit(shape.tasks));
      if (hasExit(shapes)) return;
      const attempts = new Map(records.map((text) => JSON.parse(text) as TaskRecord).map((task) => [task.path, task.attempt]));
      for (const path of new Set(pods)) {
        const count = pods.filter((one) => one === path).length;
        check(count <= (attempts.get(path) ?? 0) + 1, `${path} ran ${count} times`);
      }
    }),
    { numRuns: 150 },
  );
});
