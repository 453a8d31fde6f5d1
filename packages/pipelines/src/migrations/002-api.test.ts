import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase } from "@sluice/database";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { Store } from "../store/store.ts";
import { pipelinesDatabase } from "../store/tables.ts";
import { pipelinesSchema } from "./001-pipelines.ts";
import { pipelinesMigrations } from "./index.ts";

const SPEC = JSON.stringify({ pipeline_spec: { pipelineInfo: { name: "chain" } }, platform_spec: {} });
const TASK = { id: "t1", runId: "r1", parentId: "t0", name: "first", displayName: "First", path: "root.first", kind: "RUNTIME", podName: "p" };

test("what an earlier release stored is found by the columns of this one", async () => {
  const directory = await mkdtemp(join(tmpdir(), "sluice-migration-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true }));
  const database = stack.use(await openDatabase({ path: join(directory, "test.db") }));
  await database.migrate("pipelines", [pipelinesSchema]);
  await database.of<Record<string, never>>().transaction(async (transaction) => {
    for (let index = 1; index <= 201; index++) {
      await sql`
        insert into pipelines_runs (id, namespace, experiment_id, name, description, storage_state, state, service_account, pipeline_id, version_id,
          spec, parameters, pipeline_root, progress, history, created_at, scheduled_at, finished_at)
        values (${`r${index}`}, 'kubeflow', 'e', 'r', '', 'AVAILABLE', 'SUCCEEDED', '', '', '', ${SPEC}, '{}', '', '{}', '[]', 1, 1, 5)`.execute(
        transaction,
      );
    }
    const record = JSON.stringify({ ...TASK, createdAt: 1, startedAt: 2, endedAt: 3 });
    await sql`insert into pipelines_tasks (id, run_id, state, record, created_at) values ('t1', 'r1', 'SUCCEEDED', ${record}, 1)`.execute(
      transaction,
    );
  });
  await database.migrate("pipelines", pipelinesMigrations);
  const store = new Store(pipelinesDatabase(database));
  expect(await store.runs.find("r201")).toMatchObject({ id: "r201", spec: SPEC, pipeline_name: "chain" });
  expect(await store.runs.taskCounts(["r1", "r2"])).toEqual(
    new Map([
      ["r1", 1],
      ["r2", 0],
    ]),
  );
  expect(await store.tasks.findRow("t1")).toMatchObject({
    ...{ name: "first", display_name: "First", kind: "RUNTIME", parent_id: "t0", path: "root.first", pod_name: "p" },
    ...{ fingerprint: "", started_at: 2, ended_at: 3, is_foreign: 0 },
  });
});
