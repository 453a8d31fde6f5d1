import { beforeEach, describe, expect, test } from "vitest";
import { CHAIN, WIDE } from "../specs.fixture.ts";
import { filter, pick, query, useRest } from "./rest.fixture.ts";

const rest = useRest();
beforeEach(() => {
  rest.world.work = () => ({ hangs: true });
});

test.each([
  [{ display_name: "" }, "display_name: must not be empty"],
  [{ display_name: "x".repeat(500) }, "display_name: must not have more than"],
  [{ pipeline_spec: undefined }, "pipeline_spec: exactly one"],
  [{ pipeline_spec: { ...CHAIN, root: {} } }, "root"],
  [{ pipeline_spec: { ...CHAIN, nope: 1 } }, "nope"],
  [{ pipeline_spec: "text" }, "pipeline_spec: must be an object"],
  [{ runtime_config: { parameters: { n: "x" } } }, 'input parameter "n" type mismatch'],
  [{ runtime_config: { parameters: { n: 1, m: 1 } } }, 'no input parameter "m"'],
  [{ runtime_config: {} }, '"n" has no value and no default'],
  [{ runtime_config: { parameters: [] } }, "runtime_config.parameters: must be an object"],
  [{ runtime_config: { parameters: { n: 1 }, pipeline_root: "nowhere" } }, "runtime_config.pipeline_root"],
  [{ runtime_config: { parameters: { n: 1 }, pipeline_root: "https://b/x" } }, "runtime_config.pipeline_root"],
  [{ runtime_config: { parameters: { n: 1 }, pipeline_root: "s3://b/../x?region=r" } }, "runtime_config.pipeline_root"],
  [{ experiment_id: "none" }, "experiment_id: experiment none not found"],
  [{ runtime_confg: {} }, 'unknown field "runtime_confg"'],
  [{ pipeline_version_reference: { pipeline_version_id: "x" } }, "exactly one"],
  [{ pipeline_spec: undefined, pipeline_version_reference: {} }, "names neither a pipeline nor a version"],
  [{ pipeline_spec: undefined, pipeline_version_reference: { pipeline_id: "none" } }, "none not found"],
])("%j is refused, and nothing is left of it", async (change, message) => {
  const body = { display_name: "r", pipeline_spec: CHAIN, runtime_config: { parameters: { n: 1 } }, ...change };
  expect(await rest.refused("POST", "/runs", body)).toMatchObject({ message: expect.stringContaining(message) });
  expect(await rest.ok("GET", "/runs")).toEqual({});
  expect(await rest.ok("GET", "/experiments")).toEqual({});
});

test("a run is read with its pipeline, its parameters and its states", async () => {
  const id = await rest.run({ description: "d", service_account: "sa", runtime_config: { parameters: { n: 1 }, pipeline_root: "minio://b/x" } });
  await rest.reaches(id, "RUNNING");
  const run = await rest.ok("GET", `/runs/${id}`);
  expect(run).toMatchObject({
    ...{ run_id: id, display_name: "r", description: "d", service_account: "sa", storage_state: "AVAILABLE" },
    ...{ pipeline_spec: { pipelineInfo: { name: "chain" } }, runtime_config: { parameters: { n: 1 }, pipeline_root: "minio://b/x" } },
    state_history: [{ state: "PENDING", update_time: expect.any(String) }, { state: "RUNNING" }],
  });
});

