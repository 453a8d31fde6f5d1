import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { CompiledQuery, QueryResult } from "kysely";
import { openError, statementError } from "./storage-fault.ts";

/** How many statements stay prepared. */
const CACHED_STATEMENTS = 500;
const BUSY_TIMEOUT_MS = 2000;

interface Prepared {
  readonly statement: StatementSync;
  readonly returnsRows: boolean;
}

/** One connection to a SQLite file. Every statement runs to its end at once, so that no cursor ever holds up a commit. */
export class SqliteConnection {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();

  /** Opens the file and runs `setup`. Throws `UserError` if the file does not let itself be used. */
  constructor(path: string, setup: string) {
    this.#path = path;
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
      database.exec(setup);
    } catch (error) {
      database?.close();
      throw openError(path, error);
    }
    this.#database = database;
  }

  get isOpen(): boolean {
    return this.#database.isOpen;
  }

  get isTransaction(): boolean {
    return this.#database.isOpen && this.#database.isTransaction;
  }

  /** Runs a statement that neither takes nor gives anything. */
  run(sql: string): void {
    try {
      this.#prepare(sql).statement.run();
    } catch (error) {
      throw statementError(this.#path, error);
    }
  }

  execute<R>({ sql, parameters }: CompiledQuery): QueryResult<R> {
    try {
      const { statement, returnsRows } = this.#prepare(sql);
      const values = parameters.map(inputValueOf);
      if (returnsRows) return { rows: statement.all(...values) as R[] };
      const { changes, lastInsertRowid } = statement.run(...values);
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
    } catch (error) {
      throw statementError(this.#path, error);
    }
  }

  close(): void {
    this.#prepared.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #prepare(sql: string): Prepared {
    let prepared = this.#prepared.get(sql);
    if (prepared === undefined) {
      const statement = this.#database.prepare(sql);
      prepared = { statement, returnsRows: statement.columns().length > 0 };
    }
    // The map's order is that of last use.
    this.#prepared.delete(sql);
    this.#prepared.set(sql, prepared);
    if (this.#prepared.size > CACHED_STATEMENTS) {
      for (const oldest of this.#prepared.keys()) {
        this.#prepared.delete(oldest);
        break;
      }
    }
    return prepared;
  }
}

/** SQLite knows no booleans. */
function inputValueOf(value: unknown): SQLInputValue {
  return typeof value === "boolean" ? Number(value) : (value as SQLInputValue);
}
