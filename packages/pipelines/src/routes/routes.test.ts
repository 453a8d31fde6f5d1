import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { pack } from "tar-stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CHAIN } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";

let world: World;
beforeEach(async () => {
  world = new World();
  await world.boot();
});
afterEach(() => world[Symbol.asyncDispose]());

type Body = Record<string, unknown> & { readonly id: string };
async function ok(method: string, path: string, body?: unknown): Promise<Body> {
  const answer = await world.request(method, path, body);
  expect(answer, `${method} ${path}`).toMatchObject({ status: 200 });
  return answer.body;
}
const query = (parameters: Record<string, string>): string => `?${new URLSearchParams(parameters).toString()}`;
const filter = (predicate: object): string => JSON.stringify({ predicates: [predicate] });

test("healthz", async () => {
  expect(await ok("GET", "/healthz")).toMatchObject({ multi_user: false, pipeline_store: "database" });
});

test("experiments", async () => {
  const { experiment_id: id } = await ok("POST", "/experiments", { display_name: "a", description: "d" });
  expect(await ok("GET", `/experiments/${String(id)}`)).toMatchObject({ display_name: "a", namespace: "kubeflow", storage_state: "AVAILABLE" });
  expect(await world.request("POST", "/experiments", { display_name: "a" })).toMatchObject({ status: 409, body: { code: 6 } });
  expect(await world.request("POST", "/experiments", {})).toMatchObject({
    status: 400,
    body: { code: 3, message: "display_name: must not be empty" },
  });
  expect(await world.request("POST", "/experiments", { display_name: "b", nope: 1 })).toMatchObject({
    status: 400,
    body: { message: 'unknown field "nope"' },
  });
  await ok("POST", `/experiments/${String(id)}:archive`);
  expect(await ok("GET", `/experiments/${String(id)}`)).toMatchObject({ storage_state: "ARCHIVED" });
  await ok("DELETE", `/experiments/${String(id)}`);
  expect(await world.request("GET", `/experiments/${String(id)}`)).toMatchObject({ status: 404, body: { code: 5 } });
});

test("lists are paged, sorted and filtered", async () => {
  for (const name of ["e", "b", "d_1", "a", "dx1"]) await ok("POST", "/experiments", { display_name: name });
  const seen: unknown[] = [];
  let token = "";
  do {
    const page = await ok("GET", `/experiments${query({ page_size: "2", page_token: token, sort_by: "display_name desc" })}`);
    expect(page.total_size).toBe(5);
    seen.push(...(page.experiments as { display_name: string }[]).map(({ display_name }) => display_name));
    token = String(page.next_page_token ?? "");
  } while (token !== "");
  expect(seen).toEqual(["e", "dx1", "d_1", "b", "a"]);
  const substring = filter({ operation: "IS_SUBSTRING", key: "display_name", string_value: "D_" });
  expect((await ok("GET", `/experiments${query({ filter: substring })}`)).total_size).toBe(1);
  const any = filter({ operation: 8, key: "name", stringValues: { values: ["a", "b", "z"] } });
  expect((await ok("GET", `/experiments${query({ filter: any })}`)).total_size).toBe(2);
  const later = filter({ operation: "GREATER_THAN", key: "created_at", timestampValue: "2020-01-01T00:00:00Z" });
  expect((await ok("GET", `/experiments${query({ filter: later })}`)).total_size).toBe(5);
  for (const bad of [
    { page_size: "-1" },
    { sort_by: "nope" },
    { filter: "{" },
    { page_token: "x" },
    { filter: filter({ operation: "EQUALS", key: "password", string_value: "x" }) },
  ]) {
    expect(await world.request("GET", `/experiments${query(bad as never)}`)).toMatchObject({ status: 400 });
  }
  expect(await ok("GET", `/experiments${query({ namespace: "other" })}`)).toEqual({});
});

