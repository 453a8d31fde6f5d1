import { readFileSync, statfsSync } from "node:fs";
import { arch, availableParallelism, freemem, platform, release, totalmem } from "node:os";
import { bootId } from "./runtime/process-identity.ts";

/** What a node tells of the machine that it is on. */
export interface Machine {
  readonly cores: number;
  readonly memoryBytes: number;
  readonly freeMemoryBytes: number;
  readonly diskBytes: number;
  readonly freeDiskBytes: number;
  readonly os: string;
  /** In Go's words: amd64, arm64. */
  readonly architecture: string;
  readonly kernel: string;
  readonly osImage: string;
  readonly machineId: string;
  readonly bootId: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };

/** The machine that images must be for: Linux, for nothing else runs containers. */
export function imagePlatform(): { readonly os: string; readonly architecture: string } {
  return { os: "linux", architecture: ARCHITECTURES[arch()] ?? arch() };
}

/** Looks at this machine; the disk is the one that holds `directory`. */
export function inspectMachine(directory: string): Machine {
  const disk = statfsSync(directory);
  return {
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
    diskBytes: disk.blocks * disk.bsize,
    freeDiskBytes: disk.bavail * disk.bsize,
    os: platform(),
    architecture: ARCHITECTURES[arch()] ?? arch(),
    kernel: release(),
    osImage: /^PRETTY_NAME="?([^"\n]+)/m.exec(read("/etc/os-release"))?.[1] ?? platform(),
    machineId: read("/etc/machine-id").trim(),
    bootId: bootId(),
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // Systems other than Linux have no such files.
  }
}
