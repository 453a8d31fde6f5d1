import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LINE } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";

let world: World;
/** How many models have been trained. */
let count: number;
beforeEach(async () => {
  world = new World();
  await world.boot();
  count = 0;
  world.work = (pod) =>
    pod.metadata.name.includes("train")
      ? { artifacts: [{ output: "model", name: "model", type: { schemaTitle: "system.Model" }, uri: `minio://b/model-${++count}`, metadata: {} }] }
      : {};
});
afterEach(() => world[Symbol.asyncDispose]());

interface Lineage {
  readonly artifact: { readonly uri: string };
  readonly tasks: readonly { readonly name: string; readonly run_id: string; readonly depth: number; readonly state: string }[];
  readonly artifacts: readonly { readonly artifact_id: string; readonly uri: string; readonly type: string }[];
  readonly links: readonly { readonly artifact_id: string; readonly task_id: string; readonly type: string; readonly artifact_key: string }[];
}

async function finished(uri: string): Promise<string> {
  const body = { display_name: "r", pipeline_spec: LINE, runtime_config: { parameters: { uri } } };
  const { run_id: id } = (await world.request("POST", "/runs", body)).body as { run_id: string };
  await vi.waitFor(async () => expect((await world.request("GET", `/runs/${id}`)).body).toMatchObject({ state: "SUCCEEDED" }), { timeout: 10_000 });
  return id;
}
async function lineage(id: string, query: string): Promise<Lineage> {
  const answer = await world.request("GET", `/artifacts/${id}:lineage?${query}`);
  expect(answer).toMatchObject({ status: 200 });
  return answer.body;
}
async function artifactAt(uri: string): Promise<string> {
  const { artifacts } = (await world.request("GET", "/artifacts?page_size=100")).body as { artifacts: { artifact_id: string; uri: string }[] };
  return artifacts.find((each) => each.uri === uri)?.artifact_id ?? "";
}
const names = ({ tasks }: Lineage): string[] => tasks.map(({ name, run_id: run, depth }) => `${depth} ${name} ${run}`).sort();

test("an artifact knows what it was made from and what was made from it, across runs", async () => {
  const one = await finished("minio://b/data");
  const two = await finished("minio://b/data");
  expect(count).toBe(1);
  // What one run made, another imports and goes on from.
  const three = await finished("minio://b/model-1");
  const [data, model] = [await artifactAt("minio://b/data"), await artifactAt("minio://b/model-1")];

  const up = await lineage(model, "direction=UPSTREAM");
  expect(names(up)).toEqual([`0 train ${one}`, `0 train ${two}`, `1 import ${one}`, `1 import ${two}`].sort());
  expect(up.artifacts.map(({ uri }) => uri).sort()).toEqual(["minio://b/data", "minio://b/model-1"]);
  expect(up.links).toContainEqual(expect.objectContaining({ artifact_id: data, type: "INPUT", artifact_key: "data" }));

  const down = await lineage(data, "direction=DOWNSTREAM");
  expect(names(down)).toEqual([`0 train ${one}`, `0 train ${two}`, `1 judge ${one}`, `1 judge ${two}`].sort());
  expect(names(await lineage(data, "direction=DOWNSTREAM&depth=1"))).toEqual([`0 train ${one}`, `0 train ${two}`].sort());
  expect(down.tasks.some(({ run_id: run }) => run === three)).toBe(false);

  await world.request("DELETE", `/runs/${one}`);
  expect(names(await lineage(await artifactAt("minio://b/model-2"), "direction=UPSTREAM"))).toEqual([`0 train ${three}`, `1 import ${three}`].sort());
});

test("a question that makes no sense is refused", async () => {
  await finished("minio://b/data");
  const id = await artifactAt("minio://b/data");
  for (const query of ["direction=sideways", "depth=0", "depth=many"]) {
    expect(await world.request("GET", `/artifacts/${id}:lineage?${query}`), query).toMatchObject({ status: 400 });
  }
  expect(await world.request("GET", "/artifacts/none:lineage")).toMatchObject({ status: 404 });
});

test("a chain of thousands is one query away", async () => {
  const length = 3000;
  const rows = Array.from({ length }, (_, at) => [
    { artifact_id: `a${at}`, task_id: `t${at}`, direction: "INPUT" as const, key: "in" },
    { artifact_id: `a${at + 1}`, task_id: `t${at}`, direction: "OUTPUT" as const, key: "out" },
  ]).flat();
  const whole = { run_id: "r", namespace: "n", position: 0, created_at: 1, type: "OUTPUT", producer: "", iteration: -1, is_lineage: 1 };
  await world.store.tasks.link(rows.map((row) => ({ ...row, ...whole, id: `${row.task_id}.${row.direction}` })));
  const limits = { depth: 10_000, limit: 20_000 };
  const up = await world.store.lineage.links({ id: `a${length}`, namespace: "n" }, { direction: "UPSTREAM", ...limits });
  const down = await world.store.lineage.links({ id: "a0", namespace: "n" }, { direction: "DOWNSTREAM", ...limits });
  expect([up.length, up.at(-1)?.depth]).toEqual([2 * length, length - 1]);
  expect(up.at(-2)).toMatchObject({ artifact_id: "a0", direction: "INPUT" });
  expect([down.length, down.at(-1)?.artifact_id]).toEqual([2 * length, `a${length}`]);
  expect(await world.store.lineage.links({ id: "a0", namespace: "other" }, { direction: "DOWNSTREAM", ...limits })).toEqual([]);
});
