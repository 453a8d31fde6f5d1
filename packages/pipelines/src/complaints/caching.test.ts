import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RUN_LABEL, TASK_LABEL } from "../engine/index.ts";
import type { ObservedPod } from "../runner/kinds.ts";
import { Runs, statesOf } from "../runs.fixture.ts";
import { CHAIN } from "../specs.fixture.ts";
import { World, type PodWork } from "../world.fixture.ts";

let world: World;
let runs: Runs;
beforeEach(async () => {
  world = new World();
  await world.boot();
  runs = new Runs(world);
  world.work = (pod) => (pod.metadata.name.includes("first") ? makes(pod) : {});
});
afterEach(() => world[Symbol.asyncDispose]());

const DAY = 86_400_000;
const BYTES = Buffer.from("<b>hi");
const home = (run: string): string => `minio://mlpipeline/v2/artifacts/chain/${run}`;
const reportOf = (run: string, task: string): string => `${home(run)}/first/${task}/report`;
function makes(pod: ObservedPod): PodWork {
  const uri = reportOf(pod.metadata.labels?.[RUN_LABEL] ?? "", pod.metadata.labels?.[TASK_LABEL] ?? "");
  const digest = `sha256:${createHash("sha256").update(BYTES).digest("hex")}`;
  const artifact = { output: "report", name: "report", type: { schemaTitle: "system.HTML" }, uri, metadata: {}, digest, size: BYTES.length };
  return { parameters: { Output: 7 }, artifacts: [artifact], files: { [uri]: BYTES } };
}
/** How the first task of a new run ends, and why. */
async function first(
  spec: unknown = CHAIN,
  more: object = {},
): Promise<{ run: string; task: string; state: string | undefined; reason: object | undefined }> {
  const run = await runs.complete(spec, { n: 1 }, more);
  const task = run.tasks.find(({ name }) => name === "first");
  return { run: run.run_id, task: task?.task_id ?? "", state: statesOf(run)["first"], reason: (await runs.why(run.run_id, "first")).reasons[0] };
}
async function configure(options: World["options"]): Promise<void> {
  world.options = options;
  await world.boot();
}
/** CHAIN, whose first task shares no result that is older than this. */
const stale = (duration: string): object => ({
  pipeline_spec: CHAIN,
  platform_spec: {
    platforms: {
      kubernetes: {
        deploymentSpec: {
          executors: { "exec-first": { podMetadata: { annotations: { "pipelines.kubeflow.org/max_cache_staleness": duration } } } },
        },
      },
    },
  },
});

describe("#7939: the cache gives results whose artifacts are gone, and never forgets", () => {
  test("a result whose artifact was deleted is not shared, and the task says which", async () => {
    const made = await first();
    await world.objectStore.delete(reportOf(made.run, made.task));
    const again = await first();
    expect(again).toMatchObject({ state: "SUCCEEDED", reason: { type: "absent", artifact: "report", uri: reportOf(made.run, made.task) } });
    expect(await first()).toMatchObject({ state: "CACHED" });
  });

  test("a directory is there as long as it has files", async () => {
    world.work = (pod) => {
      const { files = {}, ...rest } = pod.metadata.name.includes("first") ? makes(pod) : {};
      return { ...rest, files: Object.fromEntries(Object.entries(files).map(([uri, bytes]) => [`${uri}/part-0`, bytes])) };
    };
    const made = await first();
    expect(await first()).toMatchObject({ state: "CACHED" });
    await world.objectStore.delete(`${reportOf(made.run, made.task)}/part-0`);
    expect(await first()).toMatchObject({ state: "SUCCEEDED", reason: { type: "absent" } });
  });

  test("a result whose artifact was overwritten is not shared where digests are checked", async () => {
    const made = await first();
    await world.objectStore.put(reportOf(made.run, made.task), Buffer.from("something else"));
    expect(await first()).toMatchObject({ state: "CACHED" });
    await configure({ cache: { check: "digest" } });
    expect(await first()).toMatchObject({ state: "SUCCEEDED", reason: { type: "altered", artifact: "report" } });
    expect(await first()).toMatchObject({ state: "CACHED" });
  });

  test("a result that is too old is not shared", async () => {
    await configure({ cacheMaxAgeMs: 7 * DAY });
    const made = await first();
    world.elapsed += 7 * DAY - 60_000;
    expect(await first()).toMatchObject({ state: "CACHED" });
    world.elapsed += 61_000;
    expect(await first()).toMatchObject({ state: "SUCCEEDED", reason: { type: "expired", max_age_seconds: 604_800, result: { run_id: made.run } } });
    // What came last counts from when it was made, not from when it was shared.
    expect(await first()).toMatchObject({ state: "CACHED" });
  });

  test("the results of failed and of canceled tasks are never shared", async () => {
    world.work = (pod) => (pod.metadata.name.includes("first") ? { exitCode: 1 } : {});
    await runs.reaches(await runs.start(CHAIN, { n: 1 }), "FAILED");
    world.work = () => ({ hangs: true });
    const id = await runs.start(CHAIN, { n: 1 });
    await vi.waitFor(() => expect(world.pods().some(({ status }) => status?.phase === "Running")).toBe(true));
    await runs.post(`/runs/${id}:terminate`);
    await runs.reaches(id, "CANCELED");
    world.work = (pod) => (pod.metadata.name.includes("first") ? makes(pod) : {});
    expect(await first()).toMatchObject({ state: "SUCCEEDED", reason: { type: "noResult" } });
  });
});

