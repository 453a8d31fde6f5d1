import { afterEach, beforeEach, expect, test } from "vitest";
import { Runs } from "../runs.fixture.ts";
import { CHAIN } from "../specs.fixture.ts";
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

/** CHAIN, whose containers run Python. */
function chain(): object {
  const copy = structuredClone(CHAIN) as { deploymentSpec: { executors: Record<string, { container: object }> } };
  for (const executor of Object.values(copy.deploymentSpec.executors)) executor.container = { image: "python", command: ["python3", "x.py"] };
  return copy;
}

const ask = (run: string, task: string, mode = "DEBUGGER"): ReturnType<World["request"]> =>
  world.request("GET", `/runs/${run}/tasks/${task}:debugPod?mode=${mode}`);

test("a task that has run has a debug pod, each time another one", async () => {
  const { run_id: run } = await runs.complete(chain(), { n: 3 });
  const { status, body } = await ask(run, "second");
  expect(status).toBe(200);
  expect(body).toMatchObject({ run_id: run, name: "second", debugger: { kind: "python" }, command_line: ["python3", "x.py"], notes: [] });
  expect((await ask(run, "second")).body).not.toMatchObject({ pod: { metadata: { name: (body as Body).pod.metadata.name } } });
  expect((await ask(run, "root.second", "SHELL")).body).toMatchObject({ debugger: { kind: "shell" } });
});

interface Body {
  readonly pod: { readonly metadata: { readonly name: string } };
}

test("of a cached task the one that made its result is debugged, unless its run was deleted", async () => {
  const first = await runs.complete(chain(), { n: 3 });
  const second = await runs.complete(chain(), { n: 3 });
  expect((await ask(second.run_id, "first")).body).toMatchObject({ run_id: first.run_id, notes: [expect.stringContaining(first.run_id)] });
  await world.request("DELETE", `/runs/${first.run_id}?artifacts=keep`);
  const gone = await ask(second.run_id, "first");
  expect(gone).toMatchObject({ status: 400, body: { message: expect.stringContaining("which was deleted since") as string } });
});

test("what cannot be debugged says why", async () => {
  const { run_id: run } = await runs.complete(chain(), { n: 3 });
  expect(await ask(run, "third")).toMatchObject({
    status: 404,
    body: { message: expect.stringMatching(/no task "third": it has first, second$/u) as string },
  });
  expect(await ask(run, "root")).toMatchObject({ status: 400, body: { message: expect.stringContaining("contains tasks") as string } });
  expect(await ask(run, "first", "X")).toMatchObject({ status: 400 });
  world.work = () => ({ hangs: true });
  const waiting = await runs.start(chain(), { n: 4 });
  await runs.reaches(waiting, "RUNNING");
  expect((await ask(waiting, "second")).status).toBe(404);
});
