import { sql } from "kysely";
import type { Retention } from "../lifecycle/lifecycle-settings.ts";
import { insertOutbox } from "./change.ts";
import type { OutboxRow, PipelinesDatabase, PipelinesTransaction, RunRow } from "./tables.ts";

/** Some namespaces: one of them, or all but some. */
export type NamespaceScope = { readonly namespace: string } | { readonly allBut: readonly string[] };

/** Since when a run that is over has been on its shelf; the index `pipelines_runs_shelf` has it. */
const SHELVED_SINCE = sql<number>`max(finished_at, shelved_at)`;

/** What becomes of runs that are over. */
export class UpkeepStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  /** Runs that are over and whose pods are due. */
  async withPodsDue(now: number, limit: number): Promise<string[]> {
    const runs = this.#database.read.selectFrom("pipelines_runs").select("id").where("pods_due_at", ">", 0).where("pods_due_at", "<=", now);
    return (await runs.orderBy("pods_due_at").limit(limit).execute()).map(({ id }) => id);
  }

  /** Takes note that a run's pods are about to go; false if the run goes on again. */
  async releasePods(id: string, leftovers: readonly OutboxRow[]): Promise<boolean> {
    return this.#database.transaction(async (transaction) => {
      const update = transaction.updateTable("pipelines_runs").set({ pods_due_at: 0 }).where("id", "=", id).where("pods_due_at", ">", 0);
      const { numUpdatedRows } = await update.executeTakeFirst();
      if (numUpdatedRows === 0n) return false;
      await insertOutbox(transaction, leftovers);
      return true;
    });
  }

  /** Archives runs that have been over since `until` or longer, the oldest first; tells how many. */
  async archive(scope: NamespaceScope, until: number, { now, limit }: { readonly now: number; readonly limit: number }): Promise<number> {
    return this.#database.transaction(async (transaction) => {
      const due = await shelved(transaction, scope, "AVAILABLE", until).select("id").orderBy(SHELVED_SINCE).limit(limit).execute();
      const ids = due.map(({ id }) => id);
      if (ids.length > 0) {
        await transaction.updateTable("pipelines_runs").set({ storage_state: "ARCHIVED", shelved_at: now }).where("id", "in", ids).execute();
      }
      return ids.length;
    });
  }

  /** Runs that are over and have been archived since `until` or longer, the oldest first. */
  async archivedUntil(scope: NamespaceScope, until: number, limit: number): Promise<string[]> {
    const runs = shelved(this.#database.read, scope, "ARCHIVED", until).select("id");
    return (await runs.orderBy(SHELVED_SINCE).limit(limit).execute()).map(({ id }) => id);
  }

  /** When something is due next, by what is kept how long; undefined if nothing is. */
  async nextDue(retentions: readonly (readonly [NamespaceScope, Retention])[]): Promise<number | undefined> {
    const { read } = this.#database;
    const pods = await read.selectFrom("pipelines_runs").select("pods_due_at").where("pods_due_at", ">", 0).orderBy("pods_due_at").limit(1).execute();
    const times = pods.map(({ pods_due_at: time }) => time);
    for (const [scope, { archiveAfterMs, deleteAfterMs }] of retentions) {
      for (const [state, after] of [["AVAILABLE", archiveAfterMs] as const, ["ARCHIVED", deleteAfterMs] as const]) {
        if (after === undefined) continue;
        const first = shelved(read, scope, state, Number.MAX_SAFE_INTEGER).select(SHELVED_SINCE.as("since")).orderBy(SHELVED_SINCE).limit(1);
        for (const { since } of await first.execute()) times.push(since + after);
      }
    }
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /**
   * Deletes all that belongs to a run, leaving word of what is still to be deleted. If its artifacts are to go, so do those of its
   * results that nobody else uses: the others, and such as have no artifacts, later runs may go on to share. Gives the word of other
   * deleted runs whose artifacts only this one had kept.
   */
  async remove(id: string, rest: readonly OutboxRow[]): Promise<readonly OutboxRow[]> {
    return this.#database.transaction(async (transaction) => {
      const used = await transaction.selectFrom("pipelines_shares").select("source_task_id as id").distinct().where("run_id", "=", id).execute();
      for (const table of [
        "pipelines_tasks",
        "pipelines_artifacts",
        "pipelines_artifact_tasks",
        "pipelines_run_specs",
        "pipelines_reports",
        "pipelines_outbox",
        "pipelines_shares",
      ] as const) {
        await transaction.deleteFrom(table).where("run_id", "=", id).execute();
      }
      await transaction.deleteFrom("pipelines_runs").where("id", "=", id).execute();
      await insertOutbox(transaction, rest);
      const waiting = transaction.selectFrom("pipelines_outbox").where("kind", "=", "deleteArtifacts");
      const sources = used.map((source) => source.id).filter((source) => source !== "");
      const makers =
        sources.length === 0
          ? []
          : await transaction
              .selectFrom("pipelines_results")
              .select("run_id")
              .distinct()
              .where(sql<boolean>`task_id in (select value from json_each(${JSON.stringify(sources)}))`)
              .execute();
      const freed = await waiting
        .selectAll()
        .where("run_id", "in", ["", ...makers.map((maker) => maker.run_id)])
        .execute();
      await transaction
        .deleteFrom("pipelines_results")
        .where("run_id", "in", [id, ...freed.map((row) => row.run_id)])
        .where("run_id", "in", waiting.select("run_id"))
        .where("task_id", "not in", transaction.selectFrom("pipelines_shares").select("source_task_id"))
        .where(sql<boolean>`json_extract(outputs, '$.artifacts') <> '{}'`)
        .execute();
      return freed;
    });
  }

  /** The artifacts below an address that runs other than its own use. */
  async usedBelow(prefix: string, runId: string): Promise<readonly string[]> {
    // "0" is the character that follows "/".
    const below = this.#database.read
      .selectFrom("pipelines_shares")
      .select("uri")
      .distinct()
      .where("uri", ">=", `${prefix}/`)
      .where("uri", "<", `${prefix}0`);
    return (await below.where("run_id", "<>", runId).execute()).map(({ uri }) => uri);
  }
}

function shelved(from: PipelinesDatabase["read"] | PipelinesTransaction, scope: NamespaceScope, state: RunRow["storage_state"], until: number) {
  const runs = from.selectFrom("pipelines_runs").where("storage_state", "=", state).where("finished_at", ">", 0).where(SHELVED_SINCE, "<=", until);
  if ("namespace" in scope) return runs.where("namespace", "=", scope.namespace);
  return scope.allBut.length === 0 ? runs : runs.where("namespace", "not in", [...scope.allBut]);
}
