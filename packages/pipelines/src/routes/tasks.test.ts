import { expect, test } from "vitest";
import type { JsonObject } from "../domain/ir.ts";
import { CHAIN, WIDE } from "../specs.fixture.ts";
import { filter, pick, query, useRest } from "./rest.fixture.ts";

const rest = useRest();
const REPORT = { output: "report", name: "report", type: { schemaTitle: "system.HTML" }, uri: "minio://b/report", metadata: {} };

test("tasks tell what they are, where their values come from, and what they contain", async () => {
  rest.world.work = (pod) => (pod.metadata.name.includes("first") ? { parameters: { Output: 7 }, artifacts: [REPORT] } : {});
  const run = await rest.run();
  await rest.reaches(run, "SUCCEEDED");
  const { root = {}, "root.first": first = {}, "root.second": second = {} } = await rest.tasks(run);
  expect(root).toMatchObject({ type: "ROOT", state: "SUCCEEDED", child_tasks: [{ name: "first" }, { name: "second" }] });
  expect(root["inputs"]).toEqual({
    parameters: [
      { parameter_key: "label", value: "x", type: "COMPONENT_DEFAULT_INPUT" },
      { parameter_key: "n", value: 1, type: "RUNTIME_VALUE_INPUT" },
    ],
  });
  expect(first).toMatchObject({
    ...{ type: "RUNTIME", parent_task_id: root["task_id"], cache_fingerprint: expect.any(String) },
    inputs: { parameters: [{ parameter_key: "n", value: 1, type: "COMPONENT_INPUT", producer: { task_name: "root" } }] },
    outputs: {
      parameters: [{ parameter_key: "Output", value: 7, type: "OUTPUT", producer: { task_name: "first" } }],
      artifacts: [
        { artifact_key: "report", artifacts: [{ type: "HTML", uri: "minio://b/report" }], type: "OUTPUT" },
        { artifact_key: "executor-logs", artifacts: [{ name: "executor-logs" }] },
      ],
    },
    state_history: [{ state: "PENDING" }, { state: "RUNNING" }, { state: "SUCCEEDED" }],
  });
  expect(second["inputs"]).toEqual({
    parameters: [{ parameter_key: "m", value: 7, type: "TASK_OUTPUT_INPUT", producer: { task_name: "first" } }],
  });
  expect(await rest.ok("GET", `/runs/${run}/tasks/${String(first["task_id"])}`)).toEqual(first);
});

test("a loop's iterations tell their items, and whoever takes what they gave that it was collected", async () => {
  const spec = structuredClone(WIDE) as JsonObject & { root: { dag: { tasks: Record<string, object> } }; components: Record<string, object> };
  const loop = spec.components["comp-for-loop-1"] as Record<string, unknown>;
  Object.assign(loop, { outputDefinitions: { parameters: { all: { parameterType: "LIST" } } } });
  Object.assign(loop["dag"] as object, {
    outputs: { parameters: { all: { valueFromParameter: { producerSubtask: "one", outputParameterKey: "Output" } } } },
  });
  Object.assign(spec.components["comp-one"] ?? {}, { outputDefinitions: { parameters: { Output: { parameterType: "NUMBER_INTEGER" } } } });
  spec.components["comp-sum"] = { executorLabel: "exec-one", inputDefinitions: { parameters: { xs: { parameterType: "LIST" } } } };
  spec.root.dag.tasks["sum"] = {
    ...{ taskInfo: { name: "sum" }, componentRef: { name: "comp-sum" }, dependentTasks: ["for-loop-1"] },
    inputs: { parameters: { xs: { taskOutputParameter: { producerTask: "for-loop-1", outputParameterKey: "all" } } } },
  };
  rest.world.work = () => ({ parameters: { Output: 1 } });
  const run = await rest.run({ pipeline_spec: spec, runtime_config: { parameters: { items: [5, 6] } } });
  await rest.reaches(run, "SUCCEEDED");
  const tasks = await rest.tasks(run);
  expect(tasks["root.for-loop-1"]).toMatchObject({
    ...{ type: "LOOP", type_attributes: { iteration_count: "2" } },
    outputs: { parameters: [{ parameter_key: "all", value: [1, 1], type: "ITERATOR_OUTPUT", producer: { task_name: "one" } }] },
  });
  expect(tasks["root.for-loop-1.1"]).toMatchObject({
    type_attributes: { iteration_index: "1" },
    inputs: { parameters: [{ value: 6, type: "ITERATOR_INPUT", producer: { task_name: "for-loop-1", iteration: "1" } }] },
  });
  expect(tasks["root.for-loop-1.0.one"]).toMatchObject({
    inputs: { parameters: [{ type: "COMPONENT_INPUT", producer: { task_name: "for-loop-1", iteration: "0" } }] },
    outputs: { parameters: [{ type: "ITERATOR_OUTPUT", producer: { task_name: "one", iteration: "0" } }] },
  });
  expect(tasks["root.sum"]).toMatchObject({
    inputs: { parameters: [{ value: [1, 1], type: "COLLECTED_INPUTS", producer: { task_name: "for-loop-1" } }] },
  });
});

