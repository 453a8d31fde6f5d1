import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";

/**
 * Writes a file over what it has held. File systems take one that was emptied first for one that is replaced, and write it to
 * the disk at once, which takes a millisecond.
 */
export function writeInPlace(path: string, content: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT);
  try {
    const length = writeSync(file, content);
    if (fstatSync(file).size !== length) ftruncateSync(file, length);
  } finally {
    closeSync(file);
  }
}
