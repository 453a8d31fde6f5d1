import type { Migration } from "@sluice/database";
import { sql } from "kysely";

/**
 * Results are kept by the task that made them, each with the parts of its key; runs know when they were shelved and when their
 * pods are to go, and which artifacts they use that lie elsewhere.
 */
export const cacheSchema: Migration = {
  name: "004-cache",
  async up(database) {
    const { schema } = database;
    let table = schema.createTable("pipelines_results");
    for (const name of ["task_id", "run_id", "namespace", "pipeline", "component", "fingerprint", "key_parts", "outputs", "invalidated_by"]) {
      table = table.addColumn(name, "text", (column) => column.notNull());
    }
    for (const name of ["made_at", "invalidated_at"]) table = table.addColumn(name, "bigint", (column) => column.notNull());
    await table.addPrimaryKeyConstraint("pipelines_results_key", ["task_id"] as never[]).execute();
    const index = async (name: string, columns: readonly string[]): Promise<void> => {
      await schema
        .createIndex(`pipelines_results_${name}`)
        .on("pipelines_results")
        .columns([...columns])
        .execute();
    };
    await index("fingerprint", ["namespace", "fingerprint", "made_at"]);
    await index("component", ["namespace", "pipeline", "component", "made_at"]);
    await index("run", ["run_id"]);
    await sql`
      insert into pipelines_results
        (task_id, run_id, namespace, pipeline, component, fingerprint, key_parts, outputs, invalidated_by, made_at, invalidated_at)
      select cache.task_id, coalesce(task.run_id, ''), cache.namespace, cache.pipeline, coalesce(task.record ->> 'component', ''),
        cache.fingerprint, '{}', cache.outputs, '', cache.created_at, 0
      from pipelines_cache as cache left join pipelines_tasks as task on task.id = cache.task_id where true
      on conflict do nothing`.execute(database);
    await schema.dropTable("pipelines_cache").execute();

    for (const column of ["shelved_at", "pods_due_at"]) {
      await schema
        .alterTable("pipelines_runs")
        .addColumn(column, "bigint", (definition) => definition.notNull().defaultTo(0))
        .execute();
    }
    await sql`create index pipelines_runs_shelf on pipelines_runs (storage_state, max(finished_at, shelved_at), namespace) where finished_at > 0`.execute(
      database,
    );
    await sql`create index pipelines_runs_pods on pipelines_runs (pods_due_at) where pods_due_at > 0`.execute(database);

    let shares = schema.createTable("pipelines_shares");
    for (const name of ["task_id", "run_id", "source_task_id", "uri"]) shares = shares.addColumn(name, "text", (column) => column.notNull());
    await shares.addPrimaryKeyConstraint("pipelines_shares_key", ["task_id", "uri"] as never[]).execute();
    for (const column of ["run_id", "source_task_id", "uri"]) {
      await schema.createIndex(`pipelines_shares_${column}`).on("pipelines_shares").column(column).execute();
    }
    await sql`
      insert into pipelines_shares (task_id, run_id, source_task_id, uri)
      select distinct task.id, task.run_id, coalesce(task.record ->> 'cachedFrom', ''), artifact.value ->> 'uri'
      from pipelines_tasks as task, json_each(task.record, '$.outputs.artifacts') as output, json_each(output.value) as artifact
      where task.state in ('SUCCEEDED', 'CACHED') and task.record ->> 'kind' in ('RUNTIME', 'IMPORTER')
        and instr(artifact.value ->> 'uri', '/' || task.run_id || '/') = 0`.execute(database);
  },
};
