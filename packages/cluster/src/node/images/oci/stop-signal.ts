import { constants } from "node:os";

/** Linux's first real-time signal, as its C library counts. */
const RTMIN = 34;

/** The number of a signal as images name it: `SIGINT`, `INT`, `2`, `SIGRTMIN+3`. Undefined where there is no such signal. */
export function stopSignalOf(text: string): number | undefined {
  const name = text.toUpperCase().replace(/^SIG/u, "");
  if (/^\d+$/u.test(name)) return Number(name) > 0 && Number(name) <= 64 ? Number(name) : undefined;
  const realTime = /^RTMIN(?:\+(\d+))?$/u.exec(name);
  if (realTime !== null) return RTMIN + Number(realTime[1] ?? 0);
  return Object.entries(constants.signals).find(([known]) => known === `SIG${name}`)?.[1];
}
