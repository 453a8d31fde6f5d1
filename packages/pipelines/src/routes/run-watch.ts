import type { RunNotice } from "../runner/run-notices.ts";
import { isFinal, progressOf } from "../runner/run-record.ts";
import type { TaskRecord } from "../engine/types.ts";
import type { RunRow } from "../store/tables.ts";
import type { RouteOptions } from "./context.ts";
import type { JsonObject } from "../domain/ir.ts";
import { runChangeJson, runJson, taskJson } from "./json.ts";
import { streamOf } from "./stream.ts";

/** Keeps proxies from closing a stream of a run that is silent for long. */
const HEARTBEAT_MS = 20_000;

/** Server-sent events of a run: all of it, then every change, without the pipeline, until it is over. */
export function watchRun({ store, runner, clock, signal }: RouteOptions, row: RunRow): Response {
  const encoder = new TextEncoder();
  const closed = new AbortController();
  const notices: RunNotice[] = [];
  let wake = (): void => undefined;
  const unsubscribe = runner.subscribe(row.id, (notice) => {
    notices.push(notice);
    wake();
  });
  const over = AbortSignal.any([signal, closed.signal]);
  over.addEventListener("abort", () => wake(), { once: true });

  async function* events(): AsyncGenerator<Uint8Array> {
    const event = (run: JsonObject, now: RunRow, tasks: readonly TaskRecord[]): Uint8Array =>
      encoder.encode(`event: run\ndata: ${JSON.stringify({ run, tasks: tasks.map((task) => taskJson(task, now)) })}\n\n`);
    const end = encoder.encode("event: end\ndata: {}\n\n");
    try {
      const tasks = await store.tasks.ofRun(row.id);
      const now = await store.runs.find(row.id);
      if (now === undefined) return yield end;
      yield event(runJson(now), now, tasks);
      if (notices.length === 0 && isFinal(progressOf(now).phase)) return yield end;
      while (!over.aborted) {
        if (notices.length === 0) {
          const beat = new AbortController();
          const heard = new Promise<void>((resolve) => (wake = resolve));
          const isSilent = await Promise.race([heard.then(() => false), clock.sleep(HEARTBEAT_MS, beat.signal).then(() => true)]);
          beat.abort();
          if (isSilent) yield encoder.encode(": still here\n\n");
          continue;
        }
        const batch = notices.splice(0);
        const last = batch.at(-1);
        if (last === undefined) continue;
        const changed = new Map(batch.flatMap((notice) => notice.tasks.map((task): [string, TaskRecord] => [task.id, task])));
        yield event(runChangeJson(last.row), last.row, [...changed.values()]);
        if (last.isOver) return yield end;
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
