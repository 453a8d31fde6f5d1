import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { ConfigError } from "../environment/config-error.ts";

/** One file of a payload. */
export interface PayloadFile {
  readonly content: Buffer;
  readonly mode: number;
}

/** Files by path, relative to the volume. */
export type Payload = ReadonlyMap<string, PayloadFile>;

const DATA = "..data";

/**
 * Makes a volume hold exactly these files. A reader sees all old or all new ones: names link through `..data` to a
 * directory that is never changed, and one rename moves that link. An unchanged payload changes nothing.
 */
export function writePayload(directory: string, payload: Payload): void {
  mkdirSync(directory, { recursive: true });
  for (const path of payload.keys()) checkPath(path);
  const old = currentTarget(directory);
  if (old === undefined || !isSame(join(directory, old), payload)) {
    const fresh = mkdtempSync(join(directory, "..version-"));
    chmodSync(fresh, 0o755);
    for (const [path, { content, mode }] of payload) {
      mkdirSync(dirname(join(fresh, path)), { recursive: true });
      writeFileSync(join(fresh, path), content);
      chmodSync(join(fresh, path), mode);
    }
    replaceLink(join(directory, DATA), fresh.slice(directory.length + 1));
    if (old !== undefined) rmSync(join(directory, old), { recursive: true, force: true });
  }
  const names = new Set([...payload.keys()].map((path) => path.split("/")[0] ?? path));
  for (const name of names) {
    if (lstatSync(join(directory, name), { throwIfNoEntry: false }) === undefined) symlinkSync(join(DATA, name), join(directory, name));
  }
  for (const name of readdirSync(directory)) if (!name.startsWith("..") && !names.has(name)) rmSync(join(directory, name));
}

function checkPath(path: string): void {
  const parts = normalize(path).split(sep);
  if (path === "" || path.startsWith("/") || parts.includes("..") || path.startsWith(".."))
    throw new ConfigError(`path ${JSON.stringify(path)} must lie in its volume`);
}

function currentTarget(directory: string): string | undefined {
  return lstatSync(join(directory, DATA), { throwIfNoEntry: false }) === undefined ? undefined : readlinkSync(join(directory, DATA));
}

function replaceLink(path: string, target: string): void {
  const temporary = `${path}_tmp`;
  rmSync(temporary, { force: true });
  symlinkSync(target, temporary);
  renameSync(temporary, path);
}

function isSame(directory: string, payload: Payload): boolean {
  const present = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  if (present.length !== payload.size) return false;
  for (const entry of present) {
    const path = join(entry.parentPath, entry.name);
    const wanted = payload.get(path.slice(directory.length + 1));
    if (wanted === undefined || (statSync(path).mode & 0o777) !== wanted.mode || !readFileSync(path).equals(wanted.content)) return false;
  }
  return true;
}
