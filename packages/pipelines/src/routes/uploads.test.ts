import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { pack } from "tar-stream";
import { expect, test } from "vitest";
import { CHAIN } from "../specs.fixture.ts";
import { query, useRest } from "./rest.fixture.ts";

const rest = useRest();
const YAML = JSON.stringify(CHAIN);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function tarGz(files: Record<string, string>): Promise<Uint8Array> {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name }, text);
  tar.finalize();
  return gzipSync(await buffer(tar));
}

test.each([
  ["YAML", "p.yaml", () => YAML],
  ["JSON", "p.json", () => YAML],
  ["a zip with pipeline.yaml", "p.zip", () => zipSync({ "a.yaml": bytes("no"), "pipeline.yaml": bytes(YAML) })],
  ["a zip with some yaml", "p.zip", () => zipSync({ "readme.md": bytes("no"), "x.yml": bytes(YAML) })],
  ["a tar.gz with pipeline.yaml", "p.tar.gz", () => tarGz({ "./a.yaml": "no", "./pipeline.yaml": YAML })],
  ["a tgz with some yaml", "p.tgz", () => tarGz({ "x.yaml": YAML })],
])("a pipeline is uploaded as %s, and called like its file", async (_what, name, content) => {
  const { status, body } = await rest.upload("/pipelines/upload", await content(), name);
  expect([status, body["name"], body["display_name"], body["namespace"]]).toEqual([200, "p", "p", "kubeflow"]);
  const { pipeline_versions: [version] = [] } = (await rest.ok("GET", `/pipelines/${String(body["pipeline_id"])}/versions`)) as {
    pipeline_versions?: Record<string, unknown>[];
  };
  expect(version).toMatchObject({ name: "p", pipeline_spec: { pipelineInfo: { name: "chain" } } });
});

test("the query names what is uploaded", async () => {
  const parameters = { name: "n", display_name: "N", description: "d", namespace: "other", tags: '{"team":"x"}', code_source_url: "https://x" };
  const { body } = await rest.upload(`/pipelines/upload${query(parameters)}`, YAML);
  expect(body).toMatchObject({ name: "n", display_name: "N", description: "d", namespace: "other", tags: { team: "x" } });
  const pipelineid = String(body["pipeline_id"]);
  const version = { name: "v2", display_name: "V2", description: "d2", pipelineid, tags: '{"a":"b"}', code_source_url: "https://y" };
  expect((await rest.upload(`/pipelines/upload_version${query(version)}`, YAML)).body).toMatchObject({
    ...{ pipeline_id: pipelineid, name: "v2", display_name: "V2", description: "d2", tags: { a: "b" }, code_source_url: "https://y" },
  });
  expect((await rest.ok("GET", `/pipelines/${pipelineid}/versions`))["total_size"]).toBe(2);
  expect(await rest.upload(`/pipelines/upload_version${query({ ...version })}`, YAML)).toMatchObject({ status: 409 });
});

test.each<[string, string, () => Uint8Array | string | Promise<Uint8Array>, RegExp]>([
  ["an empty file", "empty_file.yaml", () => "", /exactly one pipeline document/u],
  ["broken YAML", "invalid_yaml.yaml", () => "a: [", /YAML/u],
  ["YAML that is no pipeline", "x.yaml", () => "a: 1", /pipelineInfo|unknown/u],
  ["a pipeline without a name", "no_name.yaml", () => JSON.stringify({ ...CHAIN, pipelineInfo: {} }), /name/u],
  ["another version of the schema", "old.yaml", () => JSON.stringify({ ...CHAIN, schemaVersion: "2.0.0" }), /schemaVersion/u],
  ["an Argo workflow", "argo.yaml", () => "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", /apiVersion|pipelineInfo/u],
  ["an empty zip", "empty_zip.zip", () => zipSync({}), /no pipeline\.yaml/u],
  ["a zip without yaml", "x.zip", () => zipSync({ "a.txt": bytes("x") }), /no pipeline\.yaml/u],
  ["a broken zip", "invalid-zip.zip", () => zipSync({ "pipeline.yaml": bytes(YAML) }).subarray(0, 40), /zip/u],
  ["an empty tar.gz", "x.tar.gz", () => tarGz({}), /no pipeline\.yaml/u],
  ["a broken gzip", "x.tar.gz", () => gzipSync(YAML).subarray(0, 20), /gzip/u],
  ["a picture", "wrong_format.png", () => Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0xff, 0xfe), /UTF-8/u],
])("%s is refused, and nothing is left of it", async (_what, name, content, message) => {
  const { status, body } = await rest.upload("/pipelines/upload?name=p", await content(), name);
  expect([status, body["error_message"]]).toEqual([400, expect.stringMatching(message)]);
  expect(await rest.ok("GET", "/pipelines")).toEqual({});
});

test.each([
  ["/pipelines/upload?tags=x", 400],
  ["/pipelines/upload?tags=[]", 400],
  [`/pipelines/upload${query({ tags: JSON.stringify({ ["k".repeat(64)]: "v" }) })}`, 400],
  [`/pipelines/upload${query({ tags: '{"k":1}' })}`, 400],
  [`/pipelines/upload?name=${"x".repeat(500)}`, 400],
  ["/pipelines/upload?namespace=No!", 400],
  ["/pipelines/upload_version", 400],
  ["/pipelines/upload_version?pipelineid=none", 404],
] as const)("%s is refused", async (path, status) => {
  expect(await rest.upload(path, YAML)).toMatchObject({ status, body: { error_message: expect.any(String) } });
});

test("a body that is no form, or a form without a file, is refused", async () => {
  expect(await rest.refused("POST", "/pipelines/upload?name=p", YAML)).toMatchObject({ status: 400, message: expect.stringContaining("multipart") });
  const form = new FormData();
  form.set("file", new File([YAML], "x.yaml"));
  const response = await rest.world.app.request("/pipelines/upload", { method: "POST", body: form });
  expect([response.status, ((await response.json()) as { error_message: string }).error_message]).toEqual([
    400,
    expect.stringContaining("uploadfile"),
  ]);
});

test("what is too large is refused before it fills the memory", async () => {
  const zip = Buffer.from(zipSync({ "other.yaml": Buffer.alloc(5000, "no pipeline"), "pipeline.yaml": Buffer.from(YAML) }));
  // What is not asked for is not unpacked: it would fail.
  zip.fill(0xff, zip.indexOf("other.yaml") + 10, zip.indexOf("other.yaml") + 30);
  expect(await rest.upload("/pipelines/upload?name=one", zip)).toMatchObject({ status: 200 });
  const bomb = zipSync({ "pipeline.yaml": new Uint8Array(33 * 2 ** 20) }, { level: 1 });
  expect(await rest.upload("/pipelines/upload?name=bomb", bomb)).toMatchObject({ status: 413 });
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(2 ** 20).fill(32));
      if (++sent > 100) controller.close();
    },
  });
  const response = await rest.world.app.request("/runs", { method: "POST", body: endless, duplex: "half" } as RequestInit);
  expect([response.status, sent < 40]).toEqual([413, true]);
});
