import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RUN_LABEL, TASK_LABEL } from "../engine/index.ts";
import type { ObservedPod } from "../runner/kinds.ts";
import { Runs, statesOf } from "../runs.fixture.ts";
import { CHAIN } from "../specs.fixture.ts";
import { World, type PodWork } from "../world.fixture.ts";
import { DEFAULT_LIFECYCLE } from "./lifecycle-settings.ts";

let world: World;
let runs: Runs;
beforeEach(async () => {
  world = new World();
  await world.boot();
  runs = new Runs(world);
  world.work = (pod) => (pod.metadata.name.includes("first") ? makes(pod) : {});
});
afterEach(() => world[Symbol.asyncDispose]());

const HOUR = 3_600_000;
const home = (run: string): string => `minio://mlpipeline/v2/artifacts/chain/${run}`;
/** What the agent of a pod stores in its run's own place. */
function makes(pod: ObservedPod): PodWork {
  const uri = `${home(pod.metadata.labels?.[RUN_LABEL] ?? "")}/first/${pod.metadata.labels?.[TASK_LABEL]}/report`;
  const artifact = { output: "report", name: "report", type: { schemaTitle: "system.HTML" }, uri, metadata: {}, digest: "sha256:0", size: 5 };
  return { parameters: { Output: 7 }, artifacts: [artifact], files: { [uri]: Buffer.from("<b>hi") } };
}
/** What is stored below an address, without the logs. */
async function stored(uri: string): Promise<string[]> {
  const all = await Array.fromAsync(world.objectStore.list(uri));
  return all.map((one) => one.uri).filter((one) => !one.endsWith("/executor-logs"));
}
async function remove(run: string, query = ""): Promise<void> {
  expect(await world.request("DELETE", `/runs/${run}${query}`)).toMatchObject({ status: 200 });
}
const platform = (pipelineConfig: object): object => ({
  pipeline_spec: CHAIN,
  platform_spec: { platforms: { kubernetes: { pipelineConfig } } },
});

