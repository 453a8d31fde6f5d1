import { chunks } from "./change.ts";
import type { OutboxRow, PipelinesDatabase } from "./tables.ts";

/** What was decided and may not have been done. */
export class OutboxStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  async all(): Promise<OutboxRow[]> {
    return this.#database.read.selectFrom("pipelines_outbox").selectAll().execute();
  }

  async remove(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#database.transaction(async (transaction) => {
      for (const some of chunks(ids))
        await transaction
          .deleteFrom("pipelines_outbox")
          .where("id", "in", [...some])
          .execute();
    });
  }
}
