import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parsePipelineObject } from "../domain/ir-parse.ts";
import { CHAIN } from "../specs.fixture.ts";
import { CacheStore } from "../store/cache-store.ts";
import { RunStore } from "../store/run-store.ts";
import { World } from "../world.fixture.ts";

let world: World;
beforeEach(async () => {
  world = new World();
  await world.boot();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await world[Symbol.asyncDispose]();
});

/** Runs a pipeline to its end; gives its id and state. */
async function finish(spec: object, parameters: object = {}): Promise<{ readonly id: string; readonly state: string }> {
  const { body } = await world.request("POST", "/runs", { display_name: "r", pipeline_spec: spec, runtime_config: { parameters } });
  return ended((body as { run_id: string }).run_id);
}

async function ended(id: string): Promise<{ readonly id: string; readonly state: string }> {
  const state = await vi.waitFor(
    async () => {
      const row = await world.store.runs.find(id);
      expect(row?.finished_at).toBeGreaterThan(0);
      return row?.state ?? "";
    },
    { timeout: 20_000, interval: 5 },
  );
  return { id, state };
}

function cached(count: number, { isChain }: { readonly isChain: boolean }): object {
  const tasks = Array.from({ length: count }, (_, index) => {
    const previous = { taskOutputParameter: { producerTask: `t${index - 1}`, outputParameterKey: "out" } };
    const x = isChain && index > 0 ? previous : { runtimeValue: { constant: index } };
    return [`t${index}`, { componentRef: { name: "comp" }, cachingOptions: { enableCache: true }, inputs: { parameters: { x } } }];
  });
  const number = { parameterType: "NUMBER_INTEGER" };
  return {
    pipelineInfo: { name: "cached" },
    schemaVersion: "2.1.0",
    root: { dag: { tasks: Object.fromEntries(tasks) } },
    components: {
      comp: { executorLabel: "exec", inputDefinitions: { parameters: { x: number } }, outputDefinitions: { parameters: { out: number } } },
    },
    deploymentSpec: { executors: { exec: { container: { image: "i", args: ["{{$}}"] } } } },
  };
}

test.each([
  [200, false, 1, 3],
  [60, true, 60, 5],
])("%i cached tasks, in a row: %s, cost %i questions and at most %i commits", async (count, isChain, questions, commits) => {
  let pods = count;
  world.work = () => ({ parameters: { out: pods++ } });
  const spec = cached(count, { isChain });
  expect((await finish(spec)).state).toBe("SUCCEEDED");
  expect(world.created).toHaveLength(count);
  const find = vi.spyOn(CacheStore.prototype, "find");
  const commit = vi.spyOn(RunStore.prototype, "commit");
  expect((await finish(spec)).state).toBe("SUCCEEDED");
  expect(world.created).toHaveLength(count);
  expect(find).toHaveBeenCalledTimes(questions);
  expect(commit.mock.calls.length).toBeLessThanOrEqual(commits);
});

test("tasks that are the same share one result though they follow each other at once", async () => {
  world.work = () => ({ parameters: { out: 0 } });
  expect((await finish(cached(5, { isChain: true }))).state).toBe("SUCCEEDED");
  expect(world.created).toHaveLength(1);
});

test("a failed run goes on as an edited pipeline, which is stored with it and outlives the process", async () => {
  world.work = (pod) => (pod.metadata.name.includes("first") ? { parameters: { Output: 7 }, artifacts: [report] } : { exitCode: 1 });
  const { id, state } = await finish(CHAIN, { n: 1 });
  expect(state).toBe("FAILED");
  const edited = JSON.stringify(CHAIN).replace('"exec-second":{"container":{"image":"python"', '"exec-second":{"container":{"image":"python:mended"');
  const { pipelineSpec: spec } = parsePipelineObject(JSON.parse(edited));
  const unfit = { ...spec, root: { ...spec.root, dag: { tasks: {} } } };
  await expect(world.runner.retry(id, { spec: unfit })).rejects.toThrow("the run has reached root.first");
  world.work = () => ({ hangs: true });
  await world.runner.retry(id, { spec });
  await world.boot();
  await vi.waitFor(() => expect(world.pods().find(({ status }) => status?.phase === "Running")?.metadata.name).toContain("second"));
  expect(JSON.parse((await world.store.runs.find(id))?.spec ?? "")).toEqual(spec);
  expect(world.created.filter((name) => name.includes("first"))).toHaveLength(1);
  await world.runner.terminate(id);
  expect((await ended(id)).state).toBe("CANCELED");
});

const report = { output: "report", name: "report", type: { schemaTitle: "system.HTML" }, uri: "minio://b/r", metadata: {} };