describe("a deleted run", () => {
  test("takes its artifacts with it, and its results, so that the next run makes them anew", async () => {
    const { run_id: id } = await runs.complete(CHAIN, { n: 1 });
    await world.objectStore.put(`${home(`${id}x`)}/other`, Buffer.from("somebody else's"));
    expect(await stored(home(id))).toHaveLength(1);
    await remove(id);
    await vi.waitFor(async () => {
      expect(await stored(home(id))).toEqual([]);
      expect(await world.store.outbox.all()).toEqual([]);
    });
    expect(await stored(home(`${id}x`))).toHaveLength(1);
    const next = await runs.complete(CHAIN, { n: 1 });
    expect(statesOf(next)).toMatchObject({ first: "SUCCEEDED" });
  });

  test("leaves its artifacts if asked to, and then its results are shared as before", async () => {
    const { run_id: id } = await runs.complete(CHAIN, { n: 1 });
    await remove(id, "?artifacts=keep");
    const next = await runs.complete(CHAIN, { n: 1 });
    expect(statesOf(next)).toMatchObject({ first: "CACHED" });
    expect((await runs.why(next.run_id, "first")).summary).toMatch(new RegExp(`^it shares the result of run ${id} \\(deleted since\\)`, "u"));
    expect(await stored(home(id))).toHaveLength(1);
    expect(await world.request("DELETE", `/runs/${next.run_id}?artifacts=burn`)).toMatchObject({ status: 400 });
  });

  test("leaves what other runs share until the last of them goes, also if the process dies in between", async () => {
    const { run_id: id } = await runs.complete(CHAIN, { n: 1 });
    const sharers = [await runs.complete(CHAIN, { n: 1 }), await runs.complete(CHAIN, { n: 1 })];
    await remove(id);
    await world.boot();
    expect(statesOf(await runs.complete(CHAIN, { n: 1 }))).toMatchObject({ first: "CACHED" });
    for (const { run_id: sharer } of [...sharers]) await remove(sharer);
    expect(await stored(home(id))).toHaveLength(1);
    const [last] = ((await world.request("GET", "/runs")).body as { runs: { run_id: string }[] }).runs;
    await remove(last!.run_id);
    await vi.waitFor(async () => expect(await stored(home(id))).toEqual([]));
    await vi.waitFor(async () => expect(await world.store.outbox.all()).toEqual([]));
    expect(statesOf(await runs.complete(CHAIN, { n: 1 }))).toMatchObject({ first: "SUCCEEDED" });
  });

  test("takes what its pods still bring", async () => {
    const report = Promise.withResolvers<void>();
    const brought = Promise.withResolvers<string>();
    const puts = vi.fn<() => void>();
    const of = world.artifacts.of.bind(world.artifacts);
    vi.spyOn(world.artifacts, "of").mockImplementation((...where) => {
      const own = of(...where);
      const put: typeof own.put = async (uri, bytes) => {
        if (!uri.endsWith("/report")) return own.put(uri, bytes);
        puts();
        await report.promise;
        const info = await own.put(uri, bytes);
        brought.resolve(uri);
        return info;
      };
      return { ...own, put };
    });
    const id = await runs.start(CHAIN, { n: 1 });
    await vi.waitFor(() => expect(puts).toHaveBeenCalled());
    await remove(id);
    await vi.waitFor(async () => expect(await world.store.outbox.all()).toEqual([]));
    report.resolve();
    const uri = await brought.promise;
    await vi.waitFor(async () => expect(await world.objectStore.stat(uri)).toBeUndefined());
  });

  test("goes with its experiment, if asked to", async () => {
    const { experiment_id: experiment } = await runs.post<{ experiment_id: string }>("/experiments", { display_name: "e" });
    const mine = await runs.complete(CHAIN, { n: 1 }, { experiment_id: experiment });
    const other = await runs.complete(CHAIN, { n: 2 });
    expect(await world.request("DELETE", `/experiments/${experiment}?cascade=true`)).toMatchObject({ status: 200 });
    expect(await world.request("GET", `/runs/${mine.run_id}`)).toMatchObject({ status: 404 });
    expect(await world.request("GET", `/runs/${other.run_id}`)).toMatchObject({ status: 200 });
    expect(await world.request("GET", `/experiments/${experiment}`)).toMatchObject({ status: 404 });
  });
});

describe("a run like another", () => {
  test("has what its original had, but for what is said otherwise", async () => {
    const original = await runs.complete(CHAIN, { n: 1, label: "a" });
    const clone = await runs.post<{ run_id: string; display_name: string }>(`/runs/${original.run_id}:clone`, { parameters: { n: 2 } });
    expect(clone).toMatchObject({ display_name: "Clone of r", runtime_config: { parameters: { n: 2, label: "a" } }, state: "PENDING" });
    await runs.reaches(clone.run_id, "SUCCEEDED");
    const again = await runs.post<{ run_id: string; display_name: string }>(`/runs/${clone.run_id}:clone`);
    expect(again.display_name).toBe("Clone (2) of r");
    expect(statesOf(await runs.reaches(again.run_id, "SUCCEEDED"))).toMatchObject({ first: "CACHED" });
    for (const body of [{ parameters: { m: 1 } }, { parameters: { n: "x" } }, { pipeline_spec: CHAIN }]) {
      expect(await world.request("POST", `/runs/${original.run_id}:clone`, body)).toMatchObject({ status: 400 });
    }
  });

  test("is of the same version of a stored pipeline", async () => {
    const { pipeline_id: pipeline } = await runs.post<{ pipeline_id: string }>("/pipelines", { display_name: "p" });
    await runs.post(`/pipelines/${pipeline}/versions`, { display_name: "v", pipeline_spec: CHAIN });
    const reference = { pipeline_version_reference: { pipeline_id: pipeline }, runtime_config: { parameters: { n: 1 } } };
    const answer = await world.request("POST", "/runs", { display_name: "r", ...reference });
    expect(answer).toMatchObject({ status: 200 });
    const original = answer.body as { run_id: string; pipeline_version_reference: object };
    const clone = await runs.post<object>(`/runs/${original.run_id}:clone`);
    expect(clone).toMatchObject({ pipeline_version_reference: original.pipeline_version_reference });
  });
});

