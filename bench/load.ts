import { quantile } from "./statistics.ts";

/** What a load of many requests came to. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** Lets every client do its share of `count` requests, one after the other. */
export async function load<C>(clients: readonly C[], count: number, request: (client: C, index: number) => Promise<void>): Promise<LoadResult> {
  const times: number[] = [];
  let next = 0;
  const started = performance.now();
  await Promise.all(
    clients.map(async (client) => {
      for (let index = next++; index < count; index = next++) {
        const sent = performance.now();
        await request(client, index);
        times.push(performance.now() - sent);
      }
    }),
  );
  return { perSecond: (count / (performance.now() - started)) * 1000, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}
