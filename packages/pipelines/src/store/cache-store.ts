import { chunks } from "./change.ts";
import type { PipelinesDatabase, ResultRow } from "./tables.ts";

/** How many earlier results of a component are compared with a task. */
const COMPARED = 50;

/** Whose results not to use any more: those of a pipeline, of a run, or of one of its tasks. */
export type Invalidation =
  | { readonly namespace: string; readonly pipeline: string }
  | { readonly namespace: string; readonly fingerprints: readonly string[] };

/** Results that later tasks may share. */
export class CacheStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  /** The newest result of each of these fingerprints, whatever has become of it; without a pipeline, of all of the namespace's. */
  async find(
    { namespace, pipeline }: { readonly namespace: string; readonly pipeline?: string },
    fingerprints: readonly string[],
  ): Promise<Map<string, ResultRow>> {
    const results = new Map<string, ResultRow>();
    for (const some of chunks([...new Set(fingerprints)])) {
      // SQLite takes the other columns from the row that has the maximum.
      let query = this.#database.read
        .selectFrom("pipelines_results")
        .selectAll()
        .select(({ fn }) => fn.max("made_at").as("newest"))
        .where("namespace", "=", namespace)
        .where("fingerprint", "in", [...some]);
      if (pipeline !== undefined) query = query.where("pipeline", "=", pipeline);
      for (const { newest: _newest, ...row } of await query.groupBy("fingerprint").execute()) results.set(row.fingerprint, row);
    }
    return results;
  }

  /** The newest results of a component of a pipeline that other runs had made by a time. */
  async ofComponent(
    { namespace, pipeline, component }: { readonly namespace: string; readonly pipeline: string; readonly component: string },
    { otherThan, until }: { readonly otherThan: string; readonly until: number },
  ): Promise<ResultRow[]> {
    const all = this.#database.read.selectFrom("pipelines_results").selectAll().where("namespace", "=", namespace);
    const own = all.where("pipeline", "=", pipeline).where("component", "=", component).where("made_at", "<=", until);
    return own.where("run_id", "<>", otherThan).orderBy("made_at", "desc").limit(COMPARED).execute();
  }

  /** Lets nobody share these results any more, and tells how many keys that concerns. Those that tasks make from now on may be shared again. */
  async invalidate(what: Invalidation, { by, at }: { readonly by: string; readonly at: number }): Promise<number> {
    return this.#database.transaction(async (transaction) => {
      const keys = new Set<string>();
      const groups = "pipeline" in what ? [undefined] : chunks([...new Set(what.fingerprints)]);
      for (const some of groups) {
        let query = transaction
          .updateTable("pipelines_results")
          .set({ invalidated_by: by, invalidated_at: at })
          .where("namespace", "=", what.namespace)
          .where("invalidated_at", "=", 0);
        query = "pipeline" in what ? query.where("pipeline", "=", what.pipeline) : query.where("fingerprint", "in", [...(some ?? [])]);
        for (const { fingerprint } of await query.returning("fingerprint").execute()) keys.add(fingerprint);
      }
      return keys.size;
    });
  }

  /** The task that last gave a result with that fingerprint, in any pipeline of the namespace. */
  async findTask(namespace: string, fingerprint: string): Promise<string | undefined> {
    const hits = this.#database.read.selectFrom("pipelines_results").select("task_id").where("invalidated_at", "=", 0);
    const row = await hits.where("fingerprint", "=", fingerprint).where("namespace", "=", namespace).orderBy("made_at", "desc").executeTakeFirst();
    return row?.task_id;
  }
}
