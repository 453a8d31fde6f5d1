import { createHash } from "node:crypto";

/** The digest of a directory: that of its files' paths and digests, in the order of the paths. */
export function digestOfDirectory(files: readonly (readonly [path: string, digest: string])[]): string {
  const hash = createHash("sha256");
  for (const [path, digest] of files.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) hash.update(`${path}\n${digest}\n`);
  return `sha256:${hash.digest("hex")}`;
}
