/** What came of a series of creations: how many there were, and what stopped them if anything did. */
export interface BatchResult {
  readonly created: number;
  readonly error?: unknown;
}

/** Creates in batches that double, so that what refuses one is not asked a hundred times. */
export async function createInBatches<T>(wishes: readonly T[], create: (wish: T) => Promise<void>): Promise<BatchResult> {
  let created = 0;
  for (let start = 0, size = 1; start < wishes.length; start += size, size *= 2) {
    const results = await Promise.allSettled(wishes.slice(start, start + size).map(create));
    created += results.filter(({ status }) => status === "fulfilled").length;
    const failure = results.find((result) => result.status === "rejected");
    if (failure !== undefined) return { created, error: failure.reason };
  }
  return { created };
}