describe("a list of runs", () => {
  test("tells of each run all but its pipeline, which it does not read", async () => {
    const id = await rest.run();
    await expect
      .poll(async () => (await rest.ok("GET", "/runs"))["runs"])
      .toMatchObject([{ run_id: id, task_count: 2, pipeline_spec: { pipelineInfo: { name: "chain" } }, runtime_config: { parameters: { n: 1 } } }]);
    const { runs: [run] = [] } = (await rest.ok("GET", "/runs")) as { runs?: { pipeline_spec: object }[] };
    expect(run?.pipeline_spec).toEqual({ pipelineInfo: { name: "chain" } });
  });

  test.each([
    "run_id",
    "display_name",
    "created_at",
    "scheduled_at",
    "finished_at",
    "description",
    "storage_state",
    "state",
    "status",
    "experiment_id",
  ])("is sorted by %s", async (field) => {
    for (const display_name of ["b", "a"]) await rest.run({ display_name });
    for (const order of ["asc", "desc"]) {
      expect((await rest.ok("GET", `/runs${query({ sort_by: `${field} ${order}`, page_size: "1" })}`))["total_size"]).toBe(2);
    }
  });

  test("is filtered, and is of a namespace or an experiment", async () => {
    const { experiment_id } = await rest.ok("POST", "/experiments", { display_name: "e" });
    const { experiment_id: elsewhere } = await rest.ok("POST", "/experiments", { display_name: "e", namespace: "other" });
    const [a, b] = [await rest.run({ display_name: "a", experiment_id }), await rest.run({ display_name: "b" })];
    const c = await rest.run({ display_name: "c", experiment_id: elsewhere });
    const ids = async (parameters: Record<string, string>): Promise<unknown> =>
      pick(await rest.ok("GET", `/runs${query(parameters)}`), "runs", "run_id");
    expect(await ids({ experiment_id: String(experiment_id) })).toEqual([a]);
    expect(await ids({ experiment_id: String(elsewhere) })).toEqual([c]);
    expect(await ids({ namespace: "other" })).toEqual([c]);
    expect(await ids({ filter: filter({ operation: "IS_SUBSTRING", key: "display_name", string_value: "b" }) })).toEqual([b]);
    expect(await ids({ filter: filter({ operation: "EQUALS", key: "run_id", string_value: a }) })).toEqual([a]);
    expect(await ids({ filter: filter({ operation: "IN", key: "state", string_values: { values: ["SUCCEEDED"] } }) })).toEqual([]);
    expect(await ids({ filter: filter({ operation: "EQUALS", key: "storage_state", string_value: "AVAILABLE" }) })).toEqual([a, b]);
    expect(await rest.refused("GET", "/runs?experiment_id=none")).toMatchObject({ status: 404 });
  });

  test("brings all tasks if they are asked for", async () => {
    const [first, second] = [await rest.run(), await rest.run({ pipeline_spec: WIDE, runtime_config: { parameters: { items: [1, 2, 3] } } })];
    await expect.poll(async () => pick(await rest.ok("GET", "/runs"), "runs", "task_count")).toEqual([2, 8]);
    const { runs = [] } = (await rest.ok("GET", "/runs?view=FULL")) as { runs?: { run_id: string; tasks: { run_id: string }[] }[] };
    expect(runs.map(({ run_id, tasks }) => [run_id, tasks.length, tasks.every((task) => task.run_id === run_id)])).toEqual([
      [first, 2, true],
      [second, 8, true],
    ]);
  });
});

describe("a run's tasks", () => {
  test("come only if they are asked for; clients that do not know how to ask are told in older words", async () => {
    const id = await rest.run();
    await expect.poll(async () => (await rest.ok("GET", `/runs/${id}`))["task_count"]).toBe(2);
    const lean = await rest.ok("GET", `/runs/${id}?view=DEFAULT`);
    expect([lean["tasks"], lean["run_details"], lean["task_count"]]).toEqual([undefined, undefined, 2]);
    const { run_details } = (await rest.ok("GET", `/runs/${id}`)) as { run_details?: { task_details: { display_name: string }[] } };
    expect(run_details?.task_details.toSorted((one, other) => one.display_name.localeCompare(other.display_name))).toMatchObject([
      { display_name: "chain", child_tasks: [{}] },
      { display_name: "first", state: expect.any(String) },
    ]);
    const { tasks } = (await rest.ok("GET", `/runs/${id}?view=1`)) as { tasks: { name: string }[] };
    expect(tasks.toSorted((one, other) => other.name.localeCompare(one.name))).toMatchObject([
      { name: "root", type: "ROOT", child_tasks: [{ name: "first" }] },
      { name: "first", type: "RUNTIME", scope_path: "root.first", pods: [{ type: "EXECUTOR" }] },
    ]);
    expect(await rest.refused("GET", `/runs/${id}?view=SOME`)).toMatchObject({ status: 400 });
  });

  test("are no part of the answer when there are too many for clients that do not ask", async () => {
    const items = Array.from({ length: 150 }, (_, index) => index);
    const id = await rest.run({ pipeline_spec: WIDE, runtime_config: { parameters: { items } } });
    await expect.poll(async () => (await rest.ok("GET", `/runs/${id}`))["task_count"], { timeout: 10_000 }).toBe(302);
    expect((await rest.ok("GET", `/runs/${id}`))["run_details"]).toBeUndefined();
    expect((await rest.ok("GET", `/runs/${id}?view=FULL`))["tasks"]).toHaveLength(302);
  });
});

