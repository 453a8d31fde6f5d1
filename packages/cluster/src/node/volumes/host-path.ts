import { mkdirSync, statSync, writeFileSync, type Stats } from "node:fs";
import type { HostPathVolumeSource } from "@sluice/kubernetes";
import { ConfigError } from "../environment/config-error.ts";

const CHECKS: Readonly<Record<string, { readonly is: (stats: Stats) => boolean; readonly what: string }>> = {
  Directory: { is: (stats) => stats.isDirectory(), what: "a directory" },
  File: { is: (stats) => stats.isFile(), what: "a file" },
  Socket: { is: (stats) => stats.isSocket(), what: "a socket file" },
  CharDevice: { is: (stats) => stats.isCharacterDevice(), what: "a character device" },
  BlockDevice: { is: (stats) => stats.isBlockDevice(), what: "a block device" },
};

/** The path of a hostPath volume, made or checked as its type says. */
export function prepareHostPath({ path, type = "" }: HostPathVolumeSource): string {
  if (type === "DirectoryOrCreate") mkdirSync(path, { recursive: true, mode: 0o755 });
  if (type === "FileOrCreate" && statSync(path, { throwIfNoEntry: false }) === undefined) writeFileSync(path, "", { mode: 0o644 });
  const check = CHECKS[type.replace("OrCreate", "")];
  const stats = statSync(path, { throwIfNoEntry: false });
  if (check !== undefined && (stats === undefined || !check.is(stats)))
    throw new ConfigError(`hostPath type check failed: ${path} is not ${check.what}`);
  if (stats === undefined) throw new ConfigError(`hostPath ${path} does not exist on this machine`);
  return path;
}
