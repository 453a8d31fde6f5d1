import { afterEach, beforeEach, expect, test } from "vitest";
import { CHAIN } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";

let world: World;
beforeEach(async () => {
  world = new World();
  await world.boot();
});
afterEach(() => world[Symbol.asyncDispose]());

async function ok(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await world.request(method, path, body);
  expect(answer, `${method} ${path}`).toMatchObject({ status: 200 });
  return answer.body;
}
const BODY = {
  display_name: "s",
  pipeline_spec: CHAIN,
  runtime_config: { parameters: { n: 1 } },
  max_concurrency: "2",
  mode: "ENABLE",
  trigger: { cron_schedule: { cron: "0 0 9 * * *", start_time: "2036-01-01T00:00:00Z", end_time: "2036-02-01T00:00:00Z" } },
};

test("a recurring run tells what it was given", async () => {
  const { experiment_id: experiment } = await ok("POST", "/experiments", { display_name: "e", namespace: "team" });
  const given = {
    ...{ ...BODY, experiment_id: experiment, description: "d", service_account: "robot", no_catchup: true, plugins_input: { mlflow: { a: 1 } } },
    runtime_config: { parameters: { n: 1 }, pipeline_root: "minio://mlpipeline/x" },
  };
  const made = await ok("POST", "/recurringruns", given);
  expect(made).toEqual({
    ...{ ...given, namespace: "team", status: "ENABLED" },
    ...{ recurring_run_id: expect.any(String), created_at: expect.any(String), updated_at: expect.any(String) },
  });
  expect(await ok("GET", `/recurringruns/${String(made["recurring_run_id"])}`)).toEqual(made);
  const { recurringRuns, total_size: total } = await ok("GET", `/recurringruns?experiment_id=${String(experiment)}`);
  expect([recurringRuns, total]).toEqual([[made], 1]);
  expect(await ok("GET", "/recurringruns")).toEqual({});
});

test("numbers come as text or numbers, modes by name or number, and without an experiment the default one is meant", async () => {
  const trigger = { periodicSchedule: { intervalSecond: 3600 } };
  const made = await ok("POST", "/recurringruns", { ...BODY, trigger, max_concurrency: 3, mode: 1 });
  expect(made).toMatchObject({ trigger: { periodic_schedule: { interval_second: "3600" } }, max_concurrency: "3", mode: "ENABLE" });
  expect(await ok("GET", `/experiments/${String(made["experiment_id"])}`)).toMatchObject({ display_name: "Default", namespace: "kubeflow" });
  expect(await ok("POST", "/recurringruns", { ...BODY, mode: undefined })).toMatchObject({ mode: "DISABLE", status: "DISABLED" });
});

test("lists are filtered and sorted", async () => {
  for (const name of ["b", "c", "a"]) await ok("POST", "/recurringruns", { ...BODY, display_name: name });
  const names = async (query: Record<string, string>): Promise<string[]> => {
    const { recurringRuns = [] } = await ok("GET", `/recurringruns?${new URLSearchParams(query).toString()}`);
    return (recurringRuns as { display_name: string }[]).map(({ display_name: name }) => name);
  };
  expect(await names({ sort_by: "display_name desc", page_size: "2" })).toEqual(["c", "b"]);
  const filter = JSON.stringify({ predicates: [{ operation: "EQUALS", key: "display_name", string_value: "a" }] });
  expect(await names({ filter })).toEqual(["a"]);
  const enabled = JSON.stringify({ predicates: [{ operation: "NOT_EQUALS", key: "status", string_value: "ENABLED" }] });
  expect(await names({ filter: enabled })).toEqual([]);
});

test.each([
  [{ max_concurrency: "0" }, 400, "max_concurrency: must be from 1 to 10, not 0"],
  [{ max_concurrency: "11" }, 400, "max_concurrency: must be from 1 to 10"],
  [{ max_concurrency: "many" }, 400, "max_concurrency: must be a whole number"],
  [{ display_name: "" }, 400, "display_name: must not be empty"],
  [{ experiment_id: "nope" }, 404, "experiment nope not found"],
  [{ pipeline_spec: undefined }, 400, "exactly one of pipeline_spec and pipeline_version_reference"],
  [{ pipeline_spec: undefined, pipeline_version_reference: { pipeline_id: "nope" } }, 404, "a version of pipeline nope not found"],
  [{ runtime_config: { parameters: {} } }, 400, '"n"'],
  [{ runtime_config: { parameters: { n: "one" } } }, 400, "type mismatch"],
  [{ trigger: { cron_schedule: { cron: "at noon" } } }, 400, "is not a cron expression"],
  [{ trigger: { cron_schedule: { cron: "0 0 0 31 2 *" } } }, 400, "never happens"],
  [{ trigger: { cron_schedule: {} } }, 400, "trigger.cron_schedule.cron: must not be empty"],
  [{ trigger: { periodic_schedule: { interval_second: "0" } } }, 400, "trigger.periodic_schedule.interval_second: must be at least 1"],
  [
    { trigger: { periodic_schedule: { interval_second: "1", start_time: "noon" } } },
    400,
    'trigger.periodic_schedule.start_time: must be a time such as "2026-01-31T12:00:00Z", not "noon"',
  ],
  [{ trigger: { periodic_schedule: {}, cron_schedule: {} } }, 400, "give one of them"],
  [
    { trigger: { periodic_schedule: { interval_second: "1", start_time: "2027-01-01T00:00:00Z", end_time: "2026-01-01T00:00:00Z" } } },
    400,
    "end_time lies before start_time",
  ],
  [{ mode: "SOMETIMES" }, 400, 'mode: unknown RecurringRunMode "SOMETIMES"'],
  [{ nonsense: 1 }, 400, 'unknown field "nonsense"'],
])("%j is refused", async (change, status, message) => {
  expect(await world.request("POST", "/recurringruns", { ...BODY, ...change })).toMatchObject({
    status,
    body: { message: expect.stringContaining(message) },
  });
});

test("what there is not cannot be changed", async () => {
  for (const [method, path] of [
    ["GET", "x"],
    ["DELETE", "x"],
    ["POST", "x:enable"],
  ]) {
    expect(await world.request(method ?? "", `/recurringruns/${path}`)).toMatchObject({ status: 404 });
  }
  const { recurring_run_id: id } = await ok("POST", "/recurringruns", BODY);
  expect(await world.request("DELETE", `/recurringruns/${String(id)}?propagation_policy=SOON`)).toMatchObject({ status: 400 });
  await ok("DELETE", `/recurringruns/${String(id)}?propagation_policy=ORPHAN`);
});

test("the gate is asked in the words of Kubeflow's roles", async () => {
  const { recurring_run_id: id } = await ok("POST", "/recurringruns", BODY);
  world.asked.length = 0;
  await ok("POST", `/recurringruns/${String(id)}:disable`);
  expect(world.asked).toEqual([{ verb: "disable", group: "pipelines.kubeflow.org", resource: "jobs", namespace: "kubeflow", name: "s" }]);
  world.forbidden.add("kubeflow");
  expect(await world.request("GET", `/recurringruns/${String(id)}`)).toMatchObject({ status: 403 });
  expect(await world.request("POST", "/recurringruns", BODY)).toMatchObject({ status: 403 });
});
