import { ApiError } from "@sluice/kubernetes";
import { chunks, existingRun, insertOutbox, type RunChange, upsertTasks } from "./change.ts";
import type { Page, PageQuery } from "./page.ts";
import { selectPage } from "./select-page.ts";
import type { ExperimentRow, PipelinesDatabase, RunRow, StorageState } from "./tables.ts";

/** Runs, and what happens in them. */
export class RunStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  /** Stores a run in its experiment, or else in the one that is called like `fallback`, which is made if there is none. Gives it as it is stored. */
  async create(row: RunRow, fallback?: ExperimentRow): Promise<RunRow> {
    return this.#database.transaction(async (transaction) => {
      const experiments = transaction.selectFrom("pipelines_experiments").selectAll();
      let experiment = await (
        fallback === undefined
          ? experiments.where("id", "=", row.experiment_id)
          : experiments.where("namespace", "=", fallback.namespace).where("name", "=", fallback.name)
      ).executeTakeFirst();
      if (experiment === undefined) {
        if (fallback === undefined) throw new ApiError("NotFound", `experiment ${row.experiment_id} not found`);
        experiment = fallback;
        await transaction.insertInto("pipelines_experiments").values(experiment).execute();
      }
      const { id, name } = experiment;
      if (experiment.storage_state === "ARCHIVED") {
        throw new ApiError("BadRequest", `experiment_id: experiment ${JSON.stringify(name)} is archived: unarchive it, or name another`);
      }
      const stored = { ...row, experiment_id: id };
      await transaction.insertInto("pipelines_runs").values(stored).execute();
      await transaction.updateTable("pipelines_experiments").where("id", "=", id).set({ last_run_at: row.created_at }).execute();
      return stored;
    });
  }

  async find(id: string): Promise<RunRow | undefined> {
    return this.#database.read.selectFrom("pipelines_runs").selectAll().where("id", "=", id).executeTakeFirst();
  }

  list(query: PageQuery): Promise<Page<RunRow>> {
    return selectPage<RunRow>(this.#database, "pipelines_runs", query);
  }

  /** Runs that have not ended. */
  async unfinished(): Promise<RunRow[]> {
    return this.#database.read.selectFrom("pipelines_runs").selectAll().where("state", "in", ["PENDING", "RUNNING", "CANCELING"]).execute();
  }

  /** Shelves a run. None comes back while its experiment is archived. */
  async shelve(id: string, state: StorageState, at: number): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const runs = transaction.selectFrom("pipelines_runs as run").where("run.id", "=", id);
      const experiment = await runs
        .innerJoin("pipelines_experiments as experiment", "experiment.id", "run.experiment_id")
        .select(["experiment.name", "experiment.storage_state"])
        .executeTakeFirst();
      if (state === "AVAILABLE" && experiment?.storage_state === "ARCHIVED") {
        throw new ApiError(
          "BadRequest",
          `run ${id} belongs to experiment ${JSON.stringify(experiment.name)}, which is archived: unarchive the experiment first`,
        );
      }
      await transaction.updateTable("pipelines_runs").set({ storage_state: state, shelved_at: at }).where("id", "=", id).execute();
    });
  }

  /** Writes what a batch of events changed, all or nothing; resolves once it is on disk. NotFound if the run is gone. */
  async commit(change: RunChange): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await existingRun(transaction, change.run.id);
      await upsertTasks(transaction, change);
      await insertOutbox(transaction, change.outbox);
      for (const some of chunks(change.done))
        await transaction
          .deleteFrom("pipelines_outbox")
          .where("id", "in", [...some])
          .execute();
      if (change.progress === undefined) return;
      const { value, history, podsDueAt } = change.progress;
      // What was edited is no stored version any more.
      const spec = change.spec === undefined ? {} : { spec: change.spec, version_id: "" };
      const texts = { progress: JSON.stringify(value), history: JSON.stringify(history) };
      const set = { ...spec, ...texts, state: value.phase, finished_at: value.endedAt ?? 0, pods_due_at: podsDueAt };
      await transaction.updateTable("pipelines_runs").set(set).where("id", "=", change.run.id).execute();
      // Only an unfinished task needs what its agent said.
      if (value.endedAt !== undefined) await transaction.deleteFrom("pipelines_reports").where("run_id", "=", change.run.id).execute();
    });
  }
}
