import type { Page, PageQuery } from "./page.ts";
import { selectPage } from "./select-page.ts";
import type { ArtifactRow, PipelinesDatabase } from "./tables.ts";

/** Records of artifacts. */
export class ArtifactStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  async find(id: string): Promise<ArtifactRow | undefined> {
    return this.#database.read.selectFrom("pipelines_artifacts").selectAll().where("id", "=", id).executeTakeFirst();
  }

  list(query: PageQuery): Promise<Page<ArtifactRow>> {
    return selectPage<ArtifactRow>(this.#database, "pipelines_artifacts", query);
  }
}
