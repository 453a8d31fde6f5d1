import type { CachedResult, TaskValues } from "../engine/types.ts";
import { chunks } from "./change.ts";
import type { PipelinesDatabase } from "./tables.ts";

/** Results that later tasks may share. */
export class CacheStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  /** The results that the cache has for these fingerprints. */
  async find(namespace: string, pipeline: string, fingerprints: readonly string[]): Promise<Map<string, CachedResult>> {
    const hits = new Map<string, CachedResult>();
    for (const some of chunks([...new Set(fingerprints)])) {
      const query = this.#database.read.selectFrom("pipelines_cache").select(["fingerprint", "task_id", "outputs"]);
      const rows = await query
        .where("namespace", "=", namespace)
        .where("pipeline", "=", pipeline)
        .where("fingerprint", "in", [...some])
        .execute();
      for (const row of rows) hits.set(row.fingerprint, { taskId: row.task_id, outputs: JSON.parse(row.outputs) as TaskValues });
    }
    return hits;
  }

  /** The task that last gave a result with that fingerprint, in any pipeline of the namespace. */
  async findTask(namespace: string, fingerprint: string): Promise<string | undefined> {
    const hits = this.#database.read.selectFrom("pipelines_cache").select("task_id");
    const row = await hits.where("fingerprint", "=", fingerprint).where("namespace", "=", namespace).orderBy("created_at", "desc").executeTakeFirst();
    return row?.task_id;
  }
}