test("a failed run goes on as an edited pipeline, keeping what succeeded", async () => {
  world.work = (pod) => (pod.metadata.name.includes("first") ? makes(pod) : { exitCode: 1 });
  const id = await runs.start(CHAIN, { n: 1 });
  await runs.reaches(id, "FAILED");
  const edited = structuredClone(CHAIN) as { deploymentSpec: { executors: Record<string, object> } };
  edited.deploymentSpec.executors["exec-second"] = { container: { image: "python", command: ["better"] } };
  world.work = () => ({});
  await runs.post(`/runs/${id}:retry`, { pipeline_spec: edited });
  const done = await runs.reaches(id, "SUCCEEDED");
  expect(world.created).toHaveLength(3);
  expect(done).toMatchObject({ pipeline_spec: edited });
  expect((await runs.why(id, "second")).reasons.map(({ type }) => type)).toEqual(["retried", "uncached"]);
});

describe("a run that is over", () => {
  const short = { ...DEFAULT_LIFECYCLE, podsKeptMs: HOUR, archiveAfterMs: 2 * HOUR, deleteAfterMs: 3 * HOUR, namespaces: { kept: {} } };
  const pods = (run: string): ObservedPod[] => world.pods().filter(({ metadata }) => metadata.labels?.[RUN_LABEL] === run);
  const later = async (ms: number): Promise<void> => {
    world.elapsed += ms;
    await world.boot();
  };
  const shelf = async (id: string): Promise<unknown> => (await world.request("GET", `/runs/${id}`)).body["storage_state"];

  test("loses its pods, is archived and then deleted, each after its time, and never starts anything again", async () => {
    world.options = { lifecycle: short };
    await world.boot();
    const { run_id: id } = await runs.complete(CHAIN, { n: 1 });
    const { run_id: kept } = await runs.complete(CHAIN, { n: 2 }, { namespace: "kept" });
    await later(HOUR - 60_000);
    expect(pods(id)).toHaveLength(2);
    await later(61_000);
    await vi.waitFor(() => expect(pods(id)).toEqual([]));
    expect(await shelf(id)).toBe("AVAILABLE");
    await later(HOUR);
    await vi.waitFor(async () => expect(await shelf(id)).toBe("ARCHIVED"));
    // What somebody takes from the shelf stays for as long again.
    await runs.post(`/runs/${id}:unarchive`);
    await later(2 * HOUR - 60_000);
    expect(await shelf(id)).toBe("AVAILABLE");
    await later(61_000);
    await vi.waitFor(async () => expect(await shelf(id)).toBe("ARCHIVED"));
    await later(3 * HOUR + 1000);
    await vi.waitFor(async () => expect(await world.request("GET", `/runs/${id}`)).toMatchObject({ status: 404 }));
    await vi.waitFor(async () => expect(await stored(home(id))).toEqual([]));
    expect(await shelf(kept)).toBe("AVAILABLE");
    expect(world.created).toHaveLength(4);
  });

  test("keeps its pods and its workspace for as long as its pipeline says, without a restart", async () => {
    world.options = { lifecycle: short };
    await world.boot();
    world.work = () => ({ exitCode: 1 });
    const id = await runs.start(platform({ resourceTtlOnFailure: 1, resourceTtlOnCompletion: 7200, workspace: { size: "1Gi" } }), { n: 1 });
    await runs.reaches(id, "FAILED");
    expect([...world.objects.values()].map(({ kind }) => kind)).toContain("PersistentVolumeClaim");
    await vi.waitFor(() => expect([...world.objects.values()].filter(({ metadata }) => metadata.labels?.[RUN_LABEL] === id)).toEqual([]), 5000);
    // All that is needed is made again for a retry.
    world.work = (pod) => (pod.metadata.name.includes("first") ? makes(pod) : {});
    await runs.post(`/runs/${id}:retry`);
    await runs.reaches(id, "SUCCEEDED");
  });
});
