import type { Kysely, Transaction } from "kysely";

/** One step of a component's schema. Steps run once, in order, each in its own transaction. */
export interface Migration {
  /** Sorts after all earlier ones, e.g. `001-runs`. */
  readonly name: string;
  up(database: Kysely<never>): Promise<void>;
}

/** SQL in typed tables: SQLite in the embedded home, PostgreSQL in the cluster home. */
export interface Database extends AsyncDisposable {
  /** The database as the owner of `Tables` sees it. */
  of<Tables>(): TypedDatabase<Tables>;
  /** Brings the part of the database that `owner` keeps up to date. Throws `UserError` if a newer program has written it. */
  migrate(owner: string, migrations: readonly Migration[]): Promise<void>;
}

/** One owner's tables. */
export interface TypedDatabase<Tables> {
  /** For reading what is committed. */
  readonly read: Kysely<Tables>;
  /**
   * Runs `work` in a transaction and resolves once it is on disk. Transactions run one after the other: `work` waits for
   * nothing but its own queries, least of all for another transaction. Those asked for at the same time share one commit;
   * one that throws is undone alone. A disk that fails is an `ApiError`, and then nothing is stored.
   */
  transaction<R>(work: (transaction: Transaction<Tables>) => Promise<R>): Promise<R>;
}
