import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { parseQuantity, type Volume } from "@sluice/kubernetes";

const BLOCK_BYTES = 512;

/** Why a pod may not go on: one of its empty directories holds more than its limit. Undefined if none does. */
export async function overfullVolume(volumes: readonly Volume[], paths: ReadonlyMap<string, string>): Promise<string | undefined> {
  for (const { name, emptyDir } of volumes) {
    const [limit, path] = [emptyDir?.sizeLimit, paths.get(name)];
    if (limit === undefined || path === undefined) continue;
    const limitBytes = Number(parseQuantity(limit).nanos / 1_000_000_000n);
    if (limitBytes > 0 && (await usedBytes(path)) > limitBytes)
      return `Usage of EmptyDir volume ${JSON.stringify(name)} exceeds the limit ${JSON.stringify(limit)}. `;
  }
  return undefined;
}

/** The space that a directory takes, however many names a file has in it. */
async function usedBytes(directory: string): Promise<number> {
  const files = new Map<number, number>();
  const waiting = [directory];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    try {
      for (const entry of await readdir(path, { withFileTypes: true })) {
        const child = join(path, entry.name);
        const { ino, blocks } = await lstat(child);
        files.set(ino, blocks * BLOCK_BYTES);
        if (entry.isDirectory()) waiting.push(child);
      }
    } catch (error) {
      // What goes while it is being counted takes no space.
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  return [...files.values()].reduce((sum, bytes) => sum + bytes, 0);
}