describe("#6554: staleness per step was lost", () => {
  test("a step says how old a result it shares may be, as in version 1", async () => {
    await first(stale("P7D"));
    world.elapsed += 6 * DAY;
    expect(await first(stale("P7D"))).toMatchObject({ state: "CACHED" });
    world.elapsed += 2 * DAY;
    expect(await first(stale("7d"))).toMatchObject({ state: "SUCCEEDED", reason: { type: "expired" } });
  });

  test("a step that takes none at all may still be shared by others", async () => {
    const made = await first(stale("P0D"));
    expect(await first(stale("P0D"))).toMatchObject({ state: "SUCCEEDED", reason: { type: "uncached", because: "staleness" } });
    expect(await first()).toMatchObject({ state: "CACHED" });
    expect(made.state).toBe("SUCCEEDED");
  });

  test("a duration that is none fails the step, and says so", async () => {
    const id = await runs.start(stale("soon"), { n: 1 });
    await runs.reaches(id, "FAILED");
    expect((await runs.why(id, "first")).summary).toMatch(/annotation pipelines\.kubeflow\.org\/max_cache_staleness: "soon" is not a duration/u);
  });
});

describe("#5783, #10816: deleting a run leaves its artifacts", () => {
  test("they go with it, and the cache knows", async () => {
    const made = await first();
    expect(await world.request("DELETE", `/runs/${made.run}`)).toMatchObject({ status: 200 });
    await vi.waitFor(async () => expect(await Array.fromAsync(world.objectStore.list(home(made.run)))).toEqual([]));
    expect(await world.request("GET", "/artifacts")).toMatchObject({ body: {} });
    expect(await first()).toMatchObject({ state: "SUCCEEDED" });
  });
});

describe("#8104: results cannot be managed", () => {
  test("those of one step are made anew without a change of code", async () => {
    const made = await first();
    await runs.post("/cache:invalidate", { run_id: made.run, task_id: made.task });
    expect(await first()).toMatchObject({ state: "SUCCEEDED", reason: { type: "invalidated", by: "local" } });
  });
});

describe("#11615: identical runs are not read from the cache once there are many", () => {
  test("two that run at once each make their own, and later ones share one", async () => {
    const both = await Promise.all([runs.complete(CHAIN, { n: 1 }), runs.complete(CHAIN, { n: 1 })]);
    for (const run of both) expect(statesOf(run)["first"]).toMatch(/^(?:SUCCEEDED|CACHED)$/u);
    for (let count = 0; count < 5; count++) expect(await first()).toMatchObject({ state: "CACHED" });
  });

  test("where the installation says so, pipelines of one namespace share results", async () => {
    const renamed = { ...CHAIN, pipelineInfo: { name: "other" } };
    await first();
    expect(await first(renamed)).toMatchObject({ state: "SUCCEEDED" });
    await configure({ cache: { scope: "namespace" } });
    expect(await first({ ...CHAIN, pipelineInfo: { name: "third" } })).toMatchObject({ state: "CACHED" });
    expect(await first(renamed, { namespace: "elsewhere" })).toMatchObject({ state: "SUCCEEDED" });
  });
});
