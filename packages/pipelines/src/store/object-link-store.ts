import type { ObjectKey } from "@sluice/kubernetes";
import type { ObjectLinkRow, PipelinesDatabase } from "./tables.ts";

type Kind = ObjectLinkRow["kind"];

const TABLES = { Pipeline: "pipelines_pipelines", PipelineVersion: "pipelines_versions", RecurringRun: "pipelines_recurring_runs" } as const;

/** Which Kubernetes object shows which row. */
export class ObjectLinkStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  /** The link of the object at `key`. */
  async at(kind: Kind, { namespace = "", name }: ObjectKey): Promise<ObjectLinkRow | undefined> {
    const query = this.#database.read.selectFrom("pipelines_objects").selectAll().where("kind", "=", kind);
    return query.where("namespace", "=", namespace).where("name", "=", name).executeTakeFirst();
  }

  /** The link of a row. */
  async ofRow(kind: Kind, rowId: string): Promise<ObjectLinkRow | undefined> {
    return this.#database.read.selectFrom("pipelines_objects").selectAll().where("kind", "=", kind).where("row_id", "=", rowId).executeTakeFirst();
  }

  /** The names of all objects of a kind that there are, or should be. */
  async keys(kind: Kind): Promise<ObjectKey[]> {
    return this.#database.read.selectFrom("pipelines_objects").select(["namespace", "name"]).where("kind", "=", kind).execute();
  }

  /** The ids of rows that have no link. */
  async unlinked(kind: Kind): Promise<string[]> {
    const rows = await this.#database.read
      .selectFrom(TABLES[kind])
      .select("id")
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom("pipelines_objects").select("row_id").where("kind", "=", kind).whereRef("row_id", "=", `${TABLES[kind]}.id`))),
      )
      .execute();
    return rows.map(({ id }) => id);
  }

  /** Gives a row's object the first of `names` that is free, unless it has one. */
  async reserve(link: Omit<ObjectLinkRow, "name">, names: readonly string[]): Promise<ObjectLinkRow | undefined> {
    return this.#database.transaction(async (transaction) => {
      const links = transaction.selectFrom("pipelines_objects").selectAll().where("kind", "=", link.kind);
      const known = await links.where("row_id", "=", link.row_id).executeTakeFirst();
      if (known !== undefined) return known;
      for (const name of names) {
        const isTaken = await links.where("namespace", "=", link.namespace).where("name", "=", name).executeTakeFirst();
        if (isTaken !== undefined) continue;
        await transaction
          .insertInto("pipelines_objects")
          .values({ ...link, name })
          .execute();
        return { ...link, name };
      }
      return undefined;
    });
  }

  /** Notes what object a row is shown by, and what both agree on. */
  async settle({ kind, row_id: rowId }: Pick<ObjectLinkRow, "kind" | "row_id">, change: Partial<Pick<ObjectLinkRow, "uid" | "base">>): Promise<void> {
    await this.#database.transaction((transaction) =>
      transaction.updateTable("pipelines_objects").set(change).where("kind", "=", kind).where("row_id", "=", rowId).execute(),
    );
  }

  async remove({ kind, row_id: rowId }: Pick<ObjectLinkRow, "kind" | "row_id">): Promise<void> {
    await this.#database.transaction((transaction) =>
      transaction.deleteFrom("pipelines_objects").where("kind", "=", kind).where("row_id", "=", rowId).execute(),
    );
  }

  /** Forgets the objects of every cluster but this one: what they show is to be shown here anew. */
  async moveTo(cluster: string): Promise<void> {
    await this.#database.transaction((transaction) => transaction.deleteFrom("pipelines_objects").where("cluster", "<>", cluster).execute());
  }
}
