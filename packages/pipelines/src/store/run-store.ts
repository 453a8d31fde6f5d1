import { PreconditionError } from "@sluice/component";
import { ApiError } from "@sluice/kubernetes";
import type { SelectQueryBuilder } from "kysely";
import { chunks, existingRun, insertOutbox, type RunChange, upsertTasks } from "./change.ts";
import type { Page, PageQuery } from "./page.ts";
import { selectPage } from "./select-page.ts";
import type { ExperimentRow, OutboxRow, PipelinesDatabase, PipelinesTables, RunListRow, RunRow, StorageState } from "./tables.ts";

const UNFINISHED = ["PENDING", "RUNNING", "CANCELING"];

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
        throw new PreconditionError(`experiment_id: experiment ${JSON.stringify(name)} is archived: unarchive it, or name another`);
      }
      const stored = { ...row, experiment_id: id };
      const { spec, ...rest } = stored;
      await transaction
        .insertInto("pipelines_runs")
        .values({ ...rest, task_count: 0 })
        .execute();
      await transaction.insertInto("pipelines_run_specs").values({ run_id: row.id, spec }).execute();
      await transaction.updateTable("pipelines_experiments").where("id", "=", id).set({ last_run_at: row.created_at }).execute();
      return stored;
    });
  }

  async find(id: string): Promise<RunRow | undefined> {
    return this.#whole().where("id", "=", id).executeTakeFirst();
  }

  /** A run without its specification. */
  async findOutline(id: string): Promise<RunListRow | undefined> {
    return this.#database.read.selectFrom("pipelines_runs").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** A page of runs without their specifications. */
  list(query: PageQuery): Promise<Page<RunListRow>> {
    return selectPage<RunListRow>(this.#database, "pipelines_runs", query);
  }

  /** Runs that have not ended. */
  async unfinished(): Promise<RunRow[]> {
    return this.#whole().where("state", "in", UNFINISHED).execute();
  }

  /** How many tasks these runs have; those of one that has ended were counted then. */
  async taskCounts(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    const { read } = this.#database;
    for (const some of chunks(ids)) {
      const open: string[] = [];
      const rows = await read
        .selectFrom("pipelines_runs")
        .select(["id", "finished_at", "task_count"])
        .where("id", "in", [...some])
        .execute();
      for (const { id, finished_at, task_count } of rows) {
        if (finished_at === 0) open.push(id);
        else counts.set(id, task_count);
      }
      if (open.length === 0) continue;
      const counted = await read
        .selectFrom("pipelines_tasks")
        .select(["run_id", ({ fn }) => fn.countAll<number>().as("count")])
        .where("run_id", "in", open)
        .groupBy("run_id")
        .execute();
      for (const { run_id, count } of counted) counts.set(run_id, Number(count));
    }
    return counts;
  }

  /** How many runs are in each state. */
  async countByState(): Promise<readonly { readonly state: string; readonly count: number }[]> {
    return this.#database.read
      .selectFrom("pipelines_runs")
      .select(["state", ({ fn }) => fn.countAll<number>().as("count")])
      .groupBy("state")
      .execute();
  }

  #whole(): SelectQueryBuilder<PipelinesTables, "pipelines_runs" | "pipelines_run_specs", RunRow> {
    return this.#database.read
      .selectFrom("pipelines_runs")
      .innerJoin("pipelines_run_specs", "pipelines_run_specs.run_id", "pipelines_runs.id")
      .selectAll("pipelines_runs")
      .select("pipelines_run_specs.spec");
  }

  /** Shelves a run. None comes back while its experiment is archived. */
  async shelve(id: string, state: StorageState): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const runs = transaction.selectFrom("pipelines_runs as run").where("run.id", "=", id);
      const experiment = await runs
        .innerJoin("pipelines_experiments as experiment", "experiment.id", "run.experiment_id")
        .select(["experiment.name", "experiment.storage_state"])
        .executeTakeFirst();
      if (state === "AVAILABLE" && experiment?.storage_state === "ARCHIVED") {
        throw new PreconditionError(
          `run ${id} belongs to experiment ${JSON.stringify(experiment.name)}, which is archived: unarchive the experiment first`,
        );
      }
      await transaction.updateTable("pipelines_runs").set({ storage_state: state }).where("id", "=", id).execute();
    });
  }

  /** Deletes all that belongs to a run, leaving word of what is to be deleted in the cluster; cached results stay. */
  async delete(id: string, rest: readonly OutboxRow[]): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const tables = ["pipelines_tasks", "pipelines_artifacts", "pipelines_artifact_tasks", "pipelines_reports", "pipelines_outbox"] as const;
      for (const table of [...tables, "pipelines_run_specs"] as const) {
        await transaction.deleteFrom(table).where("run_id", "=", id).execute();
      }
      await transaction.deleteFrom("pipelines_runs").where("id", "=", id).execute();
      await insertOutbox(transaction, rest);
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
      const { value, history } = change.progress;
      const set = { state: value.phase, progress: JSON.stringify(value), history: JSON.stringify(history), finished_at: value.endedAt ?? 0 };
      const counted = transaction.selectFrom("pipelines_tasks").where("run_id", "=", change.run.id);
      await transaction
        .updateTable("pipelines_runs")
        .set(value.endedAt === undefined ? set : { ...set, task_count: counted.select(({ fn }) => fn.countAll<number>().as("count")) })
        .where("id", "=", change.run.id)
        .execute();
      // Only an unfinished task needs what its agent said.
      if (value.endedAt !== undefined) await transaction.deleteFrom("pipelines_reports").where("run_id", "=", change.run.id).execute();
    });
  }
}
