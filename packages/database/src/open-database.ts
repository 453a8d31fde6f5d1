import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Kysely } from "kysely";
import type { Database, Migration, TypedDatabase } from "./database.ts";
import { GroupCommit } from "./group-commit.ts";
import { CREATE_MIGRATIONS_TABLE, migrate, type MigrationTables } from "./migrate.ts";
import { SqliteConnection } from "./sqlite-connection.ts";
import { ReadDriver, SavepointDriver, sqliteDialect } from "./sqlite-dialect.ts";
import { openError } from "./storage-fault.ts";

const PAGE_BYTES = 4096;

/** Where a database is, and how large it may become. */
export interface DatabaseOptions {
  /** A file, made if there is none, or `:memory:` for one that nobody else sees and that ends with the object. */
  readonly path: string;
  /** Writes fail as on a full disk once the file would grow beyond. */
  readonly maxBytes?: number;
}

/**
 * Opens a SQLite database. Transactions have one connection, and reads another, which sees only what is committed. Throws
 * `UserError` if the file cannot be used.
 */
export async function openDatabase({ path, maxBytes }: DatabaseOptions): Promise<Database> {
  await using stack = new AsyncDisposableStack();
  const isTemporary = path === ":memory:";
  const file = isTemporary ? stack.adopt(await temporaryFile(), (name) => rm(dirname(name), { recursive: true, force: true })) : path;
  await mkdir(dirname(file), { recursive: true }).catch((error: unknown) => {
    throw openError(file, error);
  });
  const limit = maxBytes === undefined ? "" : `PRAGMA max_page_count = ${Math.ceil(maxBytes / PAGE_BYTES)};`;
  const durability = isTemporary ? "OFF" : "FULL";
  const setup = `PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability}; ${limit} ${CREATE_MIGRATIONS_TABLE}`;
  const writer = stack.adopt(new SqliteConnection(file, setup), (connection) => connection.close());
  const reader = stack.adopt(new SqliteConnection(file, "PRAGMA query_only = ON; SELECT 1 FROM sqlite_schema"), (connection) => connection.close());
  const commits = stack.adopt(new GroupCommit(writer), (group) => group.close());
  const reads = sqliteDialect(new ReadDriver(reader));
  const writes = sqliteDialect(new SavepointDriver(writer));

  const of = <Tables>(): TypedDatabase<Tables> => {
    const kysely = new Kysely<Tables>({ dialect: writes });
    return { read: new Kysely<Tables>({ dialect: reads }), transaction: (work) => commits.run(() => kysely.transaction().execute(work)) };
  };
  const own = of<MigrationTables>();
  const opened = stack.move();
  return {
    of,
    migrate: (owner: string, migrations: readonly Migration[]) => migrate(own, owner, migrations),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function temporaryFile(): Promise<string> {
  return join(await mkdtemp(join(tmpdir(), "sluice-database-")), "memory.db");
}
