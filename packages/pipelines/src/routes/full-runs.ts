import type { JsonObject } from "../domain/ir.ts";
import { equals } from "../store/page.ts";
import type { RunListRow, RunRow } from "../store/tables.ts";
import type { RouteOptions } from "./context.ts";
import { runJson } from "./json.ts";
import { TaskPresenter } from "./present-tasks.ts";
import { streamOf } from "./stream.ts";

/** How many tasks are in memory at once. */
const PAGE = 200;

/** A run with all its tasks, however many: they are read as they are sent. */
export function fullRun(options: RouteOptions, row: RunRow, taskCount: number): Response {
  return jsonResponse(runChunks(options, row, runJson(row, { taskCount })));
}

/** A page of runs, as `list` has them, each with all its tasks. */
export function fullRuns(options: RouteOptions, rows: readonly RunListRow[], list: JsonObject): Response {
  const { runs = [], ...rest } = list;
  const outlines: readonly JsonObject[] = Array.isArray(runs) ? runs : [];
  return jsonResponse(
    (async function* () {
      const head = JSON.stringify(rest);
      if (rows.length === 0) return yield head;
      yield `${head === "{}" ? "{" : `${head.slice(0, -1)},`}"runs":[`;
      for (const [index, { id }] of rows.entries()) {
        const row = await options.store.runs.find(id);
        if (index > 0) yield ",";
        // It may have been deleted since the page was read.
        if (row === undefined) yield JSON.stringify(outlines[index] ?? {});
        else yield* runChunks(options, row, outlines[index] ?? {});
      }
      yield "]}";
    })(),
  );
}

async function* runChunks({ store }: RouteOptions, row: RunRow, outline: JsonObject): AsyncGenerator<string> {
  const presenter = new TaskPresenter(store, row);
  const query = { predicates: [equals("run_id", row.id)], sortColumn: "created_at", isDescending: false, pageSize: PAGE };
  yield JSON.stringify(outline).slice(0, -1);
  let page = await store.tasks.list(query);
  if (page.rows.length > 0) yield `,"tasks":[`;
  for (let isFirst = true; ; isFirst = false) {
    const tasks = await presenter.present(page.rows);
    if (tasks.length > 0) yield `${isFirst ? "" : ","}${tasks.map((task) => JSON.stringify(task)).join(",")}`;
    if (page.next === undefined) {
      yield isFirst && tasks.length === 0 ? "}" : "]}";
      return;
    }
    page = await store.tasks.list({ ...query, after: page.next });
  }
}

function jsonResponse(chunks: AsyncIterable<string>): Response {
  const encoder = new TextEncoder();
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) yield encoder.encode(chunk);
  };
  return new Response(streamOf(bytes()), { headers: { "content-type": "application/json" } });
}
