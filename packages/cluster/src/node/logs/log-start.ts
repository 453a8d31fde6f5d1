import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { FILES } from "../runtime/supervisor.ts";
import { runProgram } from "../sandbox/run-program.ts";
import { lineStart } from "./line-start.ts";

const START = "log.start";

/** How much of a log is kept: when it has more than `most`, what is older than the last `least` bytes goes. */
export interface LogLimit {
  readonly most: number;
  readonly least: number;
}

const MEBIBYTE = 2 ** 20;
/** As much as the five files of 10 MiB that upstream keeps. */
export const LOG_LIMIT: LogLimit = { most: 50 * MEBIBYTE, least: 40 * MEBIBYTE };

/** Where begins what is left of the log of the attempt in `directory`. */
export function logStart(directory: string): number {
  try {
    return Number(readFileSync(join(directory, START), "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
    throw error;
  }
}

/**
 * Gives back the space of a log's oldest lines, if it has too many, and says where it begins now. Its writer appends to the one
 * file that it was given: so the file stays, with all its offsets, and only loses its beginning.
 */
export async function trimLog(directory: string, { most, least }: LogLimit): Promise<number> {
  const path = join(directory, FILES.log);
  const start = logStart(directory);
  const file = await open(path);
  let next: number;
  try {
    const { size } = await file.stat();
    if (size - start <= most) return start;
    const found = await lineStart(file, size - least, size);
    next = found < size ? found : size - least;
  } finally {
    await file.close();
  }
  // Readers look at this after each read, so that none takes the hole for what was written.
  writeFileSync(join(directory, `${START}.new`), String(next));
  renameSync(join(directory, `${START}.new`), join(directory, START));
  // Where the file system or the machine cannot do it, the space is given back with the pod.
  await runProgram(["fallocate", "--punch-hole", "--offset", "0", "--length", String(next), path]);
  return next;
}
