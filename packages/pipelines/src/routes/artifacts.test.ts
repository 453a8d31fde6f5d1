import { buffer } from "node:stream/consumers";
import { unzipSync } from "fflate";
import { Readable } from "node:stream";
import { extract } from "tar-stream";
import { expect, test } from "vitest";
import { filter, pick, query, useRest } from "./rest.fixture.ts";

const rest = useRest();

/** A run whose first task gave `uri`, of this schema. */
async function given(uri: string, schemaTitle: string): Promise<{ readonly run: string; readonly task: string; readonly id: string }> {
  const report = { output: "report", name: "report", type: { schemaTitle }, uri, metadata: { a: 1 }, digest: "sha256:0", size: 5 };
  rest.world.work = (pod) => (pod.metadata.name.includes("first") ? { parameters: { Output: 1 }, artifacts: [report] } : {});
  const run = await rest.run();
  await rest.reaches(run, "SUCCEEDED");
  const found = await rest.ok("GET", `/artifacts${query({ filter: filter({ operation: "EQUALS", key: "uri", string_value: uri }) })}`);
  return { run, task: await rest.taskId(run, "root.first"), id: String(pick(found, "artifacts", "artifact_id")[0]) };
}

test("an artifact is listed, read, and downloaded whole or in part", async () => {
  await rest.world.objectStore.put("minio://b/report.txt", Buffer.from("0123456789"));
  const { run, task, id } = await given("minio://b/report.txt", "system.Artifact");
  expect(await rest.ok("GET", `/artifacts/${id}`)).toMatchObject({
    name: "report",
    type: "Artifact",
    size: "5",
    digest: "sha256:0",
    namespace: "kubeflow",
    metadata: { a: 1 },
  });
  expect(await rest.ok("GET", `/runs/${run}/nodes/${task}/artifacts/report:read`)).toEqual({ data: Buffer.from("0123456789").toString("base64") });
  const path = `/artifacts/${id}:download`;
  const whole = await rest.send("GET", path);
  expect([whole.status, whole.headers.get("content-type"), whole.headers.get("content-length"), whole.headers.get("accept-ranges")]).toEqual([
    ...[200, "text/plain; charset=utf-8", "10", "bytes"],
  ]);
  expect([whole.headers.get("content-disposition"), whole.headers.get("x-content-type-options"), await whole.text()]).toEqual([
    ...['inline; filename="report.txt"', "nosniff", "0123456789"],
  ]);
  const head = await rest.send("HEAD", path);
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "10", ""]);
  const etag = whole.headers.get("etag") ?? "";
  expect((await rest.send("GET", path, undefined, { "if-none-match": etag })).status).toBe(304);
  const part = async (range: string, headers: Record<string, string> = {}): Promise<unknown[]> => {
    const response = await rest.send("GET", path, undefined, { range, ...headers });
    return [response.status, response.headers.get("content-range"), await response.text()];
  };
  expect(await part("bytes=3-5")).toEqual([206, "bytes 3-5/10", "345"]);
  expect(await part("bytes=-2", { "if-range": etag })).toEqual([206, "bytes 8-9/10", "89"]);
  expect(await part("bytes=3-5", { "if-range": '"other"' })).toEqual([200, null, "0123456789"]);
  expect(await part("bytes=99-")).toEqual([416, "bytes */10", ""]);
  expect(await (await rest.send("GET", `/runs/${run}/nodes/${task}/artifacts/report`)).text()).toBe("0123456789");
});

test("a page of somebody else's is shown in a frame without an origin, and never opened as a page of its own", async () => {
  await rest.world.objectStore.put("minio://b/report", Buffer.from("<script>1</script>"));
  const { id } = await given("minio://b/report", "system.HTML");
  const asked = async (destination?: string): Promise<Headers> =>
    (await rest.send("GET", `/artifacts/${id}:download`, undefined, destination === undefined ? {} : { "sec-fetch-dest": destination })).headers;
  expect((await asked("iframe")).get("content-disposition")).toMatch(/^inline/u);
  for (const destination of ["document", undefined, "object"]) expect((await asked(destination)).get("content-disposition")).toMatch(/^attachment/u);
  expect((await asked("iframe")).get("content-security-policy")).toMatch(/^sandbox allow-scripts; default-src 'none'/u);
});

