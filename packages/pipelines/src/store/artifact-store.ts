import { chunks, insertArtifacts, insertLinks } from "./change.ts";
import type { Page, PageQuery } from "./page.ts";
import { selectPage } from "./select-page.ts";
import type { ArtifactRow, ArtifactTaskRow, PipelinesDatabase } from "./tables.ts";

/** Records of artifacts. */
export class ArtifactStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  async find(id: string): Promise<ArtifactRow | undefined> {
    return this.#database.read.selectFrom("pipelines_artifacts").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** Those artifacts that are there, in no order. */
  async rows(ids: readonly string[]): Promise<ArtifactRow[]> {
    const found: ArtifactRow[] = [];
    for (const some of chunks([...new Set(ids)])) {
      found.push(
        ...(await this.#database.read
          .selectFrom("pipelines_artifacts")
          .selectAll()
          .where("id", "in", [...some])
          .execute()),
      );
    }
    return found;
  }

  /** The newest artifacts at an address. */
  async atUri(namespace: string, uri: string): Promise<ArtifactRow[]> {
    const rows = this.#database.read.selectFrom("pipelines_artifacts").selectAll().where("namespace", "=", namespace).where("uri", "=", uri);
    return rows.orderBy("created_at", "desc").execute();
  }

  list(query: PageQuery): Promise<Page<ArtifactRow>> {
    return selectPage<ArtifactRow>(this.#database, "pipelines_artifacts", query);
  }

  /** Stores artifacts, and which tasks gave them, all or nothing. */
  async create(artifacts: readonly ArtifactRow[], links: readonly ArtifactTaskRow[]): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await insertArtifacts(transaction, artifacts);
      await insertLinks(transaction, links);
    });
  }
}
