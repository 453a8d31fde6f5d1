import type { Migration } from "@sluice/database";

/** Where a run's artifacts go, and which task made or used which artifact: to be asked from either end. */
export const lineageSchema: Migration = {
  name: "005-lineage",
  async up({ schema }) {
    await schema
      .alterTable("pipelines_runs")
      .addColumn("artifact_root", "text", (column) => column.notNull().defaultTo(""))
      .execute();
    await schema
      .createTable("pipelines_artifact_tasks")
      .addColumn("artifact_id", "text", (column) => column.notNull())
      .addColumn("task_id", "text", (column) => column.notNull())
      .addColumn("direction", "text", (column) => column.notNull())
      .addColumn("key", "text", (column) => column.notNull())
      .addColumn("position", "bigint", (column) => column.notNull())
      .addColumn("run_id", "text", (column) => column.notNull())
      .addColumn("namespace", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("pipelines_artifact_tasks_key", ["artifact_id", "direction", "task_id", "key", "position"])
      .execute();
    const index = schema.createIndex("pipelines_artifact_tasks_task").on("pipelines_artifact_tasks");
    await index.columns(["task_id", "direction", "artifact_id"]).execute();
    await schema.createIndex("pipelines_artifact_tasks_run").on("pipelines_artifact_tasks").column("run_id").execute();
  },
};
