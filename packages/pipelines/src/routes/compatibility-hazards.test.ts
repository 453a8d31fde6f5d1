import { expect, test } from "vitest";
import { RUN_LABEL } from "../engine/index.ts";
import { CHAIN } from "../specs.fixture.ts";
import { filter, query, useRest } from "./rest.fixture.ts";

const rest = useRest();
const SCHEDULE = "2030-01-01T00:00:00Z";

test("names are in snake_case, and zero fields are left out", async () => {
  const experiment = await rest.ok("POST", "/experiments", { display_name: "e", description: "" });
  expect(Object.keys(experiment).sort()).toEqual([
    "created_at",
    "display_name",
    "experiment_id",
    "last_run_created_at",
    "namespace",
    "storage_state",
  ]);
  expect(await rest.ok("GET", "/pipelines")).toEqual({});
});

test("requests may write names in lowerCamelCase, and null for nothing", async () => {
  expect(await rest.ok("POST", "/experiments", { displayName: "e", description: null })).toMatchObject({ display_name: "e" });
});

test("an unknown field is a 400", async () => {
  expect(await rest.refused("POST", "/experiments", { display_name: "e", nope: 1 })).toMatchObject({ status: 400, code: 3 });
  expect(await rest.refused("POST", "/runs", { display_name: "r", runtime_config: { params: {} } })).toMatchObject({
    status: 400,
    message: 'runtime_config: unknown field "params"',
  });
});

test("a field that is there twice, or is of another type, is a 400", async () => {
  expect(await rest.refused("POST", "/experiments", { display_name: "a", displayName: "b" })).toMatchObject({
    status: 400,
    message: "display_name: is there twice",
  });
  expect((await rest.refused("POST", "/experiments", { display_name: 1 })).message).toBe("display_name: must be a string");
  expect((await rest.refused("POST", "/pipelines", { name: "p", tags: { a: 1 } })).message).toBe("tags.a: must be a string");
  expect((await rest.refused("POST", "/experiments", { display_name: "e", created_at: "yesterday" })).message).toContain(
    "created_at: must be a time",
  );
});

test("an int64 is a string, and is understood as a number, too", async () => {
  rest.world.work = () => ({ hangs: true });
  const run = await rest.run();
  const body = { name: "mine", type_attributes: { iteration_index: 0, iteration_count: "3" } };
  expect(await rest.ok("POST", `/runs/${run}/tasks`, body)).toMatchObject({ type_attributes: { iteration_index: "0", iteration_count: "3" } });
});

test("an enum is a name, and is understood as a number, too", async () => {
  rest.world.work = () => ({ hangs: true });
  const run = await rest.run();
  expect(await rest.ok("POST", `/runs/${run}/tasks`, { name: "mine", state: 1, type: "RUNTIME" })).toMatchObject({
    state: "RUNNING",
    type: "RUNTIME",
  });
  expect((await rest.refused("POST", `/runs/${run}/tasks`, { name: "mine", state: 99 })).message).toMatch(/^state: unknown TaskState 99/u);
});

test("a filter's operation has upstream's numbers, of which 4 is none", async () => {
  for (const display_name of ["a", "b"]) await rest.ok("POST", "/experiments", { display_name });
  const total = async (operation: number, value: object): Promise<unknown> =>
    (await rest.ok("GET", `/experiments${query({ filter: filter({ operation, key: "name", ...value }) })}`))["total_size"];
  expect(await total(1, { string_value: "a" })).toBe(1);
  expect(await total(2, { stringValue: "a" })).toBe(1);
  expect(await total(3, { string_value: "a" })).toBe(1);
  expect(await total(5, { string_value: "a" })).toBe(2);
  expect(await total(6, { string_value: "b" })).toBe(1);
  expect(await total(7, { string_value: "b" })).toBe(2);
  expect(await total(8, { string_values: { values: ["b"] } })).toBe(1);
  expect(await total(9, { string_value: "A" })).toBe(1);
  for (const operation of [0, 4, 10]) {
    expect(await rest.refused("GET", `/experiments${query({ filter: filter({ operation, key: "name", string_value: "a" }) })}`)).toMatchObject({
      status: 400,
    });
  }
});

