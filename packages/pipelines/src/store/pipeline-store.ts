import { ApiError } from "@sluice/kubernetes";
import type { Changes } from "./changes.ts";
import { insertNamed } from "./insert-named.ts";
import type { Page, PageQuery } from "./page.ts";
import { selectPage } from "./select-page.ts";
import type { PipelineRow, PipelinesDatabase, PipelinesTransaction, VersionRow } from "./tables.ts";

/** Pipelines: names over versions. */
export class PipelineStore {
  readonly #database: PipelinesDatabase;
  readonly #changes: Changes;

  constructor(database: PipelinesDatabase, changes: Changes) {
    this.#database = database;
    this.#changes = changes;
  }

  /** Stores a pipeline, and its first version with it. */
  async create(row: PipelineRow, version?: VersionRow): Promise<void> {
    const insert = async (transaction: PipelinesTransaction): Promise<void> => {
      await transaction.insertInto("pipelines_pipelines").values(row).execute();
      if (version !== undefined) await transaction.insertInto("pipelines_versions").values(version).execute();
    };
    await insertNamed(this.#database, "pipeline", row.name, insert, async (t) => {
      const { namespace, name } = row;
      return (
        (await t.selectFrom("pipelines_pipelines").select("id").where("namespace", "=", namespace).where("name", "=", name).executeTakeFirst()) !==
        undefined
      );
    });
    this.#changes.tell("Pipeline", row.id);
    if (version !== undefined) this.#changes.tell("PipelineVersion", version.id);
  }

  async find(id: string): Promise<PipelineRow | undefined> {
    return this.#database.read.selectFrom("pipelines_pipelines").selectAll().where("id", "=", id).executeTakeFirst();
  }

  async findByName(namespace: string, name: string): Promise<PipelineRow | undefined> {
    return this.#database.read
      .selectFrom("pipelines_pipelines")
      .selectAll()
      .where("namespace", "=", namespace)
      .where("name", "=", name)
      .executeTakeFirst();
  }

  list(query: PageQuery): Promise<Page<PipelineRow>> {
    return selectPage<PipelineRow>(this.#database, "pipelines_pipelines", query);
  }

  async update(id: string, change: Partial<Pick<PipelineRow, "display_name" | "description" | "tags">>): Promise<void> {
    if (Object.keys(change).length === 0) return;
    await this.#database.transaction((transaction) => transaction.updateTable("pipelines_pipelines").set(change).where("id", "=", id).execute());
    this.#changes.tell("Pipeline", id);
  }

  /** Deletes a pipeline. One with versions is refused, unless they go too. */
  async delete(id: string, { cascade }: { readonly cascade: boolean }): Promise<void> {
    const versions = await this.#database.transaction(async (transaction) => {
      const deleted = cascade ? await transaction.deleteFrom("pipelines_versions").where("pipeline_id", "=", id).returning("id").execute() : [];
      if ((await transaction.selectFrom("pipelines_versions").select("id").where("pipeline_id", "=", id).executeTakeFirst()) !== undefined) {
        throw new ApiError("BadRequest", `pipeline ${id} has versions: delete them first, or delete it with cascade=true`);
      }
      await transaction.deleteFrom("pipelines_pipelines").where("id", "=", id).execute();
      return deleted;
    });
    this.#changes.tell("Pipeline", id);
    for (const version of versions) this.#changes.tell("PipelineVersion", version.id);
  }
}
