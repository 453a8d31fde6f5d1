/** How long to wait before a container that keeps ending is started again. */
export interface RestartBackoff {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Having run this long, it counts as healthy again. */
  readonly resetMs: number;
}

/** Kubernetes' own: 10 s, doubling to 5 min, forgotten after 10 min. */
export const RESTART_BACKOFF: RestartBackoff = { baseMs: 10_000, maxMs: 300_000, resetMs: 600_000 };

/** What an ended attempt weighs. */
export interface EndedAttempt {
  readonly crashes: number;
  readonly exit: { readonly startedAt: number; readonly finishedAt: number };
}

/** The `crashes` of the attempt that follows `ended`. */
export function nextCrashes({ crashes, exit }: EndedAttempt, { resetMs }: RestartBackoff): number {
  return exit.finishedAt - exit.startedAt > resetMs ? 1 : crashes + 1;
}

/** When the attempt after `ended` may start. As in Kubernetes, the first restart is immediate. */
export function restartAt(ended: EndedAttempt, backoff: RestartBackoff): number {
  const { crashes, exit } = ended;
  return exit.finishedAt + (nextCrashes(ended, backoff) === 1 ? 0 : delayOf(crashes, backoff));
}

/** The delay after `failures` failures in a row, at least one. */
export function delayOf(failures: number, { baseMs, maxMs }: Pick<RestartBackoff, "baseMs" | "maxMs">): number {
  return Math.min(baseMs * 2 ** Math.min(failures - 1, 30), maxMs);
}
