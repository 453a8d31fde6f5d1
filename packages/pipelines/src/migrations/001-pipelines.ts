import type { Migration } from "@sluice/database";

/** The first schema: experiments, pipelines, versions, runs, tasks, artifacts, reports, cache and outbox. */
export const pipelinesSchema: Migration = {
  name: "001-pipelines",
  async up(database) {
    const { schema } = database;
    const table = async (name: string, texts: readonly string[], numbers: readonly string[], key: readonly string[]): Promise<void> => {
      let builder = schema.createTable(name);
      for (const column of texts) builder = builder.addColumn(column, "text", (definition) => definition.notNull());
      for (const column of numbers) builder = builder.addColumn(column, "bigint", (definition) => definition.notNull());
      await builder.addPrimaryKeyConstraint(`${name}_key`, key as never[]).execute();
    };
    const index = async (name: string, on: string, columns: readonly string[], unique = false): Promise<void> => {
      const builder = schema
        .createIndex(name)
        .on(on)
        .columns([...columns]);
      await (unique ? builder.unique() : builder).execute();
    };
    await table("pipelines_experiments", ["id", "namespace", "name", "description", "storage_state"], ["created_at", "last_run_at"], ["id"]);
    await index("pipelines_experiments_name", "pipelines_experiments", ["namespace", "name"], true);
    await table("pipelines_pipelines", ["id", "namespace", "name", "display_name", "description", "tags"], ["created_at"], ["id"]);
    await index("pipelines_pipelines_name", "pipelines_pipelines", ["namespace", "name"], true);
    await table(
      "pipelines_versions",
      ["id", "pipeline_id", "name", "display_name", "description", "tags", "code_source_url", "package_url", "spec"],
      ["created_at"],
      ["id"],
    );
    await index("pipelines_versions_name", "pipelines_versions", ["pipeline_id", "name"], true);
    await index("pipelines_versions_created", "pipelines_versions", ["pipeline_id", "created_at"]);
    await table(
      "pipelines_runs",
      [
        ...["id", "namespace", "experiment_id", "name", "description", "storage_state", "state", "service_account", "pipeline_id", "version_id"],
        ...["spec", "parameters", "pipeline_root", "progress", "history"],
      ],
      ["created_at", "scheduled_at", "finished_at"],
      ["id"],
    );
    await index("pipelines_runs_created", "pipelines_runs", ["namespace", "created_at", "id"]);
    await index("pipelines_runs_experiment", "pipelines_runs", ["experiment_id", "created_at", "id"]);
    await index("pipelines_runs_state", "pipelines_runs", ["state"]);
    await table("pipelines_tasks", ["id", "run_id", "state", "record"], ["created_at"], ["id"]);
    await index("pipelines_tasks_run", "pipelines_tasks", ["run_id", "created_at", "id"]);
    await table("pipelines_artifacts", ["id", "run_id", "task_id", "namespace", "name", "type", "uri", "record"], ["created_at"], ["id"]);
    await index("pipelines_artifacts_created", "pipelines_artifacts", ["namespace", "created_at", "id"]);
    await index("pipelines_artifacts_run", "pipelines_artifacts", ["run_id"]);
    await table("pipelines_reports", ["task_id", "run_id", "report"], ["attempt"], ["task_id", "attempt"]);
    await index("pipelines_reports_run", "pipelines_reports", ["run_id"]);
    await table(
      "pipelines_cache",
      ["namespace", "pipeline", "fingerprint", "task_id", "outputs"],
      ["created_at"],
      ["namespace", "pipeline", "fingerprint"],
    );
    await table("pipelines_outbox", ["id", "run_id", "kind", "namespace", "name"], [], ["id"]);
    await index("pipelines_outbox_run", "pipelines_outbox", ["run_id"]);
  },
};
