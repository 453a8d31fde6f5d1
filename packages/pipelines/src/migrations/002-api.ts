import type { Migration } from "@sluice/database";
import { sql, type Kysely } from "kysely";

const TEXTS = ["name", "display_name", "kind", "parent_id", "path", "fingerprint", "pod_name"];
const NUMBERS = ["started_at", "ended_at", "is_foreign"];
/** How many old records are in memory at once. */
const BATCH = 200;

/** What the API lists by without opening records: specs lie apart from their runs, and tasks show what they are. */
export const pipelinesApi: Migration = {
  name: "002-api",
  async up(database) {
    const { schema } = database;
    await schema
      .createTable("pipelines_run_specs")
      .addColumn("run_id", "text", (column) => column.primaryKey().notNull())
      .addColumn("spec", "text", (column) => column.notNull())
      .execute();
    const text = (table: string, name: string): Promise<void> =>
      schema
        .alterTable(table)
        .addColumn(name, "text", (column) => column.notNull().defaultTo(""))
        .execute();
    const number = (table: string, name: string): Promise<void> =>
      schema
        .alterTable(table)
        .addColumn(name, "bigint", (column) => column.notNull().defaultTo(0))
        .execute();
    await text("pipelines_runs", "pipeline_name");
    await number("pipelines_runs", "task_count");
    for (const name of TEXTS) await text("pipelines_tasks", name);
    for (const name of NUMBERS) await number("pipelines_tasks", name);
    await moveSpecs(database);
    await schema.alterTable("pipelines_runs").dropColumn("spec").execute();
    await describeTasks(database);
    await schema.createIndex("pipelines_tasks_parent").on("pipelines_tasks").columns(["run_id", "parent_id", "created_at", "id"]).execute();
    // The engine's own results are found through its cache; this index costs its tasks nothing.
    await sql`create index pipelines_tasks_foreign on pipelines_tasks (fingerprint) where is_foreign = 1`.execute(database);
  },
};

async function moveSpecs(database: Kysely<never>): Promise<void> {
  for (let last = "", isMore = true; isMore;) {
    const { rows } = await sql<{ id: string; spec: string }>`
      select id, spec from pipelines_runs where id > ${last} order by id limit ${BATCH}`.execute(database);
    for (const { id, spec } of rows) {
      const parsed = JSON.parse(spec) as { pipelineInfo?: { name?: string }; pipeline_spec?: { pipelineInfo?: { name?: string } } };
      const name = (parsed.pipeline_spec ?? parsed).pipelineInfo?.name ?? "";
      await sql`insert into pipelines_run_specs (run_id, spec) values (${id}, ${spec})`.execute(database);
      await sql`
        update pipelines_runs set pipeline_name = ${name}, task_count = (select count(*) from pipelines_tasks where run_id = ${id})
        where id = ${id}`.execute(database);
      last = id;
    }
    isMore = rows.length === BATCH;
  }
}

/** As much of a task's record as this step needs. */
interface TaskRecord {
  readonly name: string;
  readonly displayName: string;
  readonly kind: string;
  readonly path: string;
  readonly parentId?: string;
  readonly fingerprint?: string;
  readonly podName?: string;
  readonly startedAt?: number;
  readonly endedAt?: number;
}

async function describeTasks(database: Kysely<never>): Promise<void> {
  for (let last = "", isMore = true; isMore;) {
    const { rows } = await sql<{ id: string; record: string }>`
      select id, record from pipelines_tasks where id > ${last} order by id limit ${BATCH}`.execute(database);
    for (const { id, record } of rows) {
      const {
        name,
        displayName,
        kind,
        path,
        parentId = "",
        fingerprint = "",
        podName = "",
        startedAt = 0,
        endedAt = 0,
      } = JSON.parse(record) as TaskRecord;
      await sql`
        update pipelines_tasks set name = ${name}, display_name = ${displayName}, kind = ${kind}, path = ${path}, parent_id = ${parentId},
          fingerprint = ${fingerprint}, pod_name = ${podName}, started_at = ${startedAt}, ended_at = ${endedAt}
        where id = ${id}`.execute(database);
      last = id;
    }
    isMore = rows.length === BATCH;
  }
}
