import { expect, test } from "vitest";
import { CHAIN } from "../specs.fixture.ts";
import { filter, pick, query, useRest } from "./rest.fixture.ts";

const rest = useRest();

async function pipeline(name: string, version: object = {}): Promise<{ readonly id: string; readonly version: string }> {
  const { pipeline_id: id } = await rest.ok("POST", "/pipelines/create", {
    pipeline: { name },
    pipeline_version: { pipeline_spec: CHAIN, ...version },
  });
  const list = await rest.ok("GET", `/pipelines/${String(id)}/versions`);
  return { id: String(id), version: String(pick(list, "pipeline_versions", "pipeline_version_id")[0]) };
}

test("a pipeline is created, found by id and by name, changed, and deleted", async () => {
  const made = await rest.ok("POST", "/pipelines", { name: "p", description: "d", tags: { team: "x" } });
  const path = `/pipelines/${String(made["pipeline_id"])}`;
  expect(made).toMatchObject({ name: "p", display_name: "p", description: "d", namespace: "kubeflow", tags: { team: "x" } });
  expect(await rest.ok("GET", path)).toEqual(made);
  expect(await rest.ok("GET", "/pipelines/names/p")).toEqual(made);
  expect(await rest.ok("PATCH", path, { display_name: "P!", tags: { team: "y", a: "b" } })).toMatchObject({
    name: "p",
    display_name: "P!",
    tags: { team: "y", a: "b" },
  });
  expect(await rest.ok("PATCH", path, { display_name: "" })).toMatchObject({ display_name: "P!" });
  expect((await rest.ok("PATCH", path, { tags: {} }))["tags"]).toBeUndefined();
  await rest.ok("DELETE", path);
  for (const there of [path, "/pipelines/names/p"]) expect(await rest.refused("GET", there)).toMatchObject({ status: 404, code: 5 });
  expect(await rest.refused("DELETE", path)).toMatchObject({ status: 404 });
});

test("one with versions is deleted only with them", async () => {
  const { id } = await pipeline("p");
  expect(await rest.refused("DELETE", `/pipelines/${id}`)).toMatchObject({ status: 400 });
  await rest.ok("DELETE", `/pipelines/${id}?cascade=true`);
  expect(await rest.ok("GET", "/pipelines")).toEqual({});
});

test("names and tags have their limits", async () => {
  const { id } = await pipeline("p");
  const many = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`k${index}`, "v"]));
  for (const bad of [{ name: "x".repeat(500) }, {}, { name: "q", tags: { ["k".repeat(64)]: "v" } }, { name: "q", tags: { k: "v".repeat(64) } }]) {
    expect(await rest.refused("POST", "/pipelines", bad)).toMatchObject({ status: 400, code: 3 });
  }
  for (const tags of [{ "a.b": "c" }, { "": "c" }, many])
    expect(await rest.refused("PATCH", `/pipelines/${id}`, { tags })).toMatchObject({ status: 400 });
  expect(await rest.ok("POST", "/pipelines", { name: "你好世界-pipeline" })).toMatchObject({ name: "你好世界-pipeline" });
  expect(await rest.ok("POST", "/pipelines", { name: "x".repeat(100), tags: { ["k".repeat(63)]: "v".repeat(63) } })).toMatchObject({
    name: "x".repeat(100),
  });
});

test("pipelines and versions are found by their tags, by EQUALS alone", async () => {
  for (const [name, tags] of [
    ["a", { team: "x" }],
    ["b", { team: "y", 'q"': "1" }],
    ["c", {}],
  ] as const) {
    await rest.ok("POST", "/pipelines", { name, tags });
  }
  const names = async (...predicates: object[]): Promise<unknown> =>
    pick(await rest.ok("GET", `/pipelines${query({ filter: filter(...predicates), sort_by: "name" })}`), "pipelines", "name");
  const team = (operation: string, string_value: string): object => ({ operation, key: "tags.team", string_value });
  expect(await names(team("EQUALS", "x"))).toEqual(["a"]);
  expect(await names(team("EQUALS", "z"))).toEqual([]);
  expect(await names(team("EQUALS", "y"), { operation: "EQUALS", key: 'tags.q"', string_value: "1" })).toEqual(["b"]);
  for (const operation of ["NOT_EQUALS", "IS_SUBSTRING"]) {
    expect(await rest.refused("GET", `/pipelines${query({ filter: filter(team(operation, "x")) })}`)).toMatchObject({ status: 400 });
  }
  const { id } = await pipeline("d", { tags: { team: "x" } });
  const versions = await rest.ok("GET", `/pipelines/${id}/versions${query({ filter: filter(team("EQUALS", "x")) })}`);
  expect(versions["total_size"]).toBe(1);
});

