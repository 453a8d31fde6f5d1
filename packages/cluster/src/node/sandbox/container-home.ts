import { chmodSync, lstatSync, mkdirSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";

const TMP = "tmp";
const ROOT = "root";
const OPEN = 0o1777;

/** Makes the directory of a container's start with what is its `/tmp`, or takes one that nobody has touched. */
export function makeHome(home: string): void {
  mkdirSync(home, { recursive: true });
  const tmp = tmpOf(home);
  mkdirSync(tmp, { recursive: true });
  if ((lstatSync(tmp).mode & 0o7777) !== OPEN) chmodSync(tmp, OPEN);
}

/** The directory on this machine that is the container's `/tmp`. */
export function tmpOf(home: string): string {
  return join(home, TMP);
}

/** The directory on this machine that stands for the container's `/` where it has none of its own. */
export function rootOf(home: string): string {
  return join(home, ROOT);
}

/** Whether a container has left its directory as it was made. */
export function isUntouched(home: string): boolean {
  return readdirSync(home, { withFileTypes: true }).every(
    (entry) => entry.isDirectory() && (entry.name === TMP || entry.name === ROOT) && isPristine(join(home, entry.name), entry.name),
  );
}

/** Whether a file that a container may have changed belongs to whom it did, and may be written by nobody else. */
export function isPlainFile(path: string): boolean {
  const stats = lstatSync(path);
  return stats.isFile() && stats.nlink === 1 && isOurs(stats) && (stats.mode & 0o7733) === 0o600;
}

function isPristine(path: string, name: string): boolean {
  const stats = lstatSync(path);
  const { mode } = stats;
  return isOurs(stats) && (name === ROOT ? (mode & 0o7022) === 0 : (mode & 0o7777) === OPEN) && readdirSync(path).length === 0;
}

function isOurs({ uid, gid }: Stats): boolean {
  return uid === process.geteuid?.() && gid === process.getegid?.();
}
