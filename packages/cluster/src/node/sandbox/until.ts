import type { Clock } from "@sluice/controller";

const ROUND_MS = 5;
const ROUNDS = 400;

/** Waits for the kernel, which tells nobody when a process has come or gone; for two seconds at most, whoever asks looks again. */
export async function until(clock: Clock, isDone: () => boolean): Promise<void> {
  for (let round = 0; round < ROUNDS && !isDone(); round++) await clock.sleep(ROUND_MS, new AbortController().signal);
}