test("a directory is listed, and comes as a tar or a zip", async () => {
  const files = { "a.txt": "a", "deep/b.bin": "b".repeat(100_000), empty: "" };
  for (const [path, text] of Object.entries(files)) await rest.world.objectStore.put(`minio://b/dir/${path}`, Buffer.from(text));
  const { id } = await given("minio://b/dir", "system.Dataset");
  expect(await rest.ok("GET", `/artifacts/${id}:files`)).toEqual({
    files: [
      { path: "a.txt", size: "1" },
      { path: "deep/b.bin", size: "100000" },
      { path: "empty", size: "0" },
    ],
  });
  expect(await (await rest.send("GET", `/artifacts/${id}:download?path=a.txt`)).text()).toBe("a");
  const tar = await rest.send("GET", `/artifacts/${id}:download`);
  expect([tar.headers.get("content-type"), tar.headers.get("content-disposition")]).toEqual(["application/x-tar", 'attachment; filename="dir.tar"']);
  const unpacked: Record<string, string> = {};
  const parser = extract();
  Readable.from([Buffer.from(await tar.arrayBuffer())]).pipe(parser as never);
  for await (const entry of parser) unpacked[entry.header.name] = (await buffer(entry)).toString();
  expect(unpacked).toEqual(files);
  const zip = await rest.send("GET", `/artifacts/${id}:download?format=zip`);
  const entries = Object.entries(unzipSync(new Uint8Array(await zip.arrayBuffer())));
  expect(Object.fromEntries(entries.map(([path, bytes]) => [path, Buffer.from(bytes).toString()]))).toEqual(files);
  for (const [path, status] of [
    ["path=none", 404],
    ["path=../x", 400],
    ["format=rar", 400],
  ] as const) {
    expect(await rest.refused("GET", `/artifacts/${id}:download?${path}`)).toMatchObject({ status });
  }
});

test("an artifact without bytes says so", async () => {
  const { run, task, id } = await given("minio://b/nothing", "system.Model");
  expect(await rest.refused("GET", `/artifacts/${id}:download`)).toMatchObject({ status: 404, message: "nothing is stored at minio://b/nothing" });
  expect(await rest.refused("GET", `/runs/${run}/nodes/${task}/artifacts/report:read`)).toMatchObject({ status: 404 });
  expect(await rest.refused("GET", `/runs/${run}/nodes/${task}/artifacts/none:read`)).toMatchObject({ status: 404 });
  expect(await rest.refused("GET", `/runs/${run}/nodes/${task}/artifacts/report?index=1`)).toMatchObject({ status: 404 });
  expect(await rest.refused("GET", "/artifacts/none")).toMatchObject({ status: 404, code: 5 });
});

test("which tasks got and gave an artifact is told both ways, also of a result that is shared", async () => {
  await rest.world.objectStore.put("minio://b/report", Buffer.from("hi"));
  const { run, task, id } = await given("minio://b/report", "system.HTML");
  const again = await rest.run();
  await rest.reaches(again, "SUCCEEDED");
  const links = async (parameters: string): Promise<unknown> => (await rest.ok("GET", `/artifact_tasks?${parameters}`))["artifact_tasks"];
  expect(
    await links(`task_ids=${task}&type=OUTPUT&filter=${encodeURIComponent(filter({ operation: "EQUALS", key: "key", string_value: "report" }))}`),
  ).toMatchObject([{ artifact_id: id, run_id: run, task_id: task, type: "OUTPUT", key: "report", producer: { task_name: "first" } }]);
  expect(((await links(`artifact_ids=${id}`)) as { run_id: string }[]).map(({ run_id }) => run_id).sort()).toEqual([run, again].sort());
  expect((await links(`run_ids=${run}&run_ids=${again}`)) as unknown[]).not.toHaveLength(0);
  expect(await links(`run_ids=${run}&type=ITERATOR_INPUT`)).toBeUndefined();
  for (const bad of ["", "task_ids=", "run_ids=none", "type=OUTPUT", "task_ids=none", `run_ids=${run}&type=NOPE`]) {
    expect((await rest.refused("GET", `/artifact_tasks?${bad}`)).status).toBeOneOf([400, 404]);
  }
});

