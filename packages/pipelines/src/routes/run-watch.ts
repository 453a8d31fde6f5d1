import type { TaskRecord } from "../engine/types.ts";
import type { JsonObject } from "../domain/ir.ts";
import type { RunNotice } from "../runner/run-notices.ts";
import { isFinal, progressOf } from "../runner/run-record.ts";
import { equals } from "../store/page.ts";
import type { RunListRow, RunRow } from "../store/tables.ts";
import type { RouteOptions } from "./context.ts";
import { runChangeJson, runJson } from "./json.ts";
import { streamOf } from "./stream.ts";
import { taskJson } from "./task-json.ts";

/** Keeps proxies from closing a stream of a run that is silent for long. */
const HEARTBEAT_MS = 20_000;
/** How many tasks an event tells of. */
const BATCH = 500;

/**
 * Server-sent events of a run: all of it, some tasks at a time, then every change, without the pipeline, until it is over. Whoever comes
 * back after a broken connection is told all of it again. A reader that is slow misses the steps in between, and nothing is kept for it
 * but which tasks have changed.
 */
export function watchRun({ store, runner, clock, signal }: RouteOptions, row: RunRow): Response {
  const encoder = new TextEncoder();
  const closed = new AbortController();
  const changed = new Map<string, TaskRecord>();
  let last: RunNotice | undefined;
  let wake = (): void => undefined;
  const unsubscribe = runner.subscribe(row.id, (notice) => {
    for (const task of notice.tasks) changed.set(task.id, task);
    last = notice;
    wake();
  });
  const over = AbortSignal.any([signal, closed.signal]);
  over.addEventListener("abort", () => wake(), { once: true });

  const event = (run: JsonObject, now: RunListRow, tasks: readonly TaskRecord[]): Uint8Array =>
    encoder.encode(`event: run\ndata: ${JSON.stringify({ run, tasks: tasks.map((task) => taskJson(task, now)) })}\n\n`);
  const end = encoder.encode("event: end\ndata: {}\n\n");

  /** The run as it is; undefined if it is gone. */
  async function* snapshot(): AsyncGenerator<Uint8Array, RunRow | undefined> {
    const query = { predicates: [equals("run_id", row.id), equals("is_foreign", 0)], sortColumn: "created_at", isDescending: false, pageSize: BATCH };
    let page = await store.tasks.list(query);
    const now = await store.runs.find(row.id);
    if (now === undefined) return undefined;
    for (let isFirst = true; ; isFirst = false) {
      const tasks = page.rows.map(({ record }) => JSON.parse(record) as TaskRecord);
      yield event(isFirst ? runJson(now) : runChangeJson(now), now, tasks);
      if (page.next === undefined) return now;
      page = await store.tasks.list({ ...query, after: page.next });
    }
  }

  async function* events(): AsyncGenerator<Uint8Array> {
    try {
      const now = yield* snapshot();
      if (now === undefined) return yield end;
      if (last === undefined && isFinal(progressOf(now).phase)) return yield end;
      while (!over.aborted) {
        if (last === undefined) {
          const beat = new AbortController();
          const heard = new Promise<void>((resolve) => (wake = resolve));
          const isSilent = await Promise.race([heard.then(() => false), clock.sleep(HEARTBEAT_MS, beat.signal).then(() => true)]);
          beat.abort();
          if (isSilent) yield encoder.encode(": still here\n\n");
          continue;
        }
        const { row: current, isOver } = last;
        const batch = [...changed.values()].slice(0, BATCH);
        for (const { id } of batch) changed.delete(id);
        const isMore = changed.size > 0;
        if (!isMore) last = undefined;
        yield event(runChangeJson(current), current, batch);
        if (isOver && !isMore) return yield end;
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
