import { FakeClock, settle } from "@sluice/controller/fake-clock";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { JsonObject } from "../domain/ir.ts";
import { CHAIN } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";

const START = Date.parse("2026-03-01T10:00:00Z");
let world: World;
let clock: FakeClock;
beforeEach(async () => {
  clock = new FakeClock();
  clock.jump(START);
  world = new World();
  world.clock = clock;
  world.work = () => ({ parameters: { Output: 1 } });
  await world.boot();
});
afterEach(() => world[Symbol.asyncDispose]());

async function ask(method: string, path: string, body?: unknown): Promise<never> {
  const answer = await world.request(method, path, body);
  expect(answer, `${method} ${path}`).toMatchObject({ status: 200 });
  return answer.body;
}
const every = (seconds: number): object => ({ periodic_schedule: { interval_second: String(seconds) } });
async function schedule(change: object = {}): Promise<string> {
  const body = {
    ...{ display_name: "nightly", pipeline_spec: CHAIN, runtime_config: { parameters: { n: 1 } }, max_concurrency: "1", mode: "ENABLE" },
    ...{ trigger: every(60), ...change },
  };
  return (await ask("POST", "/recurringruns", body))["recurring_run_id"];
}
interface Run {
  readonly run_id: string;
  readonly display_name: string;
  readonly scheduled_at: string;
  readonly created_at: string;
  readonly state: string;
  readonly runtime_config: { readonly parameters: JsonObject };
  readonly pipeline_version_reference: JsonObject;
}
async function runsOf(id: string): Promise<readonly Run[]> {
  const filter = JSON.stringify({ predicates: [{ operation: "EQUALS", key: "recurring_run_id", string_value: id }] });
  const { runs = [] } = (await ask("GET", `/runs?${new URLSearchParams({ filter, sort_by: "scheduled_at", page_size: "200" }).toString()}`)) as {
    runs?: Run[];
  };
  return runs;
}
/** The slots of the runs that there are, in seconds after the start, once there are `count`. */
async function slots(id: string, count: number): Promise<number[]> {
  return vi.waitFor(
    async () => {
      const runs = await runsOf(id);
      expect(runs).toHaveLength(count);
      return runs.map(({ scheduled_at: at }) => (Date.parse(at) - START) / 1000);
    },
    { timeout: 30_000 },
  );
}
/** Lets time pass in steps, and what is due in each happen before the next. */
async function pass(seconds: number): Promise<void> {
  for (let rest = seconds; rest > 0; rest -= 30) {
    await clock.advance(Math.min(rest, 30) * 1000);
    for (let turn = 0; turn < 40; turn++) await settle();
  }
}

test("each slot has its run, as the schedule says", async () => {
  const id = await schedule({
    display_name: "nightly [[ScheduledTime.15:04]]",
    runtime_config: { parameters: { n: 1, label: "[[Index]] [[ScheduledTime]]" }, pipeline_root: "minio://mlpipeline/nightly" },
    service_account: "robot",
  });
  await pass(120);
  expect(await slots(id, 2)).toEqual([60, 120]);
  expect(await runsOf(id)).toMatchObject([
    { display_name: "nightly 10:01", scheduled_at: "2026-03-01T10:01:00Z", recurring_run_id: id, service_account: "robot" },
    {
      display_name: "nightly 10:02",
      runtime_config: { parameters: { n: 1, label: "2 20260301100200" }, pipeline_root: "minio://mlpipeline/nightly" },
    },
  ]);
});

test("a schedule without a trigger runs once, at once", async () => {
  const id = await schedule({ trigger: undefined });
  expect(await slots(id, 1)).toEqual([0]);
  await pass(300);
  expect(await slots(id, 1)).toEqual([0]);
  expect((await runsOf(id))[0]).toMatchObject({ display_name: "nightly-1" });
});

test("no more runs go on than may; those that are late come in order once there is room", async () => {
  world.work = () => ({ hangs: true });
  const id = await schedule({ max_concurrency: "2" });
  await pass(300);
  expect(await slots(id, 2)).toEqual([60, 120]);
  world.work = () => ({ parameters: { Output: 1 } });
  for (const { run_id: run } of await runsOf(id)) await ask("POST", `/runs/${run}:terminate`);
  await vi.waitFor(async () =>
    expect((await runsOf(id)).map(({ scheduled_at: at }) => (Date.parse(at) - START) / 1000)).toEqual([60, 120, 180, 240, 300]),
  );
});

