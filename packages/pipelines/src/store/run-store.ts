import { PreconditionError } from "@sluice/component";
import type { SelectQueryBuilder } from "kysely";
import { chunks, existingRun, insertOutbox, type RunChange, upsertTasks } from "./change.ts";
import type { Changes } from "./changes.ts";
import { checkAvailable, experimentOf } from "./experiment-of.ts";
import type { Page, PageQuery } from "./page.ts";
import { claimSlot } from "./recurring-run-store.ts";
import { selectPage } from "./select-page.ts";
import type { ExperimentRow, PipelinesDatabase, PipelinesTables, RunListRow, RunRow, StorageState } from "./tables.ts";

const UNFINISHED = ["PENDING", "RUNNING", "CANCELING"];

/** Runs, and what happens in them. */
export class RunStore {
  readonly #database: PipelinesDatabase;
  readonly #changes: Changes;

  constructor(database: PipelinesDatabase, changes: Changes) {
    this.#database = database;
    this.#changes = changes;
  }

  /**
   * Stores a run in its experiment, or else in the one that is called like `fallback`, which is made if there is none. A
   * run of a schedule takes its slot with it. Gives it as it is stored.
   */
  async create(row: RunRow, fallback?: ExperimentRow): Promise<RunRow> {
    const created = await this.#database.transaction(async (transaction) => {
      const experiment = await experimentOf(transaction, row.experiment_id, fallback);
      checkAvailable(experiment);
      const { id } = experiment;
      if (row.recurring_run_id !== "") await claimSlot(transaction, row);
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
    if (row.recurring_run_id !== "") this.#changes.tell("RecurringRun", row.recurring_run_id);
    return created;
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
  async shelve(id: string, state: StorageState, at: number): Promise<void> {
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
      const edited = change.spec === undefined ? {} : { version_id: "" };
      const texts = { progress: JSON.stringify(value), history: JSON.stringify(history) };
      const set = { ...edited, ...texts, state: value.phase, finished_at: value.endedAt ?? 0, pods_due_at: podsDueAt };
      const counted = transaction.selectFrom("pipelines_tasks").where("run_id", "=", change.run.id);
      await transaction
        .updateTable("pipelines_runs")
        .set(value.endedAt === undefined ? set : { ...set, task_count: counted.select(({ fn }) => fn.countAll<number>().as("count")) })
        .where("id", "=", change.run.id)
        .execute();
      if (change.spec !== undefined) {
        await transaction.updateTable("pipelines_run_specs").set({ spec: change.spec }).where("run_id", "=", change.run.id).execute();
      }
      // Only an unfinished task needs what its agent said.
      if (value.endedAt !== undefined) await transaction.deleteFrom("pipelines_reports").where("run_id", "=", change.run.id).execute();
    });
  }
}
