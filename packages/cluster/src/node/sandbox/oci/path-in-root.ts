import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { join } from "node:path";

/** As the kernel: more links than these lead nowhere. */
const MAX_LINKS = 40;

/**
 * Where on this machine lies what a process whose root is `root` finds at `path`: links are followed, and none leads out.
 * What does not exist lies where it would be made. Undefined where links lead in circles.
 */
export function pathInRoot(root: string, path: string): string | undefined {
  const left = path.split("/").reverse();
  const found: string[] = [];
  let links = 0;
  while (left.length > 0) {
    const name = left.pop() ?? "";
    if (name === "" || name === ".") continue;
    if (name === "..") {
      found.pop();
      continue;
    }
    const here = join(root, ...found, name);
    if (statsAt(here)?.isSymbolicLink() !== true) {
      found.push(name);
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    const target = readlinkSync(here);
    if (target.startsWith("/")) found.length = 0;
    left.push(...target.split("/").reverse());
  }
  return join(root, ...found);
}

/** What lies at a path itself, be it a link; undefined where nothing does. */
export function statsAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // Something above it is no directory.
    if (error instanceof Error && "code" in error && error.code === "ENOTDIR") return undefined;
    throw error;
  }
}
