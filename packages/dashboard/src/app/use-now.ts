import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let now = Date.now();

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    now = Date.now();
    timer = setInterval(() => {
      now = Date.now();
      for (const tell of listeners) tell();
    }, 1000);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

const silent = (): (() => void) => () => undefined;

/** The time, every second; all who ask share one timer. While not `isTicking`, the time of the last tick. */
export function useNow(isTicking: boolean): number {
  return useSyncExternalStore(isTicking ? subscribe : silent, () => now);
}
