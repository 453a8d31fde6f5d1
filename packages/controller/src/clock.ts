/** Time as a dependency, so that tests decide how fast it goes. `sleep` also returns, without error, once `signal` aborts. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Timers hold 31 bits; a longer one would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The time of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    for (let rest = ms; rest > 0 && !signal.aborted; rest -= LONGEST_TIMER) await timer(Math.min(rest, LONGEST_TIMER), signal);
  },
};

function timer(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(handle);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const handle = setTimeout(finish, ms);
    signal.addEventListener("abort", finish, { once: true });
  });
}
