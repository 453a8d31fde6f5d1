import type { FileHandle } from "node:fs/promises";

const CHUNK = 64 * 1024;
const NEWLINE = 10;

/** The first line of a file of `size` bytes that begins at `offset` or later; `size` if there is none. */
export async function lineStart(file: FileHandle, offset: number, size: number): Promise<number> {
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (let at = offset - 1; at >= 0 && at < size;) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK, at);
    const found = buffer.subarray(0, bytesRead).indexOf(NEWLINE);
    if (found >= 0) return at + found + 1;
    if (bytesRead === 0) return size;
    at += bytesRead;
  }
  return offset > 0 ? size : 0;
}
