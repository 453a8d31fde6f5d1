import { ApiError } from "@sluice/kubernetes";
import type { Changes } from "./changes.ts";
import { insertNamed } from "./insert-named.ts";
import type { Page, PageQuery } from "./page.ts";
import { selectPage } from "./select-page.ts";
import type { PipelinesDatabase, VersionRow } from "./tables.ts";

/** Versions of pipelines. */
export class VersionStore {
  readonly #database: PipelinesDatabase;
  readonly #changes: Changes;

  constructor(database: PipelinesDatabase, changes: Changes) {
    this.#database = database;
    this.#changes = changes;
  }

  async create(row: VersionRow): Promise<void> {
    await insertNamed(
      this.#database,
      "pipeline version",
      row.name,
      (t) => t.insertInto("pipelines_versions").values(row).execute(),
      async (t) => {
        const { pipeline_id, name } = row;
        const pipeline = await t.selectFrom("pipelines_pipelines").select("id").where("id", "=", pipeline_id).executeTakeFirst();
        if (pipeline === undefined) throw new ApiError("NotFound", `pipeline ${pipeline_id} not found`);
        return (
          (await t
            .selectFrom("pipelines_versions")
            .select("id")
            .where("pipeline_id", "=", pipeline_id)
            .where("name", "=", name)
            .executeTakeFirst()) !== undefined
        );
      },
    );
    this.#changes.tell("PipelineVersion", row.id);
  }

  async find(pipelineId: string | undefined, id: string): Promise<VersionRow | undefined> {
    const query = this.#database.read.selectFrom("pipelines_versions").selectAll().where("id", "=", id);
    return (pipelineId === undefined ? query : query.where("pipeline_id", "=", pipelineId)).executeTakeFirst();
  }

  async findLatest(pipelineId: string): Promise<VersionRow | undefined> {
    const query = this.#database.read.selectFrom("pipelines_versions").selectAll().where("pipeline_id", "=", pipelineId);
    return query.orderBy("created_at", "desc").orderBy("id", "desc").limit(1).executeTakeFirst();
  }

  list(query: PageQuery): Promise<Page<VersionRow>> {
    return selectPage<VersionRow>(this.#database, "pipelines_versions", query);
  }

  async update(id: string, change: Partial<Pick<VersionRow, "display_name" | "description" | "tags">>): Promise<void> {
    if (Object.keys(change).length === 0) return;
    await this.#database.transaction((transaction) => transaction.updateTable("pipelines_versions").set(change).where("id", "=", id).execute());
    this.#changes.tell("PipelineVersion", id);
  }

  async delete(id: string): Promise<void> {
    await this.#database.transaction((transaction) => transaction.deleteFrom("pipelines_versions").where("id", "=", id).execute());
    this.#changes.tell("PipelineVersion", id);
  }
}
