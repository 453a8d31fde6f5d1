import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase, type Database } from "@sluice/database";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TaskRecord } from "../engine/types.ts";
import { pipelinesMigrations } from "../migrations/index.ts";
import { Store } from "./store.ts";
import { equals, type PageQuery, type Predicate } from "./page.ts";
import { pipelinesDatabase, type ExperimentRow, type PipelineRow, type RunRow, type VersionRow } from "./tables.ts";

let directory: string;
let database: Database;
let store: Store;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "sluice-pipelines-store-"));
  database = await openDatabase({ path: join(directory, "test.db") });
  await database.migrate("pipelines", pipelinesMigrations);
  store = new Store(pipelinesDatabase(database));
});
afterEach(async () => {
  await database[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const experiment = (id: string, change: Partial<ExperimentRow> = {}): ExperimentRow => ({
  ...{ id, namespace: "n", name: id, description: "", created_at: 1, storage_state: "AVAILABLE", last_run_at: 0 },
  ...change,
});
const run = (id: string, change: Partial<RunRow> = {}): RunRow => ({
  ...{ id, namespace: "n", experiment_id: "e", name: id, description: "", storage_state: "AVAILABLE", state: "PENDING", service_account: "" },
  ...{ pipeline_id: "", version_id: "", pipeline_name: "p", spec: "{}", parameters: "{}", pipeline_root: "", progress: '{"phase":"PENDING"}' },
  ...{ history: "[]", created_at: 1, scheduled_at: 1, finished_at: 0, recurring_run_id: "" },
  ...change,
});
const pipeline = (id: string, tags = {}): PipelineRow => ({
  ...{ id, namespace: "n", name: id, display_name: id, description: "", tags: JSON.stringify(tags), created_at: 1 },
});
const version = (id: string, pipelineId: string): VersionRow => ({
  ...{
    id,
    pipeline_id: pipelineId,
    name: id,
    display_name: id,
    description: "",
    tags: "{}",
    code_source_url: "",
    package_url: "",
    spec: "{}",
    created_at: 1,
  },
});
const page = (predicates: readonly Predicate[], change: Partial<PageQuery> = {}): PageQuery => ({
  ...{ predicates, sortColumn: "created_at", isDescending: false, pageSize: 2 },
  ...change,
});
const task: TaskRecord = {
  ...{
    id: "t",
    runId: "r",
    name: "t",
    displayName: "t",
    kind: "RUNTIME",
    component: "c",
    path: "root.t",
    state: "RUNNING",
    attempt: 0,
    createdAt: 1,
  },
  ...{ inputs: { parameters: {}, artifacts: {} }, outputs: { parameters: {}, artifacts: {} } },
} as unknown as TaskRecord;

describe("a run", () => {
  test("is stored with its experiment or not at all", async () => {
    await expect(store.runs.create(run("r"))).rejects.toMatchObject({ reason: "NotFound", message: "experiment e not found" });
    await store.experiments.create(experiment("e", { storage_state: "ARCHIVED" }));
    await expect(store.runs.create(run("r"))).rejects.toMatchObject({ reason: "BadRequest", message: expect.stringContaining('"e" is archived') });
    expect(await store.runs.find("r")).toBeUndefined();
    await store.experiments.shelve("e", "AVAILABLE", 0);
    await store.runs.create(run("r", { created_at: 7 }));
    expect(await store.experiments.find("e")).toMatchObject({ last_run_at: 7 });
  });

  test("that names no experiment shares one that is made once, and only for a run that is stored", async () => {
    const stored = await Promise.all(["1", "2"].map((id) => store.runs.create(run(id), experiment(`new-${id}`, { name: "Default" }))));
    expect(stored.map(({ experiment_id }) => experiment_id)).toEqual(["new-1", "new-1"]);
    await expect(store.runs.create(run("1", { namespace: "m" }), experiment("new-3", { name: "Default", namespace: "m" }))).rejects.toThrow("UNIQUE");
    expect((await store.experiments.list(page([equals("namespace", "m")]))).total).toBe(0);
  });

  test("that was deleted takes no more changes and no reports", async () => {
    await store.experiments.create(experiment("e"));
    await store.runs.create(run("r"));
    await store.upkeep.remove("r", []);
    const change = { run: { id: "r", namespace: "n", pipeline: "p" }, tasks: [task], time: 1, outbox: [], done: [] };
    await expect(store.runs.commit(change)).rejects.toMatchObject({ reason: "NotFound" });
    expect(await store.tasks.ofRun("r")).toEqual([]);
    const report = { runId: "r", taskId: "t", attempt: 0, parameters: {}, artifacts: [], problems: [] };
    await expect(store.tasks.putReport(report, "n")).rejects.toMatchObject({ reason: "NotFound" });
  });

  test("that has ended keeps no reports, also not those that come late", async () => {
    await store.experiments.create(experiment("e"));
    await store.runs.create(run("r"));
    const report = { runId: "r", taskId: "t", attempt: 0, parameters: {}, artifacts: [], problems: [] };
    await store.tasks.putReport(report, "n");
    expect(await store.tasks.reportsOf("r")).toEqual([report]);
    const progress = { value: { phase: "SUCCEEDED", endedAt: 5 } as const, history: [], podsDueAt: 0 };
    await store.runs.commit({ run: { id: "r", namespace: "n", pipeline: "p" }, tasks: [], time: 1, outbox: [], done: [], progress });
    await store.tasks.putReport(report, "n");
    expect(await store.tasks.reportsOf("r")).toEqual([]);
  });
});

test("a version needs its pipeline", async () => {
  await expect(store.versions.create(version("v", "p"))).rejects.toMatchObject({ reason: "NotFound", message: "pipeline p not found" });
  await store.pipelines.create(pipeline("p"));
  await store.versions.create(version("v", "p"));
  await expect(store.versions.create(version("v", "p"))).rejects.toMatchObject({ reason: "AlreadyExists" });
});

describe("a page", () => {
  test("tells the total also where no row is left", async () => {
    for (const id of ["a", "b", "c"]) await store.experiments.create(experiment(id));
    const after = { value: 9, id: "z" };
    expect(await store.experiments.list(page([equals("namespace", "n")], { after }))).toEqual({ rows: [], total: 3 });
    expect((await store.experiments.list(page([equals("namespace", "n")]))).total).toBe(3);
  });

  test("finds text whatever its case, and characters that are none of a pattern's", async () => {
    for (const id of ["Übung 1", "über_2", "ueber%3"]) await store.experiments.create(experiment(id));
    const names = async (text: string): Promise<string[]> => {
      const found = await store.experiments.list(page([{ column: "name", operation: "IS_SUBSTRING", values: [text] }], { sortColumn: "name" }));
      return found.rows.map(({ name }) => name);
    };
    expect(await names("Übung")).toEqual(["Übung 1"]);
    expect(await names("BER_")).toEqual(["über_2"]);
    expect(await names("%")).toEqual(["ueber%3"]);
  });

  test("reads a run's tasks, or a namespace's runs, by an index", async () => {
    const read = pipelinesDatabase(database).read;
    const plan = async (text: string): Promise<string> => {
      const { sql } = await import("kysely");
      const { rows } = await sql<{ detail: string }>`explain query plan ${sql.raw(text)}`.execute(read);
      return rows.map(({ detail }) => detail).join("\n");
    };
    for (const [table, column] of [
      ["runs", "namespace"],
      ["runs", "experiment_id"],
      ["tasks", "run_id"],
      ["artifacts", "namespace"],
    ]) {
      const order = "order by created_at desc, id desc limit 21";
      expect(await plan(`select * from pipelines_${table} where ${column} = 'x' ${order}`)).toMatch(/^SEARCH [^\n]*USING INDEX[^\n]*$/u);
    }
  });
});