test("a list of tasks is paged, sorted and filtered, also by what contains them", async () => {
  rest.world.work = () => ({ hangs: true });
  const run = await rest.run({ pipeline_spec: WIDE, runtime_config: { parameters: { items: [1, 2, 3] } } });
  await expect.poll(async () => Object.keys(await rest.tasks(run)).length).toBe(8);
  const loop = String((await rest.tasks(run))["root.for-loop-1"]?.["task_id"]);
  const list = async (parameters: Record<string, string>): Promise<unknown> =>
    pick(await rest.ok("GET", `/runs/${run}/tasks${query(parameters)}`), "tasks", "scope_path");
  expect(await list({ parent_id: loop, order_by: "scope_path desc" })).toEqual(["root.for-loop-1.2", "root.for-loop-1.1", "root.for-loop-1.0"]);
  expect(await list({ filter: filter({ operation: "EQUALS", key: "type", string_value: "LOOP" }) })).toEqual(["root.for-loop-1"]);
  expect(await list({ filter: filter({ operation: "EQUALS", key: "parent_task_id", string_value: loop }), page_size: "2" })).toHaveLength(2);
  expect(await list({ filter: filter({ operation: "IS_SUBSTRING", key: "scope_path", string_value: ".one" }) })).toHaveLength(3);
  const seen: unknown[] = [];
  let page_token = "";
  do {
    const page = await rest.ok("GET", `/runs/${run}/tasks${query({ page_size: "3", page_token })}`);
    expect(page["total_size"]).toBe(8);
    seen.push(...pick(page, "tasks", "task_id"));
    page_token = String(page["next_page_token"] ?? "");
  } while (page_token !== "");
  expect(new Set(seen).size).toBe(8);
  const other = await rest.run();
  expect(await rest.refused("GET", `/runs/${other}/tasks?parent_id=${loop}`)).toMatchObject({ status: 400 });
  expect(await rest.refused("GET", `/runs/${other}/tasks/${loop}`)).toMatchObject({ status: 400 });
  expect(await rest.refused("GET", `/runs/${run}/tasks/none`)).toMatchObject({ status: 404 });
});

