import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";

/** Why a file cannot be opened, and what to do about it. Not yet a `UserError`: the thread that opens it loads nothing else. */
export class LogError extends Error {
  override readonly name = "LogError";
  readonly fix: string;

  constructor(message: string, options: { readonly fix: string; readonly cause: unknown }) {
    super(message, { cause: options.cause });
    this.fix = options.fix;
  }
}

/** One object as the disk has it; without `json` it is to be removed. */
export interface Row {
  readonly key: string;
  readonly revision: number;
  readonly json?: string | undefined;
}

/** Holds a few objects, and most of them whole. */
const PAGE_BYTES = 8192;
/** How long the write-ahead log grows before its pages move into the file, which costs a pause: 32 MB. */
const CHECKPOINT_PAGES = 4096;
const SQLITE_BUSY = 5;

/**
 * The durable half of the store: one SQLite file, locked for as long as it is open. The lock is SQLite's own, which
 * the kernel releases however the process ends; the file `<path>.pid` only names the holder.
 */
export class Log {
  readonly #database: DatabaseSync;
  readonly #pidFile: string | undefined;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #setRevision: StatementSync;

  constructor(path: string, maxBytes?: number) {
    this.#pidFile = path === ":memory:" ? undefined : `${path}.pid`;
    this.#database = open(path, this.#pidFile, maxBytes);
    this.#put = this.#database.prepare(
      "INSERT INTO objects (key, revision, json) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, json = excluded.json",
    );
    this.#remove = this.#database.prepare("DELETE FROM objects WHERE key = ?");
    this.#setRevision = this.#database.prepare("UPDATE meta SET value = ? WHERE key = 'revision'");
  }

  /** The last committed revision. */
  get revision(): number {
    return Number(this.#database.prepare("SELECT value FROM meta WHERE key = 'revision'").get()?.["value"]);
  }

  /** All objects, in key order. */
  *rows(): Generator<{ key: string; json: string }> {
    for (const row of this.#database.prepare("SELECT key, json FROM objects ORDER BY key").iterate()) {
      yield { key: String(row["key"]), json: String(row["json"]) };
    }
  }

  /** Makes `rows` and the revision durable, all or nothing. */
  commit(rows: Iterable<Row>, revision: number): void {
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      for (const row of rows) {
        if (row.json === undefined) this.#remove.run(row.key);
        else this.#put.run(row.key, row.revision, row.json);
      }
      this.#setRevision.run(revision);
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /** Closes the file and releases the lock. */
  close(): void {
    if (this.#pidFile !== undefined) rmSync(this.#pidFile, { force: true });
    this.#database.close();
  }
}

function open(path: string, pidFile: string | undefined, maxBytes: number | undefined): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (pidFile !== undefined) mkdirSync(dirname(path), { recursive: true });
    database = new DatabaseSync(path);
    database.exec(`
      PRAGMA page_size = ${PAGE_BYTES};
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
      BEGIN IMMEDIATE;
      -- By row number, so that new objects fill page after page; sorted by key each would touch a page of its own.
      CREATE TABLE IF NOT EXISTS objects (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, json TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      INSERT OR IGNORE INTO meta VALUES ('revision', 1);
      COMMIT;`);
    if (maxBytes !== undefined) database.exec(`PRAGMA max_page_count = ${Math.ceil(maxBytes / PAGE_BYTES)}`);
    if (pidFile !== undefined) writeFileSync(pidFile, `${process.pid}\n`);
    return database;
  } catch (cause) {
    database?.close();
    throw isBusy(cause) ? heldError(path, cause) : openError(path, cause);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;
}

function heldError(path: string, cause: unknown): LogError {
  let pid = "";
  try {
    pid = readFileSync(`${path}.pid`, "utf8").trim();
  } catch {
    // The holder has not written its name yet, or is just leaving.
  }
  if (pid === "")
    return new LogError(`${path} is in use by another process`, {
      fix: "Stop that process, or choose another directory.",
      cause,
    });
  return new LogError(`${path} is in use by process ${pid}`, {
    fix: `Stop it (kill ${pid}), or choose another directory.`,
    cause,
  });
}

function openError(path: string, cause: unknown): LogError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LogError(`cannot open ${path}: ${reason}`, {
    fix: "Check that the path is writable and holds a Sluice store.",
    cause,
  });
}