test("finished_at is the epoch while a run goes on", async () => {
  rest.world.work = () => ({ hangs: true });
  const run = await rest.run();
  expect(await rest.ok("GET", `/runs/${run}`)).toMatchObject({ finished_at: "1970-01-01T00:00:00Z" });
  await rest.ok("POST", `/runs/${run}:terminate`);
  await rest.reaches(run, "CANCELED");
  expect((await rest.ok("GET", `/runs/${run}`))["finished_at"]).not.toBe("1970-01-01T00:00:00Z");
});

test("a number without a fraction has no point: 9.0 is 9", async () => {
  rest.world.work = () => ({ hangs: true });
  const run = await rest.run();
  const response = await rest.send(
    "POST",
    "/runs",
    `{"display_name":"r","pipeline_spec":${JSON.stringify(CHAIN)},"runtime_config":{"parameters":{"n":9.0}}}`,
  );
  expect(await response.text()).toContain('"parameters":{"n":9}');
  expect(await (await rest.send("GET", `/runs/${run}`)).text()).toContain('"parameters":{"n":1}');
});

test("healthz has its exact shape", async () => {
  expect(await (await rest.send("GET", "/healthz")).json()).toEqual({
    ...{ commit_sha: "unknown", tag_name: "2.17.0", multi_user: false, pipeline_store: "database" },
  });
});

test("an error is a google.rpc.Status with gRPC's code", async () => {
  const response = await rest.send("GET", "/runs/none");
  expect(response.status).toBe(404);
  const message = "run none not found";
  expect(await response.json()).toEqual({ code: 5, message, details: [{ "@type": "type.googleapis.com/google.rpc.Status", code: 5, message }] });
});

test("upload, log and artifact routes speak of errors in their own words", async () => {
  for (const [method, path] of [
    ["POST", "/pipelines/upload"],
    ["POST", "/pipelines/upload_version?pipelineid=none"],
    ["GET", "/runs/none/nodes/x/log"],
    ["GET", "/runs/none/nodes/x/artifacts/y:read"],
    ["GET", "/artifacts/none:download"],
  ] as const) {
    const body = (await (await rest.send(method, path)).json()) as Record<string, string>;
    expect(Object.keys(body), path).toEqual(["error_message", "error_details"]);
  }
});

test("a pipeline's name is its own in a namespace, and stands in for its display_name and the other way round", async () => {
  expect(await rest.ok("POST", "/pipelines", { display_name: "My pipeline" })).toMatchObject({ name: "My pipeline", display_name: "My pipeline" });
  expect(await rest.ok("POST", "/pipelines", { name: "p", display_name: "My pipeline" })).toMatchObject({ name: "p", display_name: "My pipeline" });
  expect(await rest.refused("POST", "/pipelines", { name: "p" })).toMatchObject({ status: 409, code: 6 });
  expect(await rest.ok("POST", "/pipelines", { name: "p", namespace: "other" })).toMatchObject({ namespace: "other" });
});

test("pods carry the label of their run, and run as pipeline-runner", async () => {
  rest.world.work = () => ({ hangs: true });
  const run = await rest.run();
  await expect.poll(() => rest.world.pods().length).toBe(1);
  const [pod] = rest.world.pods() as unknown as { metadata: { labels: Record<string, string> }; spec: { serviceAccountName: string } }[];
  expect(RUN_LABEL).toBe("pipeline/runid");
  expect([pod?.metadata.labels[RUN_LABEL], pod?.spec.serviceAccountName]).toEqual([run, "pipeline-runner"]);
});

test("times have whole seconds, and are compared as such", async () => {
  const { created_at: at } = await rest.ok("POST", "/experiments", { display_name: "e" });
  expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/u);
  const total = async (operation: string, timestamp_value: unknown): Promise<unknown> =>
    (await rest.ok("GET", `/experiments${query({ filter: filter({ operation, key: "created_at", timestamp_value }) })}`))["total_size"] ?? 0;
  expect([await total("EQUALS", at), await total("GREATER_THAN", at), await total("LESS_THAN_EQUALS", at)]).toEqual([1, 0, 1]);
  expect([await total("LESS_THAN", SCHEDULE), await total("NOT_EQUALS", at)]).toEqual([1, 0]);
});
