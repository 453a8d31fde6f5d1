import { expect, test } from "vitest";
import { parsePipelineObject } from "../domain/ir-parse.ts";
import { WIDE } from "../specs.fixture.ts";
import { context } from "./engine-world.fixture.ts";
import { advance, type EngineEvent, newRun, outstandingEffects, restoreRun, type RunState, type TaskRecord } from "./index.ts";

interface Cost {
  readonly run: RunState;
  /** The most records that one event stored, how often each record was, and the longest of each kind. */
  readonly mostChanged: number;
  readonly stored: ReadonlyMap<string, number>;
  readonly longest: ReadonlyMap<string, number>;
  readonly longestPod: number;
  readonly cpuMs: number;
}

function runOf(spec: unknown, parameters: object): RunState {
  const info = { id: "r", displayName: "r", namespace: "n", pipelineRoot: "minio://b/p", createdAt: 0 };
  return newRun({ ...info, spec: parsePipelineObject(spec).pipelineSpec, parameters: { ...parameters } });
}

/** Takes a run to its end, or to where all its pods are asked for. */
function play(run: RunState, { isWhole }: { readonly isWhole: boolean }): Cost {
  const before = process.cpuUsage();
  const stored = new Map<string, number>();
  const longest = new Map<string, number>();
  let [mostChanged, longestPod] = [0, 0];
  const queue: EngineEvent[] = [{ type: "runStarted", time: 1 }];
  for (let next = 0; next < queue.length; next++) {
    const { changed, effects } = advance(run, queue[next]!, context);
    mostChanged = Math.max(mostChanged, changed.length);
    for (const record of changed) {
      stored.set(record.path, (stored.get(record.path) ?? 0) + 1);
      longest.set(record.kind, Math.max(longest.get(record.kind) ?? 0, JSON.stringify(record).length));
    }
    for (const effect of effects) {
      if (effect.type === "proceed") queue.push({ type: "proceed", time: 2 });
      if (effect.type !== "createPod") continue;
      longestPod = Math.max(longestPod, JSON.stringify(effect.pod).length);
      const { taskId, attempt } = effect;
      const report = { runId: "r", taskId, attempt, parameters: { out: "o" }, artifacts: [], problems: [] };
      if (isWhole) queue.push({ type: "podFinished", time: 3, taskId, attempt, succeeded: true, report });
    }
  }
  const { user, system } = process.cpuUsage(before);
  return { run, mostChanged, stored, longest, longestPod, cpuMs: (user + system) / 1000 };
}

const items = Array.from({ length: 10_000 }, (_, index) => index);

test("a loop of 10,000 costs what its iterations do: none carries the list, and nothing is stored again for each", () => {
  const { run, mostChanged, stored, longest, longestPod, cpuMs } = play(runOf(WIDE, { items }), { isWhole: true });
  expect(run.progress.phase).toBe("SUCCEEDED");
  expect(run.tasks.size).toBe(20_002);
  expect(mostChanged).toBeLessThanOrEqual(202);
  const loop = [...run.tasks.values()].find(({ kind }) => kind === "LOOP")!;
  expect(stored.get(loop.path)).toBe(2);
  expect(Math.max(...stored.values())).toBe(2);
  expect(longest.get("DAG")).toBeLessThan(800);
  expect(longest.get("RUNTIME")).toBeLessThan(800);
  expect(longestPod).toBeLessThan(3000);
  expect(cpuMs).toBeLessThan(5000);
});

test("a restart with 10,000 tasks under way makes no manifest of a pod that exists", () => {
  const { run } = play(runOf(WIDE, { items }), { isWhole: false });
  const records = JSON.parse(JSON.stringify([...run.tasks.values()])) as TaskRecord[];
  const before = process.cpuUsage();
  const restored = restoreRun(run.info, run.progress, records);
  expect(outstandingEffects(restored, context, { hasPod: () => true })).toEqual([]);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(1000);
  expect(outstandingEffects(restored, context)).toHaveLength(10_000);
});

/** So many tasks in one graph, in a row or side by side. */
function many(count: number, { isChain }: { readonly isChain: boolean }): object {
  const tasks = Array.from({ length: count }, (_, index) => {
    const x =
      isChain && index > 0
        ? { taskOutputParameter: { producerTask: `t${index - 1}`, outputParameterKey: "out" } }
        : { runtimeValue: { constant: "x" } };
    return [`t${index}`, { componentRef: { name: "comp" }, inputs: { parameters: { x } } }];
  });
  return {
    pipelineInfo: { name: "many" },
    schemaVersion: "2.1.0",
    root: { dag: { tasks: Object.fromEntries(tasks) } },
    components: {
      comp: {
        executorLabel: "exec",
        inputDefinitions: { parameters: { x: { parameterType: "STRING" } } },
        outputDefinitions: { parameters: { out: { parameterType: "STRING" } } },
      },
    },
    deploymentSpec: { executors: { exec: { container: { image: "i", args: ["{{$}}"] } } } },
  };
}

test.each([
  [2000, true],
  [500, false],
])("%i tasks in one graph, in a row: %s, cost what they are", (count, isChain) => {
  const { run, stored, longest, longestPod, cpuMs } = play(runOf(many(count, { isChain }), {}), { isWhole: true });
  expect(run.progress.phase).toBe("SUCCEEDED");
  expect(Math.max(...stored.values())).toBe(2);
  expect(Math.max(...longest.values())).toBeLessThan(800);
  expect(longestPod).toBeLessThan(3500);
  expect(cpuMs).toBeLessThan(3000);
});
