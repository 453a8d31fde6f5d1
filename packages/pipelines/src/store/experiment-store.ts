import { insertNamed } from "./insert-named.ts";
import type { Page, PageQuery } from "./page.ts";
import { selectPage } from "./select-page.ts";
import type { ExperimentRow, PipelinesDatabase, StorageState } from "./tables.ts";

/** Groups of runs. */
export class ExperimentStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  async create(row: ExperimentRow): Promise<void> {
    await insertNamed(
      this.#database,
      "experiment",
      row.name,
      (t) => t.insertInto("pipelines_experiments").values(row).execute(),
      async (t) => {
        const { namespace, name } = row;
        return (
          (await t
            .selectFrom("pipelines_experiments")
            .select("id")
            .where("namespace", "=", namespace)
            .where("name", "=", name)
            .executeTakeFirst()) !== undefined
        );
      },
    );
  }

  async find(id: string): Promise<ExperimentRow | undefined> {
    return this.#database.read.selectFrom("pipelines_experiments").selectAll().where("id", "=", id).executeTakeFirst();
  }

  list(query: PageQuery): Promise<Page<ExperimentRow>> {
    return selectPage<ExperimentRow>(this.#database, "pipelines_experiments", query);
  }

  /** Shelves an experiment; what it holds goes with it when it is archived. */
  async shelve(id: string, state: StorageState, at: number): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await transaction.updateTable("pipelines_experiments").set({ storage_state: state }).where("id", "=", id).execute();
      if (state === "AVAILABLE") return;
      await transaction.updateTable("pipelines_runs").set({ storage_state: state, shelved_at: at }).where("experiment_id", "=", id).execute();
    });
  }

  /** Deletes an experiment; its runs stay, as upstream's do. */
  async delete(id: string): Promise<void> {
    await this.#database.transaction((transaction) => transaction.deleteFrom("pipelines_experiments").where("id", "=", id).execute());
  }
}
