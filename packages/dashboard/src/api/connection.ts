import { onlineManager } from "@tanstack/react-query";
import { UserError } from "@sluice/kubernetes";

/** Whether the server answers. TanStack Query's `onlineManager` holds it: what is asked while it does not waits until it does. */
export interface Connection {
  /** Looks whether the server answers, because something failed; while it does not, looks again and again. */
  check(): void;
  /** Resolves once the server answers, or `signal` aborts. */
  untilOnline(signal: AbortSignal): Promise<void>;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 2000;

/**
 * Watches the server through `probe`, which rejects or answers false when it cannot be reached. Whether the browser thinks that it is
 * online says nothing about a server on the same machine.
 */
export function createConnection(probe: () => Promise<boolean>): Connection {
  onlineManager.setEventListener(() => undefined);
  let isChecking = false;
  const check = async (): Promise<void> => {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const isAnswering = await probe().catch(() => false); // Whatever the reason: there was no answer.
      onlineManager.setOnline(isAnswering);
      if (isAnswering) return;
      await sleep(pause);
    }
  };
  return {
    check() {
      if (isChecking) return;
      isChecking = true;
      void check().finally(() => (isChecking = false));
    },
    untilOnline(signal) {
      if (onlineManager.isOnline() || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const done = (): void => {
          unsubscribe();
          signal.removeEventListener("abort", done);
          resolve();
        };
        const unsubscribe = onlineManager.subscribe((isOnline) => isOnline && done());
        signal.addEventListener("abort", done);
      });
    },
  };
}

/** Whether an error means that the server could not be reached, or that the connection to it broke. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof UserError;
}

/** Waits; an aborted `signal` ends the wait early. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