test("a client records artifacts of its tasks, and links them", async () => {
  rest.world.work = () => ({ hangs: true });
  const [run, other] = [await rest.run(), await rest.run()];
  const { task_id } = await rest.ok("POST", `/runs/${run}/tasks`, { name: "mine" });
  const base = { run_id: run, task_id, producer_key: "model" };
  const artifact = { name: "m", type: "Model", uri: "s3://b/m", metadata: { k: [1, "x"] }, description: "d" };
  const made = await rest.ok("POST", "/artifacts", { ...base, artifact });
  expect(made).toMatchObject({ name: "m", type: "Model", uri: "s3://b/m", metadata: { k: [1, "x"] }, description: "d", namespace: "kubeflow" });
  expect(await rest.ok("POST", "/artifacts", { ...base, artifact, reuse_if_exists: true, iteration_index: "2" })).toEqual(made);
  const metric = { name: "acc", type: 6, number_value: 0 };
  const { artifacts = [] } = (await rest.ok("POST", "/artifacts:batchCreate", {
    artifacts: [{ ...base, producer_key: "acc", artifact: metric }],
  })) as {
    artifacts?: { artifact_id: string }[];
  };
  expect(artifacts).toMatchObject([{ type: "Metric", number_value: 0, schema_title: "system.Metrics" }]);
  const link = { artifact_id: made["artifact_id"], run_id: run, task_id, type: "COMPONENT_INPUT", producer: { task_name: "root" }, key: "in" };
  expect(await rest.ok("POST", "/artifact_tasks", { artifact_task: link })).toMatchObject({ ...link, id: expect.any(String) });
  expect(await rest.ok("POST", "/artifact_tasks:batchCreate", { artifact_tasks: [{ ...link, key: "again" }] })).toMatchObject({
    artifact_tasks: [{ key: "again" }],
  });
  expect(await rest.ok("GET", `/runs/${run}/tasks/${String(task_id)}`)).toMatchObject({
    inputs: { artifacts: [{ artifact_key: "again" }, { artifact_key: "in", type: "COMPONENT_INPUT", artifacts: [{ name: "m" }] }] },
    outputs: {
      artifacts: expect.arrayContaining([
        expect.objectContaining({ artifact_key: "acc", producer: { task_name: "mine" } }),
        expect.objectContaining({ artifact_key: "model", producer: { task_name: "mine" } }),
        expect.objectContaining({ artifact_key: "model", producer: { task_name: "mine", iteration: "2" } }),
      ]),
    },
  });
  for (const [path, body] of [
    ["/artifacts", base],
    ["/artifacts", { ...base, artifact: { name: "m" } }],
    ["/artifacts", { ...base, artifact: { type: "Model" } }],
    ["/artifacts", { ...base, artifact: { ...artifact, artifact_id: "x" } }],
    ["/artifacts", { ...base, artifact: { ...artifact, namespace: "other" } }],
    ["/artifacts", { ...base, artifact: { name: "m", type: "Metric" } }],
    ["/artifacts", { ...base, artifact: { name: "m", type: "ClassificationMetric" } }],
    ["/artifacts", { ...base, artifact, producer_key: "" }],
    ["/artifacts", { ...base, artifact, run_id: other }],
    ["/artifacts:batchCreate", {}],
    ["/artifacts:batchCreate", { artifacts: [{ ...base, artifact, reuse_if_exists: true }] }],
    ["/artifact_tasks", {}],
    ["/artifact_tasks", { artifact_task: { ...link, type: 0 } }],
    ["/artifact_tasks", { artifact_task: { ...link, key: "" } }],
    ["/artifact_tasks", { artifact_task: { ...link, producer: null } }],
    ["/artifact_tasks", { artifact_task: { ...link, run_id: other } }],
    ["/artifact_tasks:batchCreate", { artifact_tasks: [] }],
    ["/artifact_tasks:batchCreate", { artifact_tasks: [link, { ...link, run_id: other }] }],
  ] as const) {
    expect(await rest.refused("POST", path, body), `${path} ${JSON.stringify(body)}`).toMatchObject({ status: 400 });
  }
  expect(await rest.refused("POST", "/artifact_tasks", { artifact_task: { ...link, artifact_id: "none" } })).toMatchObject({ status: 404 });
});
