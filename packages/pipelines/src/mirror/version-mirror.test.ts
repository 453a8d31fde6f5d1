import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase, type Database } from "@sluice/database";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pipelinesMigrations } from "../migrations/index.ts";
import { CHAIN } from "../specs.fixture.ts";
import { Store } from "../store/store.ts";
import { pipelinesDatabase, type ObjectLinkRow, type VersionRow } from "../store/tables.ts";
import { versionMirror } from "./version-mirror.ts";

let directory: string;
let database: Database;
let store: Store;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "sluice-mirror-"));
  database = await openDatabase({ path: join(directory, "test.db") });
  await database.migrate("pipelines", pipelinesMigrations);
  store = new Store(pipelinesDatabase(database));
  const words = { name: "p", display_name: "P", description: "", tags: "{}", created_at: 1 };
  await store.pipelines.create({ id: "p-id", namespace: "n", ...words });
});
afterEach(async () => {
  await database[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const version = (id: string, name: string, spec: object): VersionRow => ({
  ...{ id, pipeline_id: "p-id", name, display_name: name, description: "d", tags: '{"a":"b"}', code_source_url: "", package_url: "" },
  ...{ spec: JSON.stringify(spec), created_at: 1 },
});
const link = (kind: ObjectLinkRow["kind"], rowId: string): Omit<ObjectLinkRow, "name"> => ({
  kind,
  namespace: "n",
  row_id: rowId,
  uid: "",
  base: "",
  cluster: "c",
});

test("a version's object waits for its pipeline's, and then belongs to it", async () => {
  const mirror = versionMirror(store);
  await store.versions.create(version("v-id", "v1", CHAIN));
  const row = await store.versions.head("v-id");
  if (row === undefined) throw new Error("no row");
  expect(await mirror.placeOf(row)).toEqual({ namespace: "n", names: ["p-v1", "p-v1-v-id"] });
  await store.objects.reserve(link("Pipeline", "p-id"), ["p"]);
  expect(await mirror.manifest(row, { namespace: "n", name: "p-v1" })).toBeUndefined();
  await store.objects.settle({ kind: "Pipeline", row_id: "p-id" }, { uid: "p-uid" });
  expect(await mirror.manifest(row, { namespace: "n", name: "p-v1" })).toMatchObject({
    metadata: {
      name: "p-v1",
      ownerReferences: [{ kind: "Pipeline", name: "p", uid: "p-uid" }],
      labels: { "pipelines.kubeflow.org/pipeline-id": "p-id", "pipelines.kubeflow.org/pipeline": "p" },
    },
    spec: { pipelineName: "p", versionName: "v1", displayName: "v1", description: "d", tags: { a: "b" }, pipelineSpec: CHAIN },
  });
});

test("a pipeline that is too large for an object stays where it is", async () => {
  const large = { ...CHAIN, sdkVersion: "x".repeat(1_100_000) };
  await store.versions.create(version("v-id", "Version 1", { pipeline_spec: large, platform_spec: { platforms: { kubernetes: {} } } }));
  await store.objects.reserve(link("Pipeline", "p-id"), ["p"]);
  await store.objects.settle({ kind: "Pipeline", row_id: "p-id" }, { uid: "p-uid" });
  const row = await store.versions.head("v-id");
  const made = row === undefined ? undefined : await versionMirror(store).manifest(row, { namespace: "n", name: "x" });
  expect(made?.spec).toEqual({
    ...{ pipelineName: "p", displayName: "Version 1", description: "d", tags: { a: "b" }, pipelineSpec: {} },
    pipelineSpecURI: "/apis/v2beta1/pipelines/p-id/versions/v-id",
  });
});

test("an object's name belongs to one row, and a row has one object", async () => {
  await store.versions.create(version("v-1", "1", CHAIN));
  await store.versions.create(version("v-2", "2", CHAIN));
  expect(await store.objects.unlinked("PipelineVersion")).toEqual(["v-1", "v-2"]);
  expect(await store.objects.reserve(link("PipelineVersion", "v-1"), ["a", "a-1"])).toMatchObject({ name: "a" });
  expect(await store.objects.reserve(link("PipelineVersion", "v-2"), ["a", "a-2"])).toMatchObject({ name: "a-2" });
  expect(await store.objects.reserve(link("PipelineVersion", "v-2"), ["b"])).toMatchObject({ name: "a-2" });
  expect(await store.objects.reserve(link("PipelineVersion", "v-3"), ["a", "a-2"])).toBeUndefined();
  expect(await store.objects.unlinked("PipelineVersion")).toEqual([]);
  await store.objects.moveTo("another");
  expect(await store.objects.keys("PipelineVersion")).toEqual([]);
});
