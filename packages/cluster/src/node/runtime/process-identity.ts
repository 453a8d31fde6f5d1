import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * Whether the process that wrote `record` about itself still runs. On Linux a record is its `/proc/self/stat`, whose start
 * time tells it from a later process with the same PID; elsewhere it is the PID, and the command line must name `mark`.
 */
export function isSameProcess(record: string, mark: string): boolean {
  const pid = pidOf(record);
  const startTime = startTimeOf(record);
  if (startTime === undefined) return commandOf(pid).includes(mark);
  const stat = readStat(pid);
  return stat !== undefined && startTimeOf(stat) === startTime && !isZombie(stat);
}

/** The PID in a record. */
export function pidOf(record: string): number {
  return Number.parseInt(record, 10);
}

let boot: string | undefined;

/** Tells one boot of the machine from the next, where the system says so. */
export function bootId(): string {
  return (boot ??= readBootId());
}

function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown"; // Not Linux.
  }
}

function readStat(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // It is gone.
  }
}

/** The fields after the command's name, which may hold anything, spaces and brackets too. */
function fieldsOf(stat: string): readonly string[] {
  return stat
    .slice(stat.lastIndexOf(")") + 1)
    .trim()
    .split(" ");
}

function startTimeOf(stat: string): string | undefined {
  return stat.includes(")") ? fieldsOf(stat)[19] : undefined;
}

function isZombie(stat: string): boolean {
  return fieldsOf(stat)[0] === "Z";
}

function commandOf(pid: number): string {
  try {
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return ""; // ps fails for a PID that nobody has.
  }
}
