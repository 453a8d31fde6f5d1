import type { Migration } from "@sluice/database";
import { sql } from "kysely";

/** Where a run's artifacts go, and which task made or used which artifact: to be asked from either end. */
export const lineageSchema: Migration = {
  name: "005-lineage",
  async up(database) {
    const { schema } = database;
    await schema
      .alterTable("pipelines_runs")
      .addColumn("artifact_root", "text", (column) => column.notNull().defaultTo(""))
      .execute();
    const root = sql`case when pipeline_root = '' then 'minio://mlpipeline/v2/artifacts' else pipeline_root end`;
    await sql`update pipelines_runs set artifact_root = ${root}`.execute(database);

    const name = "pipelines_artifact_tasks";
    let table = schema.createTable(name);
    for (const column of ["id", "artifact_id", "task_id", "run_id", "namespace", "direction", "type", "key", "producer"]) {
      table = table.addColumn(column, "text", (definition) => definition.notNull());
    }
    for (const column of ["position", "iteration", "is_lineage", "created_at"])
      table = table.addColumn(column, "bigint", (definition) => definition.notNull());
    await table.addPrimaryKeyConstraint(`${name}_key`, ["id"] as never[]).execute();
    const index = async (suffix: string, columns: readonly string[]): Promise<void> =>
      schema
        .createIndex(`${name}_${suffix}`)
        .on(name)
        .columns([...columns])
        .execute();
    await index("artifact", ["artifact_id", "direction", "is_lineage", "task_id"]);
    await index("task", ["task_id", "direction", "is_lineage", "artifact_id"]);
    await index("run", ["run_id"]);
    await index("created", ["namespace", "created_at", "id"]);
  },
};
