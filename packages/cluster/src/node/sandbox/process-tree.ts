import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Every process of this machine and its parent. */
export type ProcessTable = ReadonlyMap<number, number>;

/** Reads the process table. */
export function readProcessTable(): ProcessTable {
  if (process.platform === "linux") return new Map(linuxPids().flatMap((pid) => parentOf(pid)));
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  return new Map(stdout.split("\n").flatMap((line) => pairOf(line.trim().split(/\s+/u).map(Number))));
}

/** The children of `pid`, oldest first as long as PIDs have not wrapped. */
export function childrenOf(table: ProcessTable, pid: number): readonly number[] {
  return [...table]
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child)
    .sort((a, b) => a - b);
}

/** `pid`'s children, their children, and so on. */
export function descendantsOf(table: ProcessTable, pid: number): readonly number[] {
  return childrenOf(table, pid).flatMap((child) => [child, ...descendantsOf(table, child)]);
}

/** The PID that a process has in its innermost namespace. */
export function innerPidOf(pid: number): number | undefined {
  const line = /^NSpid:(.*)$/mu.exec(readProc(pid, "status"))?.[1];
  return line === undefined ? undefined : Number(line.trim().split(/\s+/u).at(-1));
}

/** The processes, of all or of those given, whose environment holds the variable `name` with `value`. Linux only; empty elsewhere. */
export function processesWith(name: string, value: string, pids?: readonly number[]): readonly number[] {
  if (process.platform !== "linux") return [];
  const wanted = `\0${name}=${value}\0`;
  return (pids ?? linuxPids()).filter((pid) => `\0${readProc(pid, "environ")}`.includes(wanted));
}

/** Signals a process; false if there is none. */
export function signalProcess(pid: number, signal: NodeJS.Signals | number): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

/**
 * Kills a process and all below it, with the groups that they lead, of which nobody escapes by forking meanwhile. From the
 * top: a process that sees its children die may end in its own way.
 */
export function killTree(pid: number): void {
  for (const one of [pid, ...descendantsOf(readProcessTable(), pid)]) {
    signalProcess(-one, "SIGKILL");
    signalProcess(one, "SIGKILL");
  }
}

/** Whether there is such a process. */
export function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

/** The program file that a process runs; empty where it has gone. */
export function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}

function linuxPids(): readonly number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

function parentOf(pid: number): readonly (readonly [number, number])[] {
  const stat = readProc(pid, "stat");
  // The second field is the program's name in parentheses and may hold anything.
  return pairOf([pid, Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])]);
}

function pairOf([pid, parent]: readonly number[]): readonly (readonly [number, number])[] {
  return pid === undefined || parent === undefined || Number.isNaN(pid) || Number.isNaN(parent) ? [] : [[pid, parent]];
}

/** Empty where the process has gone or belongs to somebody else. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
