import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Runs, statesOf } from "../runs.fixture.ts";
import { CHAIN, WIDE } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";

let world: World;
let runs: Runs;
beforeEach(async () => {
  world = new World();
  await world.boot();
  runs = new Runs(world);
  world.work = (pod) => (pod.metadata.name.includes("first") ? FIRST : {});
  await world.objectStore.put(REPORT, Buffer.from("<b>hi"));
});
afterEach(() => world[Symbol.asyncDispose]());

const REPORT = "minio://b/report";
const FIRST = {
  parameters: { Output: 7 },
  artifacts: [{ output: "report", name: "report", type: { schemaTitle: "system.HTML" }, uri: REPORT, metadata: {}, digest: "sha256:0", size: 5 }],
};

/** CHAIN, its first container changed. */
function chain(change: object): object {
  const copy = structuredClone(CHAIN) as { deploymentSpec: { executors: Record<string, { container: object }> } };
  const { executors } = copy.deploymentSpec;
  executors["exec-first"] = { container: { ...executors["exec-first"]?.container, ...change } };
  return copy;
}

test("a task tells which part of its key differs from the nearest result", async () => {
  const first = await runs.complete(CHAIN, { n: 3 });
  expect((await runs.why(first.run_id, "first")).summary).toBe("it had to run: no earlier run of this pipeline has a result of its component");

  const second = await runs.complete(CHAIN, { n: 4 });
  const changed = await runs.why(second.run_id, "first");
  expect(changed.summary).toMatch(/since the result of run r \(.*\), made at .* UTC, input n changed from 3 to 4$/u);
  expect(changed.reasons[0]).toMatchObject({
    type: "changed",
    result: { run_id: first.run_id },
    differences: [{ part: "parameter n", before: "3", now: "4" }],
  });

  const cached = await runs.complete(CHAIN, { n: 4 });
  expect(statesOf(cached)).toMatchObject({ first: "CACHED" });
  expect((await runs.why(cached.run_id, "first")).reasons).toMatchObject([{ type: "cached", result: { run_id: second.run_id } }]);
  expect((await runs.why(cached.run_id, "second")).reasons).toMatchObject([{ type: "uncached", because: "pipeline" }]);

  const image = await runs.complete(chain({ image: "python:3.12" }), { n: 4 });
  expect((await runs.why(image.run_id, "first")).summary).toMatch(/its image changed from python to python:3\.12$/u);
  const command = await runs.complete(chain({ args: ["x".repeat(500)] }), { n: 3 });
  expect((await runs.why(command.run_id, "first")).summary).toMatch(/its command changed: the component's code or its arguments$/u);
  // What came later changes nothing about why a task ran.
  expect((await runs.why(second.run_id, "first")).reasons[0]).toMatchObject({ result: { run_id: first.run_id } });
});

test("a task tells what it waits for", async () => {
  const limited = structuredClone(WIDE) as { root: { dag: { tasks: Record<string, object> } } };
  Object.assign(limited.root.dag.tasks["for-loop-1"] ?? {}, { iteratorPolicy: { parallelismLimit: 2 } });
  world.work = () => ({ hangs: true });
  const loop = await runs.start(limited, { items: [1, 2, 3, 4] });
  const chained = await runs.start(CHAIN, { n: 1 });
  await vi.waitFor(() => expect(world.pods()).toHaveLength(3));
  expect((await runs.why(loop, "for-loop-1")).summary).toMatch(
    /^0 of its 4 iterations have ended, 2 are under way, 2 wait for their turn: at most 2/u,
  );
  expect((await runs.why(loop, "for-loop-1.3")).reasons).toMatchObject([{ type: "waitsForTurn", parallelism_limit: 2 }]);
  expect((await runs.why(chained, "second")).summary).toBe("it waits for first (RUNNING)");
  await vi.waitFor(async () => expect((await runs.why(chained, "first")).summary).toMatch(/^its pod .* runs since/u));
  expect(await world.request("GET", `/runs/${chained}/tasks/third:why`)).toMatchObject({ status: 404 });

  await runs.post(`/runs/${chained}:terminate`);
  await runs.reaches(chained, "CANCELED");
  expect((await runs.why(chained, "first")).summary).toBe("its run was terminated");
  expect((await runs.why(chained, "second")).summary).toBe("it was never reached: the run ended CANCELED before");
});

test("a task whose pod finds no node tells what the scheduler says", async () => {
  world.work = () => ({ waits: { reason: "PodInitializing", message: "" } });
  const id = await runs.start(CHAIN, { n: 1 });
  await vi.waitFor(() => expect(world.pods()[0]?.status?.phase).toBe("Pending"));
  const [pod] = world.pods();
  pod!.status = { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/1 nodes: no gpu" }] };
  expect((await runs.why(id, "first")).summary).toMatch(/waits for a node: 0\/1 nodes: no gpu$/u);
});

test("a task that failed and one that never ran for it say so, and all tasks can be asked at once", async () => {
  world.work = () => ({ exitCode: 3, log: "boom" });
  const id = await runs.start(CHAIN, { n: 1 });
  await runs.reaches(id, "FAILED");
  expect((await runs.why(id, "first")).reasons.map(({ type }) => type)).toEqual(["failed", "noResult"]);
  expect((await runs.why(id, "second")).reasons).toMatchObject([
    { type: "blocked", task: "first", state: "FAILED", message: "task first before it is FAILED" },
  ]);
  const all = (await world.request("GET", `/runs/${id}/tasks:why`)).body as { tasks: { name: string; summary: string }[] };
  expect(all.tasks.map(({ name }) => name)).toEqual(["root", "first", "second"]);
  expect(all.tasks.every(({ summary }) => summary !== undefined)).toBe(true);
});