test("a client makes and changes tasks of its own, of which the engine knows nothing", async () => {
  rest.world.work = () => ({ hangs: true });
  const run = await rest.run();
  const root = await rest.taskId(run, "root");
  await rest.taskId(run, "root.first");
  const parameter = (parameter_key: string, value: unknown): object => ({ parameter_key, value, type: "RUNTIME_VALUE_INPUT" });
  const task = await rest.ok("POST", `/runs/${run}/tasks`, {
    ...{ name: "mine", type: "RUNTIME", state: "RUNNING", parent_task_id: root, scope_path: "root.mine", cache_fingerprint: "f" },
    inputs: { parameters: [parameter("a", 1)] },
  });
  const path = `/runs/${run}/tasks/${String(task["task_id"])}`;
  expect(task).toMatchObject({ run_id: run, name: "mine", state_history: [{ state: "RUNNING" }], create_time: expect.any(String) });
  await rest.ok("PATCH", path, { inputs: { parameters: [parameter("b", 2)] } });
  const changed = await rest.ok("PATCH", path, { state: "SUCCEEDED", inputs: { parameters: [parameter("b", 3)] }, pods: [{ name: "p", type: 2 }] });
  expect(changed).toMatchObject({
    ...{ name: "mine", state: "SUCCEEDED", end_time: expect.any(String), pods: [{ name: "p", type: "EXECUTOR" }] },
    inputs: {
      parameters: [
        { parameter_key: "a", value: 1 },
        { parameter_key: "b", value: 3 },
      ],
    },
    state_history: [{ state: "RUNNING" }, { state: "SUCCEEDED" }],
  });
  expect(await rest.ok("GET", path)).toEqual(changed);
  expect((await rest.ok("GET", `/runs/${run}/tasks/${root}`))["child_tasks"]).toMatchObject([{ name: "first" }, { name: "mine" }]);
  expect(await rest.ok("POST", "/tasks:findCached", { cache_fingerprint: "f" })).toEqual({ task: changed });
  const bulk = await rest.ok("POST", `/runs/${run}/tasks:batchUpdate`, { tasks: { [String(task["task_id"])]: { display_name: "Mine" } } });
  expect(bulk).toMatchObject({ tasks: { [String(task["task_id"])]: { display_name: "Mine", state: "SUCCEEDED" } } });
  await rest.world.boot();
  expect(await rest.ok("GET", path)).toMatchObject({ display_name: "Mine" });
  await rest.ok("POST", `/runs/${run}:terminate`);
  await rest.reaches(run, "CANCELED");
  expect(await rest.ok("GET", path)).toMatchObject({ state: "SUCCEEDED" });
});

test("what is not a client's to change is refused", async () => {
  rest.world.work = () => ({ hangs: true });
  const [run, other] = [await rest.run(), await rest.run()];
  const root = await rest.taskId(run, "root");
  const task = String((await rest.ok("POST", `/runs/${run}/tasks`, { name: "mine" }))["task_id"]);
  expect(await rest.refused("PATCH", `/runs/${run}/tasks/${root}`, { state: "FAILED" })).toMatchObject({ status: 400, code: 9 });
  for (const [method, path, body] of [
    ["POST", `/runs/${run}/tasks`, {}],
    ["POST", `/runs/${run}/tasks`, { name: "x", task_id: "y" }],
    ["POST", `/runs/${run}/tasks`, { name: "x", run_id: other }],
    ["POST", `/runs/${other}/tasks`, { name: "x", parent_task_id: root }],
    ["PATCH", `/runs/${other}/tasks/${task}`, { name: "x" }],
    ["PATCH", `/runs/${run}/tasks/${task}`, { task_id: root }],
    ["PATCH", `/runs/${run}/tasks/${task}`, { inputs: { parameters: [{ value: 1 }] } }],
    ["POST", `/runs/${run}/tasks:batchUpdate`, { tasks: {} }],
    ["POST", `/runs/${run}/tasks:batchUpdate`, { tasks: { [task]: { name: "x" }, [root]: {} } }],
    ["POST", "/tasks:findCached", {}],
  ] as const) {
    expect(await rest.refused(method, path, body), `${method} ${path}`).toMatchObject({ status: 400 });
  }
  expect(await rest.refused("POST", "/runs/none/tasks", { name: "x" })).toMatchObject({ status: 404 });
  expect(await rest.refused("PATCH", `/runs/${run}/tasks/none`, {})).toMatchObject({ status: 404 });
  expect((await rest.ok("GET", `/runs/${run}/tasks/${task}`))["name"]).toBe("mine");
});

test("the engine's own results are found by their fingerprints", async () => {
  rest.world.work = (pod) => (pod.metadata.name.includes("first") ? { parameters: { Output: 7 } } : {});
  const run = await rest.run({ pipeline_spec: CHAIN });
  await rest.reaches(run, "SUCCEEDED");
  const first = (await rest.tasks(run))["root.first"];
  expect(await rest.ok("POST", "/tasks:findCached", { cache_fingerprint: first?.["cache_fingerprint"] })).toMatchObject({
    task: { task_id: first?.["task_id"] },
  });
  expect(await rest.ok("POST", "/tasks:findCached", { namespace: "other", cache_fingerprint: first?.["cache_fingerprint"] })).toEqual({});
});