describe("pipelines", () => {
  const yaml = JSON.stringify(CHAIN);
  const upload = async (path: string, bytes: Uint8Array | string): Promise<{ status: number; body: Body }> => {
    const form = new FormData();
    form.set("uploadfile", new File([bytes as never], "chain.yaml"));
    const response = await world.app.request(path, { method: "POST", body: form });
    return { status: response.status, body: (await response.json()) as Body };
  };

  test("are uploaded as text, zip and tar.gz", async () => {
    const tar = pack();
    tar.entry({ name: "pipeline.yaml" }, yaml);
    tar.finalize();
    const { body } = await upload("/pipelines/upload?name=one", yaml);
    expect(body).toMatchObject({ name: "one", display_name: "one", namespace: "kubeflow" });
    const id = String(body.pipeline_id);
    const zip = zipSync({ "pipeline.yaml": new TextEncoder().encode(yaml) });
    expect(await upload(`/pipelines/upload_version?name=v2&pipelineid=${id}`, zip)).toMatchObject({ status: 200, body: { name: "v2" } });
    expect(await upload(`/pipelines/upload_version?name=v3&pipelineid=${id}`, gzipSync(await buffer(tar)))).toMatchObject({ status: 200 });
    const versions = await ok("GET", `/pipelines/${id}/versions`);
    expect(versions.total_size).toBe(3);
    expect(versions.pipeline_versions).toMatchObject([{ name: "one", pipeline_spec: { pipelineInfo: { name: "chain" } } }, {}, {}]);
    expect(await ok("GET", "/pipelines/names/one")).toMatchObject({ pipeline_id: id });
    expect(await upload("/pipelines/upload?name=one", yaml)).toMatchObject({ status: 409 });
    expect(await upload("/pipelines/upload?name=two", "a: [")).toMatchObject({ status: 400 });
    expect(await upload("/pipelines/upload?name=two", zip.subarray(0, 40))).toMatchObject({ status: 400 });
    expect((await ok("GET", "/pipelines")).total_size).toBe(1);
    expect(await world.request("DELETE", `/pipelines/${id}`)).toMatchObject({ status: 400 });
    await ok("DELETE", `/pipelines/${id}?cascade=true`);
    expect(await ok("GET", "/pipelines")).toEqual({});
  });

  test("that are too large are refused before they fill the memory", async () => {
    const zip = Buffer.from(zipSync({ "other.yaml": Buffer.alloc(5000, "no pipeline"), "pipeline.yaml": Buffer.from(yaml) }));
    // What is not asked for is not unpacked: it would fail.
    zip.fill(0xff, zip.indexOf("other.yaml") + 10, zip.indexOf("other.yaml") + 30);
    expect(await upload("/pipelines/upload?name=one", zip)).toMatchObject({ status: 200 });
    const bomb = zipSync({ "pipeline.yaml": new Uint8Array(33 * 2 ** 20) }, { level: 1 });
    expect(await upload("/pipelines/upload?name=bomb", bomb)).toMatchObject({ status: 413 });
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(2 ** 20).fill(32));
        if (++sent > 100) controller.close();
      },
    });
    const response = await world.app.request("/runs", { method: "POST", body: endless, duplex: "half" } as RequestInit);
    expect(response.status).toBe(413);
    expect(sent).toBeLessThan(40);
  });

  test("are found by their tags", async () => {
    for (const [name, tags] of [
      ["a", { team: "x" }],
      ["b", { team: "y", 'a"b': "1" }],
      ["c", {}],
    ] as const) {
      await ok("POST", "/pipelines", { name, tags });
    }
    const names = async (predicate: object): Promise<unknown> => {
      const { pipelines = [] } = await ok("GET", `/pipelines${query({ filter: filter(predicate), sort_by: "name" })}`);
      return (pipelines as { name: string }[]).map(({ name }) => name);
    };
    expect(await names({ operation: "EQUALS", key: "tags.team", string_value: "x" })).toEqual(["a"]);
    expect(await names({ operation: "EQUALS", key: 'tags.a"b', string_value: "1" })).toEqual(["b"]);
    expect(
      await world.request("GET", `/experiments${query({ filter: filter({ operation: "EQUALS", key: "tags.team", string_value: "x" }) })}`),
    ).toMatchObject({ status: 400 });
  });

  test("are created with a version, and run by reference", async () => {
    world.work = () => ({ hangs: true });
    const { pipeline_id: id } = await ok("POST", "/pipelines/create", {
      pipeline: { display_name: "p" },
      pipeline_version: { pipeline_spec: { pipeline_spec: CHAIN, platform_spec: { platforms: { kubernetes: {} } } } },
    });
    const run = await ok("POST", "/runs", {
      display_name: "r",
      pipeline_version_reference: { pipeline_id: id },
      runtime_config: { parameters: { n: 1 } },
    });
    expect(run).toMatchObject({ pipeline_version_reference: { pipeline_id: id }, state: "PENDING", finished_at: "1970-01-01T00:00:00Z" });
  });
});

