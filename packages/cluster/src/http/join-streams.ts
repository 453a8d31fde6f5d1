import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";

/** Connects two streams in both directions until both have ended. However one of them breaks, the other ends, too. */
export async function joinStreams(a: Duplex, b: Duplex): Promise<void> {
  // An end that one side meets while the other is taken down already is no news to anybody.
  // And two pipelines and a server listen so often that it would pass for a leak.
  for (const stream of [a, b]) stream.on("error", () => {}).setMaxListeners(20);
  await Promise.allSettled([pipeline(a, b), pipeline(b, a)]);
  a.destroy();
  b.destroy();
}