test("a version is added, read, changed and deleted; whatever pipeline stands before it, its own id tells which it is", async () => {
  const { id, version } = await pipeline("p");
  const other = await pipeline("q");
  const added = await rest.ok("POST", `/pipelines/${id}/versions`, {
    ...{ pipeline_id: id, display_name: "v2", description: "d", pipeline_spec: CHAIN, code_source_url: "https://x", tags: { a: "b" } },
    package_url: { pipeline_url: "https://y" },
  });
  expect(added).toMatchObject({
    name: "v2",
    description: "d",
    code_source_url: "https://x",
    package_url: { pipeline_url: "https://y" },
    tags: { a: "b" },
  });
  const path = `/pipelines/${id}/versions/${String(added["pipeline_version_id"])}`;
  expect(await rest.ok("GET", path)).toEqual(added);
  expect(await rest.ok("PATCH", path, { display_name: "V2" })).toMatchObject({ name: "v2", display_name: "V2" });
  expect(await rest.ok("GET", `/pipelines/${other.id}/versions/${version}`)).toMatchObject({ pipeline_id: id });
  await rest.ok("DELETE", path);
  expect(await rest.refused("GET", path)).toMatchObject({ status: 404 });
  for (const [body, message] of [
    [{ name: "v" }, "pipeline_spec: must be given"],
    [{ name: "v", package_url: { pipeline_url: "https://y" } }, "fetches no packages"],
    [{ name: "v", pipeline_id: other.id, pipeline_spec: CHAIN }, "pipeline_id: is not the one of the path"],
    [{ name: "v", pipeline_spec: { ...CHAIN, schemaVersion: "2.0.0" } }, "schemaVersion"],
    [{ name: "v", pipeline_spec: { a: 1 } }, 'unknown field "a"'],
  ] as const) {
    expect(await rest.refused("POST", `/pipelines/${id}/versions`, body)).toMatchObject({ status: 400, message: expect.stringContaining(message) });
  }
  expect(await rest.refused("POST", `/pipelines/none/versions`, { name: "v", pipeline_spec: CHAIN })).toMatchObject({ status: 404 });
  expect(await rest.refused("POST", `/pipelines/${id}/versions`, { name: "p", pipeline_spec: CHAIN })).toMatchObject({ status: 409 });
});

test("a pipeline is not created without its first version", async () => {
  const body = { pipeline: { name: "p" }, pipeline_version: { name: "v", pipeline_spec: { ...CHAIN, root: {} } } };
  expect(await rest.refused("POST", "/pipelines/create", body)).toMatchObject({ status: 400 });
  expect(await rest.refused("POST", "/pipelines/create", { pipeline_version: {} })).toMatchObject({ message: "pipeline: must be given" });
  expect(await rest.ok("GET", "/pipelines")).toEqual({});
});

test("runs are made of the latest version, or of the one that is named", async () => {
  rest.world.work = () => ({ hangs: true });
  const { id, version } = await pipeline("p", { pipeline_spec: { pipeline_spec: CHAIN, platform_spec: { platforms: { kubernetes: {} } } } });
  const latest = await rest.ok("POST", `/pipelines/${id}/versions`, { name: "v2", pipeline_spec: CHAIN });
  const reference = async (pipeline_version_reference: object): Promise<unknown> => {
    const run = await rest.run({ pipeline_spec: undefined, pipeline_version_reference });
    const answer = await rest.ok("GET", `/runs/${run}`);
    expect(answer["pipeline_reference"]).toEqual(answer["pipeline_version_reference"]);
    return answer["pipeline_version_reference"];
  };
  const newest = { pipeline_id: id, pipeline_version_id: latest["pipeline_version_id"] };
  expect(await reference({ pipeline_id: id })).toEqual(newest);
  expect(await reference({ pipeline_id: id, pipeline_version_id: version })).toEqual({ pipeline_id: id, pipeline_version_id: version });
  const old = await rest.run({ pipeline_spec: undefined, pipeline_version_id: version });
  expect(await rest.ok("GET", `/runs/${old}`)).toMatchObject({ pipeline_version_reference: { pipeline_version_id: version } });
});
