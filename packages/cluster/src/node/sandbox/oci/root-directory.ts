import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "../run-program.ts";

/** How a container gets a root directory of its own from its image's files. */
export type RootMethod =
  /** The container's own layer over them, mounted where nobody else sees it. */
  | "overlay"
  /** A copy of them. */
  | "copy";

/** A container's root directory, which is there only where `enter` has led. */
export interface RootDirectory {
  readonly path: string;
  /** Makes it and runs the command that follows, which finds itself in a mount namespace of its own if it is mounted. */
  readonly enter: readonly string[];
}

/** Paths that overlayfs takes as they are, among its options. */
const PLAIN = /^[^,:\\"]+$/u;
const OVERLAY_SCRIPT = `mount -t overlay overlay -o "$1" "$2" >&2 || exit 126; shift 2; exec "$@"`;
const COPY_SCRIPT = `cp -a --reflink=auto "$1/." "$2" >&2 || exit 126; shift 2; exec "$@"`;

/** Prepares a container's root directory in `home`, which holds nothing of an earlier start. */
export function rootDirectory(image: string, home: string, method: RootMethod): RootDirectory {
  const path = join(home, "root");
  mkdirSync(path, { recursive: true });
  if (method === "copy" || !PLAIN.test(image) || !PLAIN.test(home)) return { path, enter: ["/bin/sh", "-c", COPY_SCRIPT, "sh", image, path] };
  const [upper, work] = [join(home, "upper"), join(home, "work")];
  mkdirSync(upper);
  // The upper directory's mode is that of the container's root.
  chmodSync(upper, 0o755);
  mkdirSync(work);
  const options = `lowerdir=${image},upperdir=${upper},workdir=${work}`;
  return { path, enter: ["/bin/sh", "-c", OVERLAY_SCRIPT, "sh", options, path] };
}

/** Whether overlays can be mounted below `directory`: not if it is in one itself. */
export async function tryOverlay(directory: string): Promise<boolean> {
  mkdirSync(directory, { recursive: true });
  const trial = mkdtempSync(join(directory, ".overlay-"));
  try {
    const image = join(trial, "image");
    mkdirSync(image);
    const { enter } = rootDirectory(image, trial, "overlay");
    return (await runProgram(["unshare", "--mount", "--", ...enter, "true"])).code === 0;
  } finally {
    rmSync(trial, { recursive: true, force: true });
  }
}
