import { expect, test } from "vitest";
import { filter, pick, query, useRest } from "./rest.fixture.ts";

const rest = useRest();

test("an experiment is created, read, archived and deleted", async () => {
  const { experiment_id: id } = await rest.ok("POST", "/experiments", { display_name: "a", description: "d" });
  const path = `/experiments/${String(id)}`;
  expect(await rest.ok("GET", path)).toMatchObject({ display_name: "a", description: "d", namespace: "kubeflow", storage_state: "AVAILABLE" });
  await rest.ok("POST", `${path}:archive`);
  await rest.ok("POST", `${path}:archive`);
  expect(await rest.ok("GET", path)).toMatchObject({ storage_state: "ARCHIVED" });
  await rest.ok("POST", `${path}:unarchive`);
  expect(await rest.ok("GET", path)).toMatchObject({ storage_state: "AVAILABLE" });
  await rest.ok("DELETE", path);
  for (const [method, there] of [
    ["GET", path],
    ["DELETE", path],
    ["POST", `${path}:archive`],
    ["POST", `${path}:unarchive`],
  ] as const) {
    expect(await rest.refused(method, there)).toMatchObject({ status: 404, code: 5 });
  }
});

test.each(["x".repeat(100), "!@#$%^&*()_+ \"'<>", "你好世界"])("its name may be %j", async (display_name) => {
  expect(await rest.ok("POST", "/experiments", { display_name })).toMatchObject({ display_name });
  const found = await rest.ok(
    "GET",
    `/experiments${query({ filter: filter({ operation: "EQUALS", key: "display_name", string_value: display_name }) })}`,
  );
  expect(pick(found, "experiments", "display_name")).toEqual([display_name]);
});

test("a name that is missing, too long or taken is refused", async () => {
  await rest.ok("POST", "/experiments", { display_name: "a" });
  expect(await rest.refused("POST", "/experiments", {})).toMatchObject({ status: 400, message: "display_name: must not be empty" });
  expect(await rest.refused("POST", "/experiments", { display_name: "x".repeat(500) })).toMatchObject({ status: 400 });
  expect(await rest.refused("POST", "/experiments", { display_name: "a" })).toMatchObject({ status: 409, code: 6 });
  expect(await rest.refused("POST", "/experiments", "{")).toMatchObject({ status: 400, code: 3 });
  expect(await rest.refused("POST", "/experiments", "[]")).toMatchObject({ status: 400 });
});

test("clients that create the same experiment at the same time share it", async () => {
  const made = await Promise.all(Array.from({ length: 4 }, () => rest.ok("POST", "/experiments", { display_name: "shared" })));
  expect(new Set(made.map(({ experiment_id }) => experiment_id)).size).toBe(1);
  expect((await rest.ok("GET", "/experiments"))["total_size"]).toBe(1);
});

test("runs that name no experiment go into the default one, which cannot be deleted", async () => {
  rest.world.work = () => ({ hangs: true });
  const run = await rest.run();
  const { experiment_id: id } = await rest.ok("GET", `/runs/${run}`);
  expect(await rest.ok("GET", `/experiments/${String(id)}`)).toMatchObject({ display_name: "Default" });
  expect(await rest.refused("DELETE", `/experiments/${String(id)}`)).toMatchObject({ status: 400, code: 9 });
});

test("the runs of an experiment that is deleted stay", async () => {
  rest.world.work = () => ({ hangs: true });
  const { experiment_id } = await rest.ok("POST", "/experiments", { display_name: "e" });
  const run = await rest.run({ experiment_id });
  await rest.ok("DELETE", `/experiments/${String(experiment_id)}`);
  expect(await rest.ok("GET", `/runs/${run}`)).toMatchObject({ experiment_id });
});

test("an archived experiment archives its runs, takes no new ones, and lets none out", async () => {
  rest.world.work = () => ({ hangs: true });
  const { experiment_id } = await rest.ok("POST", "/experiments", { display_name: "e" });
  const run = await rest.run({ experiment_id });
  await rest.ok("POST", `/experiments/${String(experiment_id)}:archive`);
  expect(await rest.ok("GET", `/runs/${run}`)).toMatchObject({ storage_state: "ARCHIVED", state: expect.stringMatching(/PENDING|RUNNING/u) });
  const { CHAIN } = await import("../specs.fixture.ts");
  const body = { display_name: "r", pipeline_spec: CHAIN, runtime_config: { parameters: { n: 1 } }, experiment_id };
  expect(await rest.refused("POST", "/runs", body)).toMatchObject({ status: 400, code: 9, message: expect.stringMatching(/^experiment_id: /u) });
  expect(await rest.refused("POST", `/runs/${run}:unarchive`)).toMatchObject({
    status: 400,
    code: 9,
    message: expect.stringContaining("unarchive the experiment first"),
  });
  await rest.ok("POST", `/experiments/${String(experiment_id)}:unarchive`);
  expect(await rest.ok("GET", `/runs/${run}`)).toMatchObject({ storage_state: "ARCHIVED" });
  await rest.ok("POST", `/runs/${run}:unarchive`);
  expect(await rest.ok("GET", `/runs/${run}`)).toMatchObject({ storage_state: "AVAILABLE" });
});
