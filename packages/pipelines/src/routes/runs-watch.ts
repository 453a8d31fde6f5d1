import { EVERY_RUN, type RunNotice } from "../runner/run-notices.ts";
import type { RouteOptions } from "./context.ts";
import { compact } from "./json.ts";
import { streamOf } from "./stream.ts";

/** Keeps proxies from closing a stream that is silent for long. */
const HEARTBEAT_MS = 20_000;

/** Server-sent events of a namespace's runs: which is new, has another state than before, or is gone. */
export function watchRuns({ runner, clock, signal }: RouteOptions, namespace: string): Response {
  const encoder = new TextEncoder();
  const closed = new AbortController();
  const over = AbortSignal.any([signal, closed.signal]);
  const changed = new Map<string, RunNotice>();
  const told = new Map<string, string>();
  let wake = (): void => undefined;
  const unsubscribe = runner.subscribe(EVERY_RUN, (notice) => {
    const { id, state, namespace: own } = notice.row;
    if (own !== namespace || (told.get(id) === state && !notice.isOver)) return;
    told.set(id, state);
    changed.set(id, notice);
    wake();
  });
  over.addEventListener("abort", () => wake(), { once: true });

  async function* events(): AsyncGenerator<Uint8Array> {
    try {
      yield encoder.encode(": here\n\n");
      while (!over.aborted) {
        if (changed.size > 0) {
          const batch = [...changed.values()];
          changed.clear();
          for (const { row, isOver } of batch) {
            if (isOver) told.delete(row.id);
            yield encoder.encode(`event: run\ndata: ${JSON.stringify(compact({ run_id: row.id, state: row.state }))}\n\n`);
          }
          continue;
        }
        const beat = new AbortController();
        const heard = new Promise<void>((resolve) => (wake = resolve));
        const isSilent = await Promise.race([heard.then(() => false), clock.sleep(HEARTBEAT_MS, beat.signal).then(() => true)]);
        beat.abort();
        if (isSilent) yield encoder.encode(": still here\n\n");
      }
    } finally {
      unsubscribe();
    }
  }

  const body = streamOf(events(), () => {
    closed.abort();
    unsubscribe();
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" } });
}