test("after days without the program, all that was missed comes in order, or only the latest", { timeout: 60_000 }, async () => {
  const trigger = { cron_schedule: { cron: "0 0 */6 * * *" } };
  const [all, latest] = [await schedule({ trigger }), await schedule({ trigger, no_catchup: true })];
  await pass(60);
  world.crash();
  clock.jump(3 * 86_400_000);
  await world.boot();
  expect(await slots(latest, 1)).toEqual([68 * 3600]);
  expect(await slots(all, 12)).toEqual(Array.from({ length: 12 }, (_, index) => (index * 6 + 2) * 3600));
});

test("a machine that slept, or whose clock was set, is noticed", async () => {
  const id = await schedule({ trigger: every(86_400) });
  await pass(60);
  clock.jump(86_400_000);
  await pass(60);
  expect(await slots(id, 1)).toEqual([86_400]);
});

test("disabled it stands still; enabled again it goes on", async () => {
  const id = await schedule({ mode: "DISABLE" });
  await pass(120);
  expect(await runsOf(id)).toEqual([]);
  expect(await ask("GET", `/recurringruns/${id}`)).toMatchObject({ mode: "DISABLE", status: "DISABLED" });
  await ask("POST", `/recurringruns/${id}:enable`);
  expect(await slots(id, 2)).toEqual([60, 120]);
  await ask("POST", `/recurringruns/${id}:disable`);
  await pass(120);
  expect(await slots(id, 2)).toEqual([60, 120]);
  await ask("DELETE", `/recurringruns/${id}`);
  expect(await world.request("GET", `/recurringruns/${id}`)).toMatchObject({ status: 404 });
  expect(await runsOf(id)).toHaveLength(2);
});

test("archiving its experiment disables it, and it is not enabled while that lasts", async () => {
  const { experiment_id: experiment } = await ask("POST", "/experiments", { display_name: "e" });
  const id = await schedule({ experiment_id: experiment });
  await ask("POST", `/experiments/${String(experiment)}:archive`);
  expect(await ask("GET", `/recurringruns/${id}`)).toMatchObject({ status: "DISABLED" });
  await pass(120);
  expect(await runsOf(id)).toEqual([]);
  expect(await world.request("POST", `/recurringruns/${id}:enable`)).toMatchObject({ status: 400 });
});

describe("of a stored pipeline", () => {
  const version = async (pipeline: string, name: string, change: object = {}): Promise<string> =>
    (await ask("POST", `/pipelines/${pipeline}/versions`, { name, pipeline_spec: { ...CHAIN, ...change } }))["pipeline_version_id"];
  let pipeline: string;
  beforeEach(async () => {
    pipeline = (await ask("POST", "/pipelines", { name: "p" }))["pipeline_id"];
  });

  test("the latest version runs, unless one is named", async () => {
    const first = await version(pipeline, "1");
    const latest = await schedule({ pipeline_spec: undefined, pipeline_version_reference: { pipeline_id: pipeline } });
    const pinned = await schedule({ pipeline_spec: undefined, pipeline_version_reference: { pipeline_id: pipeline, pipeline_version_id: first } });
    expect(await ask("GET", `/recurringruns/${latest}`)).toMatchObject({ pipeline_version_reference: { pipeline_id: pipeline } });
    expect((await world.store.recurringRuns.find(pinned))?.spec).toBe("");
    await pass(60);
    clock.jump(1);
    const second = await version(pipeline, "2");
    await pass(60);
    await slots(latest, 2);
    const versions = async (id: string): Promise<unknown[]> => (await runsOf(id)).map((run) => run.pipeline_version_reference["pipeline_version_id"]);
    expect(await versions(latest)).toEqual([first, second]);
    expect(await versions(pinned)).toEqual([first, first]);
  });

  test("a slot that can have no run is passed over and told of, and the next has one", async () => {
    const first = await version(pipeline, "1");
    const id = await schedule({ pipeline_spec: undefined, pipeline_version_reference: { pipeline_id: pipeline } });
    await ask("DELETE", `/pipelines/${pipeline}/versions/${first}`);
    await pass(60);
    await vi.waitFor(async () =>
      expect(await ask("GET", `/recurringruns/${id}`)).toMatchObject({
        error: { code: 9, message: `no run for 2026-03-01T10:01:00.000Z: pipeline ${pipeline} has no version` },
      }),
    );
    const root = {
      ...(CHAIN["root"] as JsonObject),
      inputDefinitions: { parameters: { n: { parameterType: "STRING" }, must: { parameterType: "STRING" } } },
    };
    await version(pipeline, "2", { root });
    await pass(60);
    await vi.waitFor(async () =>
      expect(await ask("GET", `/recurringruns/${id}`)).toMatchObject({ error: { message: expect.stringContaining("must") } }),
    );
    await version(pipeline, "3");
    await pass(60);
    expect(await slots(id, 1)).toEqual([180]);
    expect(await ask("GET", `/recurringruns/${id}`)).not.toHaveProperty("error");
  });
});
