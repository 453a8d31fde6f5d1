import { UserError } from "@sluice/kubernetes";
import type { Migration, TypedDatabase } from "./database.ts";

/** The steps that a database has gone through. */
export interface MigrationTables {
  database_migrations: { owner: string; name: string };
}

/** Makes the table of applied steps, if there is none. */
export const CREATE_MIGRATIONS_TABLE: string =
  "CREATE TABLE IF NOT EXISTS database_migrations (owner TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (owner, name)) WITHOUT ROWID";

/** Runs those of `owner`'s steps that the database has not gone through. Throws `UserError` if a newer program has been at it. */
export async function migrate(database: TypedDatabase<MigrationTables>, owner: string, migrations: readonly Migration[]): Promise<void> {
  const names = migrations.map(({ name }) => name);
  if (names.some((name, index) => index > 0 && name <= (names[index - 1] ?? ""))) {
    throw new Error(`the migrations of ${owner} are out of order: ${names.join(", ")}`);
  }
  const rows = await database.read.selectFrom("database_migrations").select("name").where("owner", "=", owner).orderBy("name").execute();
  const applied = rows.map(({ name }) => name);
  const unknown = applied.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new UserError(
      `the database was written by a newer version of this program: it has step ${unknown} of ${owner}, which this version does not know`,
      {
        fix: "run that version or a later one, or restore a backup from before it",
      },
    );
  }
  for (const [index, { name, up }] of migrations.entries()) {
    if (index < applied.length) {
      if (applied[index] !== name) throw new Error(`migration ${name} of ${owner} comes before ${applied[index]}, which has been applied`);
      continue;
    }
    await database.transaction(async (transaction) => {
      await up(transaction.$extendTables<never>());
      await transaction.insertInto("database_migrations").values({ owner, name }).execute();
    });
  }
}
