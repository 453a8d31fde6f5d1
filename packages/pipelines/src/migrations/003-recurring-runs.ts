import type { Migration } from "@sluice/database";

/** Recurring runs, which runs came of them, and which Kubernetes object shows which row. */
export const recurringRunsSchema: Migration = {
  name: "003-recurring-runs",
  async up(database) {
    const { schema } = database;
    let recurring = schema.createTable("pipelines_recurring_runs").addColumn("id", "text", (column) => column.primaryKey().notNull());
    for (const name of [
      ...["namespace", "experiment_id", "name", "description", "service_account", "pipeline_id", "version_id", "spec", "parameters"],
      ...["pipeline_root", "plugins_input", "trigger", "status", "error"],
    ]) {
      recurring = recurring.addColumn(name, "text", (column) => column.notNull());
    }
    for (const name of ["max_concurrency", "max_history", "no_catchup", "created_at", "updated_at", "last_slot_at", "last_index"]) {
      recurring = recurring.addColumn(name, "bigint", (column) => column.notNull());
    }
    await recurring.execute();
    await schema.createIndex("pipelines_recurring_runs_created").on("pipelines_recurring_runs").columns(["namespace", "created_at", "id"]).execute();
    await schema.createIndex("pipelines_recurring_runs_status").on("pipelines_recurring_runs").column("status").execute();
    await schema.createIndex("pipelines_recurring_runs_experiment").on("pipelines_recurring_runs").column("experiment_id").execute();
    await schema
      .alterTable("pipelines_runs")
      .addColumn("recurring_run_id", "text", (column) => column.notNull().defaultTo(""))
      .execute();
    await schema.createIndex("pipelines_runs_recurring").on("pipelines_runs").columns(["recurring_run_id", "scheduled_at"]).execute();
  },
};
