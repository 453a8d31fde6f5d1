import { readdirSync, readFileSync } from "node:fs";

/** Whether a running container's root lies over the files of the image in `directory`. The kernel knows: it has them mounted. */
export function isRootInUse(directory: string): boolean {
  if (process.platform !== "linux") return false;
  const words = `lowerdir=${directory.replaceAll(/[\s\\]/gu, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`)},`;
  return readdirSync("/proc").some((pid) => /^\d+$/u.test(pid) && mountsOf(pid).includes(words));
}

function mountsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, "utf8");
  } catch {
    return ""; // It has just ended, or belongs to somebody whose mounts are not ours.
  }
}
