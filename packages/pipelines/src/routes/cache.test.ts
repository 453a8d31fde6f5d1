import { afterEach, beforeEach, expect, test } from "vitest";
import { Runs, statesOf } from "../runs.fixture.ts";
import { CHAIN } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";

let world: World;
let runs: Runs;
beforeEach(async () => {
  world = new World();
  await world.boot();
  runs = new Runs(world);
  const made = { parameters: { Output: 7 }, artifacts: [{ output: "report", name: "report", type: {}, uri: "minio://b/r", metadata: {} }] };
  world.work = (pod) => (pod.metadata.name.includes("first") ? made : {});
});
afterEach(() => world[Symbol.asyncDispose]());

const first = async (): Promise<[string, string]> => {
  const run = await runs.complete(CHAIN, { n: 1 });
  return [run.run_id, statesOf(run)["first"] ?? ""];
};

test.each([
  ["a pipeline", () => ({ pipeline: "chain" })],
  ["a run", (run: string) => ({ run_id: run })],
  ["a run that only shared it", (_run: string, shared: string) => ({ run_id: shared })],
  ["a task", (run: string) => ({ run_id: run, task_id: "first" })],
])("what is invalidated by %s is made anew, also after a restart, and then shared again", async (_what, body) => {
  const [made] = await first();
  const [shared, state] = await first();
  expect(state).toBe("CACHED");
  expect(await runs.post("/cache:invalidate", body(made, shared))).toEqual({ invalidated: 1 });
  await world.boot();
  const [again, stateThen] = await first();
  expect(stateThen).toBe("SUCCEEDED");
  const { summary, reasons } = await runs.why(again, "first");
  expect(summary).toMatch(/^it had to run: at .* UTC, local invalidated the result of run r \(.*\), made at /u);
  expect(reasons[0]).toMatchObject({ type: "invalidated", by: "local", result: { run_id: made } });
  expect((await first())[1]).toBe("CACHED");
  expect(await runs.post("/cache:invalidate", { pipeline: "other" })).toEqual({ invalidated: 0 });
});

test.each([
  [{}, /name either a pipeline, or a run_id/u],
  [{ pipeline: "chain", run_id: "x" }, /name either a pipeline, or a run_id/u],
  [{ pipeline: "chain", task_id: "x" }, /task_id: is of a run/u],
  [{ run_id: "x" }, /run x not found/u],
  [{ pipelin: "x" }, /unknown field "pipelin"/u],
])("%j is refused", async (body, message) => {
  const answer = await world.request("POST", "/cache:invalidate", body);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect((answer.body as { message: string }).message).toMatch(message);
});

test("a task that never was in the cache has nothing to invalidate", async () => {
  const [made] = await first();
  const answer = await world.request("POST", "/cache:invalidate", { run_id: made, task_id: "second" });
  expect(answer).toMatchObject({ status: 400, body: { message: "task second has no result in the cache: caching was off for it" } });
});
