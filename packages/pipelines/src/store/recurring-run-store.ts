import { ApiError } from "@sluice/kubernetes";
import type { Changes } from "./changes.ts";
import { checkAvailable, experimentOf } from "./experiment-of.ts";
import type { Page, PageQuery } from "./page.ts";
import { selectPage } from "./select-page.ts";
import type { ExperimentRow, ObjectLinkRow, PipelinesDatabase, PipelinesTransaction, RecurringRunRow, RunListRow, RunRow } from "./tables.ts";

const UNFINISHED = ["PENDING", "RUNNING", "CANCELING"];

/** Schedules of runs. */
export class RecurringRunStore {
  readonly #database: PipelinesDatabase;
  readonly #changes: Changes;

  constructor(database: PipelinesDatabase, changes: Changes) {
    this.#database = database;
    this.#changes = changes;
  }

  /** Stores a schedule in its experiment, as `RunStore.create` does a run. Gives it as it is stored. */
  async create(row: RecurringRunRow, fallback?: ExperimentRow, { link }: { readonly link?: ObjectLinkRow } = {}): Promise<RecurringRunRow> {
    const stored = await this.#database.transaction(async (transaction) => {
      const experiment = await experimentOf(transaction, row.experiment_id, fallback);
      if (row.status === "ENABLED") checkAvailable(experiment);
      const schedule = { ...row, experiment_id: experiment.id };
      await transaction.insertInto("pipelines_recurring_runs").values(schedule).execute();
      if (link !== undefined) await transaction.insertInto("pipelines_objects").values(link).execute();
      return schedule;
    });
    this.#changes.tell("RecurringRun", stored.id);
    return stored;
  }

  async find(id: string): Promise<RecurringRunRow | undefined> {
    return this.#database.read.selectFrom("pipelines_recurring_runs").selectAll().where("id", "=", id).executeTakeFirst();
  }

  list(query: PageQuery): Promise<Page<RecurringRunRow>> {
    return selectPage<RecurringRunRow>(this.#database, "pipelines_recurring_runs", query);
  }

  /** The ids of all that are enabled. */
  async enabled(): Promise<string[]> {
    const rows = await this.#database.read.selectFrom("pipelines_recurring_runs").select("id").where("status", "=", "ENABLED").execute();
    return rows.map(({ id }) => id);
  }

  /** Its runs that have not ended, and the latest `count` of those that have. */
  async history(id: string, count: number): Promise<{ readonly active: readonly RunListRow[]; readonly completed: readonly RunListRow[] }> {
    const runs = this.#database.read.selectFrom("pipelines_runs").selectAll().where("recurring_run_id", "=", id).orderBy("scheduled_at", "desc");
    const [active, completed] = await Promise.all([
      runs.where("state", "in", UNFINISHED).execute(),
      runs.where("state", "not in", UNFINISHED).limit(count).execute(),
    ]);
    return { active, completed };
  }

  /** How many of its runs have not ended. */
  async countUnfinished(id: string): Promise<number> {
    const query = this.#database.read.selectFrom("pipelines_runs").select(({ fn }) => fn.countAll<number>().as("count"));
    const row = await query.where("recurring_run_id", "=", id).where("state", "in", UNFINISHED).executeTakeFirst();
    return Number(row?.count ?? 0);
  }

  /** Switches a schedule on or off, or changes what it does; what it has done stays. */
  async update(id: string, change: Partial<RecurringRunRow>): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const rows = transaction.selectFrom("pipelines_recurring_runs").selectAll().where("id", "=", id);
      const row = await rows.executeTakeFirst();
      if (row === undefined) throw new ApiError("NotFound", `recurring run ${id} not found`);
      if (change.status === "ENABLED") checkAvailable(await experimentOf(transaction, row.experiment_id, undefined));
      await transaction.updateTable("pipelines_recurring_runs").set(change).where("id", "=", id).execute();
    });
    this.#changes.tell("RecurringRun", id);
  }

  /** Passes over a slot that can have no run, and says why. */
  async skip(id: string, slot: number, error: string): Promise<void> {
    await this.#database.transaction((transaction) =>
      transaction
        .updateTable("pipelines_recurring_runs")
        .set({ last_slot_at: slot, error })
        .where("id", "=", id)
        .where("last_slot_at", "<", slot)
        .execute(),
    );
    this.#changes.tell("RecurringRun", id);
  }

  /** Deletes a schedule; its runs stay. */
  async delete(id: string): Promise<void> {
    await this.#database.transaction((transaction) => transaction.deleteFrom("pipelines_recurring_runs").where("id", "=", id).execute());
    this.#changes.tell("RecurringRun", id);
  }
}

/**
 * Takes the slot of a run that a schedule starts, in the transaction that stores the run: so a slot has one run, whenever the process
 * dies. Conflict if the slot is taken, or the schedule is gone or disabled.
 */
export async function claimSlot(transaction: PipelinesTransaction, { recurring_run_id: id, scheduled_at: slot }: RunRow): Promise<void> {
  const update = transaction.updateTable("pipelines_recurring_runs").set(({ eb }) => ({
    ...{ last_slot_at: slot, error: "" },
    last_index: eb("last_index", "+", 1),
  }));
  const { numUpdatedRows } = await update
    .where("id", "=", id)
    .where("status", "=", "ENABLED")
    .where("last_slot_at", "<", slot)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 0n) throw new ApiError("Conflict", `recurring run ${id} no longer waits for ${new Date(slot).toISOString()}`);
}