describe("runs", () => {
  test.each([
    [{ display_name: "" }, "display_name: must not be empty"],
    [{ pipeline_spec: undefined }, "pipeline_spec: exactly one"],
    [{ pipeline_spec: { ...CHAIN, root: {} } }, "root"],
    [{ pipeline_spec: { ...CHAIN, nope: 1 } }, "nope"],
    [{ runtime_config: { parameters: { n: "x" } } }, 'input parameter "n" type mismatch'],
    [{ runtime_config: { parameters: { n: 1, m: 1 } } }, 'no input parameter "m"'],
    [{ runtime_config: {} }, '"n" has no value and no default'],
    [{ runtime_config: { parameters: { n: 1 }, pipeline_root: "nowhere" } }, "runtime_config.pipeline_root"],
    [{ runtime_config: { parameters: { n: 1 }, pipeline_root: "https://b/x" } }, "runtime_config.pipeline_root"],
    [{ runtime_config: { parameters: { n: 1 }, pipeline_root: "s3://b/../x?region=r" } }, "runtime_config.pipeline_root"],
    [{ experiment_id: "none" }, "experiment_id: experiment none not found"],
    [{ runtime_confg: {} }, 'unknown field "runtime_confg"'],
    [{ pipeline_version_reference: { pipeline_version_id: "x" } }, "exactly one"],
  ])("%j is refused, and nothing is left of it", async (change, message) => {
    const body = { display_name: "r", pipeline_spec: CHAIN, runtime_config: { parameters: { n: 1 } }, ...change };
    const answer = await world.request("POST", "/runs", body);
    expect([400, 404]).toContain(answer.status);
    expect(answer.body).toMatchObject({ message: expect.stringContaining(message) });
    expect(await ok("GET", "/runs")).toEqual({});
    expect(await ok("GET", "/experiments")).toEqual({});
  });

  test("have logs and artifacts", async () => {
    await world.objectStore.put("minio://b/report", Buffer.from("<b>hi"));
    const report = {
      output: "report",
      name: "report",
      type: { schemaTitle: "system.HTML" },
      uri: "minio://b/report",
      metadata: { a: 1 },
      digest: "sha256:0",
      size: 5,
    };
    world.work = (pod) =>
      pod.metadata.name.includes("first") ? { parameters: { Output: 1 }, artifacts: [report], log: "hello\n" } : { log: "bye\n" };
    const { run_id: id } = await ok("POST", "/runs", { display_name: "r", pipeline_spec: CHAIN, runtime_config: { parameters: { n: 1 } } });
    await vi.waitFor(async () => expect((await ok("GET", `/runs/${String(id)}`)).state).toBe("SUCCEEDED"), { timeout: 5000 });
    const { tasks } = (await ok("GET", `/runs/${String(id)}/tasks`)) as unknown as { tasks: { name: string; task_id: string }[] };
    const task = tasks.find(({ name }) => name === "first")?.task_id ?? "";
    const log = await world.app.request(`/runs/${String(id)}/nodes/${task}/log?follow=true`);
    expect([log.headers.get("content-type"), await log.text()]).toEqual(["text/plain; charset=utf-8", "hello\n"]);
    world.logs.clear();
    expect(await (await world.app.request(`/runs/${String(id)}/nodes/${task}/log`)).text()).toBe("hello\n");
    expect(await ok("GET", `/runs/${String(id)}/nodes/${task}/artifacts/report:read`)).toEqual({ data: Buffer.from("<b>hi").toString("base64") });
    const { artifacts } = (await ok("GET", "/artifacts")) as unknown as { artifacts: { artifact_id: string; name: string }[] };
    expect(artifacts.length).toBe(3);
    artifacts.splice(0, 3, ...artifacts.filter((one) => one.name === "report"));
    expect(artifacts).toMatchObject([{ name: "report", type: "HTML", uri: "minio://b/report", size: "5", namespace: "kubeflow" }]);
    const page = await world.app.request(`/artifacts/${artifacts[0]?.artifact_id ?? ""}:download`);
    expect([page.headers.get("content-type"), await page.text()]).toEqual(["text/html; charset=utf-8", "<b>hi"]);
    expect(page.headers.get("content-security-policy")).toMatch(/^sandbox/u);
    const part = await world.app.request(`/artifacts/${artifacts[0]?.artifact_id ?? ""}:download`, { headers: { range: "bytes=3-" } });
    expect([part.status, part.headers.get("content-range"), part.headers.get("content-length"), await part.text()]).toEqual([
      206,
      "bytes 3-4/5",
      "2",
      "hi",
    ]);
    const none = await world.app.request(`/artifacts/${artifacts[0]?.artifact_id ?? ""}:download`, { headers: { range: "bytes=9-" } });
    expect([none.status, none.headers.get("content-range")]).toEqual([416, "bytes */5"]);
  });

  test("stay on the shelf of their experiment", async () => {
    world.work = () => ({ hangs: true });
    const { experiment_id: experiment } = await ok("POST", "/experiments", { display_name: "e" });
    const body = { display_name: "r", pipeline_spec: CHAIN, runtime_config: { parameters: { n: 1 } }, experiment_id: experiment };
    const { run_id: id } = await ok("POST", "/runs", body);
    await ok("POST", `/experiments/${String(experiment)}:archive`);
    expect(await ok("GET", `/runs/${String(id)}`)).toMatchObject({ storage_state: "ARCHIVED" });
    expect(await world.request("POST", "/runs", body)).toMatchObject({ status: 400, body: { message: expect.stringContaining("experiment_id: ") } });
    expect(await world.request("POST", `/runs/${String(id)}:unarchive`)).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining("unarchive the experiment first") },
    });
    await ok("POST", `/experiments/${String(experiment)}:unarchive`);
    await ok("POST", `/runs/${String(id)}:unarchive`);
    expect(await ok("GET", `/runs/${String(id)}`)).toMatchObject({ storage_state: "AVAILABLE" });
  });

  test("of a namespace stay in it", async () => {
    world.work = () => ({ hangs: true });
    const body = { display_name: "r", pipeline_spec: CHAIN, runtime_config: { parameters: { n: 1 } } };
    const { experiment_id: experiment } = await ok("POST", "/experiments", { display_name: "e", namespace: "secret" });
    const { run_id: id } = await ok("POST", "/runs", { ...body, experiment_id: experiment });
    world.forbidden.add("secret");
    const run = String(id);
    for (const [method, path] of [
      ...["", ":watch", "/tasks", "/tasks/x", "/nodes/x/log", "/nodes/x/artifacts/y", "/nodes/x/artifacts/y:read"].map((rest) => [
        "GET",
        `/runs/${run}${rest}`,
      ]),
      ...["terminate", "retry", "archive", "unarchive"].map((verb) => ["POST", `/runs/${run}:${verb}`]),
      ...[
        ["DELETE", `/runs/${run}`],
        ["GET", "/runs?namespace=secret"],
        ["GET", `/runs?experiment_id=${String(experiment)}`],
      ],
      ...[
        ["GET", "/artifacts?namespace=secret"],
        ["GET", "/experiments?namespace=secret"],
        ["GET", `/experiments/${String(experiment)}`],
      ],
    ] as [string, string][]) {
      expect(await world.request(method, path), `${method} ${path}`).toMatchObject({
        status: 403,
        body: path.includes("/nodes/") ? { error_message: "not in secret" } : { code: 7 },
      });
    }
    expect(await world.request("POST", "/runs", { ...body, experiment_id: experiment })).toMatchObject({ status: 403 });
    expect(await ok("GET", "/runs")).toEqual({});
  });
});
