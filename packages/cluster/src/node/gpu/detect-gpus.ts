import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

/** How many GPUs of NVIDIA this machine has; `path` is where its programs are. */
export function detectGpus(path: string): number {
  const devices = existsSync("/dev") ? readdirSync("/dev").filter((name) => /^nvidia\d+$/u.test(name)).length : 0;
  if (devices > 0) return devices;
  const tool = path
    .split(delimiter)
    .map((directory) => join(directory, "nvidia-smi"))
    .find((file) => existsSync(file));
  if (tool === undefined) return 0;
  try {
    return execFileSync(tool, ["-L"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 5000 }).match(/^GPU \d+:/gmu)?.length ?? 0;
  } catch {
    return 0; // The tool without a device or a driver: there is nothing to use.
  }
}
