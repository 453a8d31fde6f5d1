/** Completion indexes, in the notation of a Job's status: `1,3-5,7`. */
export type IndexSet = ReadonlySet<number>;

/** Reads indexes below `limit`; what is malformed counts as absent. */
export function parseIndexes(text: string | undefined, limit: number): IndexSet {
  const indexes = new Set<number>();
  for (const part of (text ?? "").split(",")) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    if (first === undefined) continue;
    for (let index = Number(first); index <= Number(last) && index < limit; index++) indexes.add(index);
  }
  return indexes;
}

/** Writes indexes in order; three in a row and more become a range. */
export function formatIndexes(indexes: IndexSet): string {
  const parts: string[] = [];
  let first: number | undefined;
  let last = -2;
  const close = (): void => {
    if (first !== undefined) parts.push(first === last ? `${first}` : `${first}${last === first + 1 ? "," : "-"}${last}`);
  };
  for (const index of [...indexes].toSorted((a, b) => a - b)) {
    if (index !== last + 1) {
      close();
      first = index;
    }
    last = index;
  }
  close();
  return parts.join(",");
}
