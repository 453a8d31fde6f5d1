const MEBIBYTE = 2 ** 20;

/** From this size (bytes) on, the log tells of a file before it is carried. */
export const LARGE: number = 16 * MEBIBYTE;

/** How many files of a directory are carried at once: small ones share their way to the disk. */
export const AT_ONCE = 64;

/** A size for a person. */
export function megabytes(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
}

/** The items, `count` at a time. */
export async function* groups<T>(items: Iterable<T> | AsyncIterable<T>, count: number): AsyncGenerator<readonly T[]> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < count) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
