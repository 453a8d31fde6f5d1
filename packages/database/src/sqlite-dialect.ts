import { ApiError } from "@sluice/kubernetes";
import {
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from "kysely";
import type { SqliteConnection } from "./sqlite-connection.ts";

/** Kysely on one connection that somebody else owns. */
export function sqliteDialect(driver: Driver): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => driver,
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** For statements that stand alone. */
export class ReadDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(sqlite: SqliteConnection) {
    this.#connection = connectionOver((query) => {
      if (!sqlite.isOpen) throw closedError();
      return sqlite.execute(query);
    });
  }

  init(): Promise<void> {
    return Promise.resolve();
  }

  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(this.#connection);
  }

  beginTransaction(): Promise<void> {
    return Promise.reject(new Error("this is for reading: use transaction() of the database"));
  }

  commitTransaction(): Promise<void> {
    return Promise.resolve();
  }

  rollbackTransaction(): Promise<void> {
    return Promise.resolve();
  }

  releaseConnection(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    return Promise.resolve();
  }
}

/** For transactions within a larger one: each is a savepoint, and what it forgot to wait for is refused once it has ended. */
export class SavepointDriver implements Driver {
  readonly #sqlite: SqliteConnection;
  readonly #open = new WeakSet<DatabaseConnection>();

  constructor(sqlite: SqliteConnection) {
    this.#sqlite = sqlite;
  }

  init(): Promise<void> {
    return Promise.resolve();
  }

  acquireConnection(): Promise<DatabaseConnection> {
    const connection: DatabaseConnection = connectionOver((query) => {
      if (!this.#open.has(connection)) throw new Error("the transaction has ended: a query was not waited for");
      // After some errors SQLite has undone everything; alone, the statement would commit itself.
      if (!this.#sqlite.isTransaction) throw undoneError();
      return this.#sqlite.execute(query);
    });
    return Promise.resolve(connection);
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    this.#sqlite.run("SAVEPOINT work");
    this.#open.add(connection);
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    this.#open.delete(connection);
    if (!this.#sqlite.isTransaction) throw undoneError();
    this.#sqlite.run("RELEASE work");
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    this.#open.delete(connection);
    if (!this.#sqlite.isTransaction) return;
    this.#sqlite.run("ROLLBACK TO work");
    this.#sqlite.run("RELEASE work");
  }

  releaseConnection(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    return Promise.resolve();
  }
}

function connectionOver(execute: <R>(query: CompiledQuery) => QueryResult<R>): DatabaseConnection {
  return {
    executeQuery: async <R>(query: CompiledQuery) => execute<R>(query),
    streamQuery: async function* <R>(query: CompiledQuery) {
      yield execute<R>(query);
    },
  };
}

/** Refusal of whatever comes after the end. */
export function closedError(): ApiError {
  return new ApiError("ServiceUnavailable", "the database is closed: the program is stopping");
}

function undoneError(): ApiError {
  return new ApiError("InternalError", "the transaction was undone by an earlier error of the database; nothing of it was stored");
}
