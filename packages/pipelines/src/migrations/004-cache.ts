import type { Migration } from "@sluice/database";
import { sql } from "kysely";

/** Results are kept by the task that made them, each with the parts of its key; and runs know when their upkeep is due. */
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
  },
};
