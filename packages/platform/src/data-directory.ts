import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { UserError } from "@sluice/kubernetes";

/** What a running platform leaves in its data directory for `down`, `status` and `kubeconfig`. */
export interface Running {
  readonly pid: number;
  readonly version: string;
  /** Absent while it starts. */
  readonly url?: string;
  readonly apiUrl?: string;
  readonly kubeconfig?: string;
}

/** A data directory that nobody else uses. Disposing of it gives it free. */
export interface DataDirectory extends AsyncDisposable {
  readonly path: string;
  /** Says more about the process that holds it. */
  describe(running: Running): Promise<void>;
}

/**
 * Claims a data directory, creating it for this user alone. The claim is SQLite's lock on a file, which the operating
 * system takes back however the process ends.
 */
export async function claimDataDirectory(path: string, running: Running): Promise<DataDirectory> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
  } catch (cause) {
    throw new UserError(`cannot use the data directory ${path}: ${messageOf(cause)}`, { fix: "choose another one with --data-dir", cause });
  }
  const lock = await tryLock(path);
  if (lock === undefined) {
    const holder = await readRunning(path);
    const process = holder === undefined ? "another process" : `process ${holder.pid}`;
    throw new UserError(`${path} is in use by ${process}`, { fix: "stop that one with `sluice down`, or choose another directory with --data-dir" });
  }
  const describe = async (facts: Running): Promise<void> => {
    const file = join(path, "running.json");
    await writeFile(`${file}.new`, `${JSON.stringify(facts, undefined, 2)}\n`, { mode: 0o600 });
    await rename(`${file}.new`, file);
  };
  try {
    await describe(running);
  } catch (cause) {
    lock.close();
    throw new UserError(`cannot write to ${path}: ${messageOf(cause)}`, {
      fix: "free some space, or choose another directory with --data-dir",
      cause,
    });
  }
  return {
    path,
    describe,
    async [Symbol.asyncDispose]() {
      await rm(join(path, "running.json"), { force: true });
      lock.close();
    },
  };
}

/** The platform that runs on a data directory, if one does. */
export async function findRunning(path: string): Promise<Running | undefined> {
  const running = await readRunning(path);
  if (running === undefined) return undefined;
  const lock = await tryLock(path);
  lock?.close();
  return lock === undefined ? running : undefined;
}

async function readRunning(path: string): Promise<Running | undefined> {
  try {
    return JSON.parse(await readFile(join(path, "running.json"), "utf8")) as Running;
  } catch {
    return undefined; // Nobody has run here, or somebody is just about to say who they are.
  }
}

/** Holds the lock until it is closed; `undefined` if another process does. */
async function tryLock(path: string): Promise<DatabaseSync | undefined> {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(path, "lock.db"));
    // Long enough for a `sluice status` that looks at the same moment.
    database.exec("PRAGMA busy_timeout = 200; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT");
    return database;
  } catch (cause) {
    database?.close();
    if (cause instanceof Error && "errcode" in cause && cause.errcode === 5) return undefined; // SQLITE_BUSY
    throw new UserError(`cannot lock ${path}: ${messageOf(cause)}`, { fix: "look at the directory's permissions and free space", cause });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
