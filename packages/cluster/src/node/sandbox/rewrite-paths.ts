import { isWithin } from "./host-view.ts";
import type { SandboxMount } from "./sandbox.ts";

/**
 * Replaces the container's paths by those of this machine, in any text: a command line, a script, JSON. The longest target
 * wins, and only whole names count: `/data` is found in `--from=/data/x` and in `"/data"`, but neither in `/database` nor in
 * `s3://data` nor in `$HOME/data`.
 */
export function pathRewriter(mounts: readonly SandboxMount[]): (text: string) => string {
  const sources = new Map(mounts.filter(({ source, target }) => source !== target).map(({ source, target }) => [target, source]));
  // Mounts that are where they are still hide what is mounted above them.
  const targets = [...new Set(mounts.map(({ target }) => target))].sort((a, b) => b.length - a.length);
  if (sources.size === 0) return (text) => text;
  const pattern = new RegExp(`(?<![\\w./~})\\]*?-])(?:${targets.map((target) => RegExp.escape(target)).join("|")})(?![\\w.-])`, "g");
  return (text) => text.replaceAll(pattern, (target) => sources.get(target) ?? target);
}

/** Where on this machine `path` lies, if it lies in a mount. */
export function sourceOf(mounts: readonly SandboxMount[], path: string): string | undefined {
  const found = mounts
    .filter(({ target }) => isWithin(target, path))
    .reduce<SandboxMount | undefined>((best, mount) => (best === undefined || mount.target.length >= best.target.length ? mount : best), undefined);
  return found === undefined ? undefined : found.source + path.slice(found.target.length);
}