test("a run is archived, terminated, retried and deleted, each when that is possible", async () => {
  const id = await rest.run();
  expect(await rest.refused("POST", `/runs/${id}:retry`)).toMatchObject({ status: 400, code: 9 });
  await rest.ok("POST", `/runs/${id}:archive`);
  expect(await rest.ok("GET", `/runs/${id}`)).toMatchObject({ storage_state: "ARCHIVED", state: "RUNNING" });
  await rest.ok("POST", `/runs/${id}:archive`);
  await rest.ok("POST", `/runs/${id}:unarchive`);
  await rest.ok("POST", `/runs/${id}:terminate?experiment_id=ignored`);
  await rest.reaches(id, "CANCELED");
  expect((await rest.ok("GET", `/runs/${id}`))["task_count"]).toBeGreaterThan(0);
  expect(await rest.refused("POST", `/runs/${id}:terminate`)).toMatchObject({ status: 400, code: 3 });
  await rest.ok("POST", `/runs/${id}:retry`);
  await rest.reaches(id, "RUNNING");
  await rest.ok("DELETE", `/runs/${id}`);
  for (const verb of ["archive", "unarchive", "terminate", "retry"]) {
    expect(await rest.refused("POST", `/runs/${id}:${verb}`)).toMatchObject({ status: 404, code: 5 });
  }
  expect(await rest.refused("DELETE", `/runs/${id}`)).toMatchObject({ status: 404 });
  expect((await rest.send("POST", `/runs/${id}:explode`)).status).toBe(404);
});

test("runs of a namespace stay in it", async () => {
  const body = { display_name: "r", pipeline_spec: CHAIN, runtime_config: { parameters: { n: 1 } } };
  const { experiment_id } = await rest.ok("POST", "/experiments", { display_name: "e", namespace: "secret" });
  const run = await rest.run({ experiment_id });
  const task = await rest.taskId(run, "root");
  const mine = { artifact: { name: "a", type: "Model" }, run_id: run, task_id: task, producer_key: "k" };
  rest.world.forbidden.add("secret");
  for (const [method, path, sent] of [
    ...["", ":watch", "/tasks", `/tasks/${task}`, "/nodes/x/log", "/nodes/x/artifacts/y", "/nodes/x/artifacts/y:read"].map((below) => [
      "GET",
      `/runs/${run}${below}`,
    ]),
    ...["terminate", "retry", "archive", "unarchive"].map((verb) => ["POST", `/runs/${run}:${verb}`]),
    ...[
      ["DELETE", `/runs/${run}`],
      ["GET", "/runs?namespace=secret"],
      ["GET", "/runs:watch?namespace=secret"],
      ["GET", `/runs?experiment_id=${String(experiment_id)}`],
    ],
    ...[
      ["GET", "/artifacts?namespace=secret"],
      ["GET", "/experiments?namespace=secret"],
      ["GET", `/experiments/${String(experiment_id)}`],
    ],
    ...[
      ["GET", `/artifact_tasks?run_ids=${run}`],
      ["GET", "/auth?namespace=secret&resources=VIEWERS&verb=GET"],
    ],
    ["POST", "/runs", { ...body, experiment_id }],
    ["POST", `/runs/${run}/tasks`, { name: "mine" }],
    ["PATCH", `/runs/${run}/tasks/${task}`, { name: "mine" }],
    ["POST", `/runs/${run}/tasks:batchUpdate`, { tasks: { [task]: {} } }],
    ["POST", "/tasks:findCached", { namespace: "secret", cache_fingerprint: "x" }],
    ["POST", "/artifacts", mine],
    ["POST", "/artifacts:batchCreate", { artifacts: [mine] }],
    ["POST", "/artifact_tasks", { artifact_task: { artifact_id: "a", run_id: run, task_id: task, type: "OUTPUT", producer: {}, key: "k" } }],
    ["POST", "/pipelines", { name: "p", namespace: "secret" }],
    ["POST", "/visualizations/secret", {}],
  ] as [string, string, unknown?][]) {
    expect(await rest.refused(method, path, sent), `${method} ${path}`).toMatchObject({ status: 403 });
  }
  expect(await rest.ok("GET", "/runs")).toEqual({});
});
