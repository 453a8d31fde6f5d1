import { ApiError, UserError } from "@sluice/kubernetes";

interface Fault {
  readonly what: string;
  readonly fix: string;
  /** The HTTP code of a request that met with it. */
  readonly code: number;
}

const RESTORE = "restore the file from a backup, or move it away to start with an empty one";

/** What the file system may do to a database, by SQLite's primary result code. */
const FAULTS: Readonly<Record<number, Fault>> = {
  3: { what: "its permissions do not let it be used", fix: "give this user access to the file and its directory", code: 500 },
  5: { what: "another process is writing to it", fix: "stop that process", code: 503 },
  8: { what: "it is read-only", fix: "give this user write access to the file and its directory", code: 500 },
  10: { what: "the disk failed", fix: "look at the system's log for errors of the disk", code: 500 },
  11: { what: "it is damaged", fix: RESTORE, code: 500 },
  13: { what: "the disk is full", fix: "free some space", code: 507 },
  14: { what: "it cannot be opened", fix: "check that the directory exists and that this user may write to it", code: 500 },
  26: { what: "it is not a database", fix: RESTORE, code: 500 },
};

function faultOf(error: unknown): Fault | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return FAULTS[Number(error.errcode) & 0xff];
}

/** The error of opening a database: whoever started the program must do something about it. */
export function openError(path: string, cause: unknown): unknown {
  if (cause instanceof Error && "syscall" in cause) {
    return new UserError(`cannot open the database ${path}: ${cause.message}`, { fix: "check the path, its permissions and its free space", cause });
  }
  const fault = faultOf(cause);
  return fault === undefined ? cause : new UserError(`cannot open the database ${path}: ${fault.what}`, { fix: fault.fix, cause });
}

/** The error of a statement: what happened to the file is an `ApiError`, all else stays what it is. */
export function statementError(path: string, cause: unknown): unknown {
  const fault = faultOf(cause);
  if (fault === undefined) return cause;
  const message = `the database ${path} failed: ${fault.what}; nothing of this change was stored. To go on, ${fault.fix}`;
  return new ApiError("InternalError", message, { code: fault.code, cause });
}
