import type { Routes } from "@sluice/component";
import { ApiError, isApiError } from "@sluice/kubernetes";
import { MAIN_CONTAINER } from "../engine/pod-types.ts";
import type { ArtifactRecord, TaskRecord } from "../engine/types.ts";
import type { RunRow } from "../store/tables.ts";
import type { RouteOptions } from "./context.ts";
import { begunTask, loadTask } from "./nodes.ts";
import { streamOf } from "./stream.ts";

/** The artifact under which a pod's log outlives it. */
const LOG_ARTIFACT = "executor-logs";

/** `/runs/{id}/nodes/{node}/log`: what the task's container wrote; with `follow=true`, also what it will write. */
export function logRoutes(app: Routes, options: RouteOptions): void {
  const { signal } = options;
  app.get("/runs/:id/nodes/:node/log", async (context) => {
    const { run, task: asked } = await loadTask(options, context, "get");
    const isFollowed = context.req.query("follow") === "true";
    const closed = new AbortController();
    const over = AbortSignal.any([signal, closed.signal, context.req.raw.signal]);
    const task = isFollowed ? await begunTask(options, asked, over) : asked;
    const chunks = source(options, run, task, { isFollowed, signal: over });
    // The first chunk tells whether there is a log at all, while an error can still be one.
    const first = await chunks.next();
    const body = streamOf(resumed(first, chunks), () => closed.abort());
    return new Response(body, {
      headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", "x-content-type-options": "nosniff" },
    });
  });
}

async function* resumed(first: IteratorResult<Uint8Array>, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}

async function* source(
  { client, objects }: RouteOptions,
  run: RunRow,
  task: TaskRecord,
  { isFollowed, signal }: { readonly isFollowed: boolean; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const name = task.podName;
  if (name === undefined) {
    const why = task.kind === "RUNTIME" ? `it is ${task.state}` : "it has no pod";
    throw new ApiError("NotFound", `task ${task.displayName} has no log: ${why}`);
  }
  try {
    yield* client.log({ namespace: run.namespace, name }, { container: MAIN_CONTAINER, follow: isFollowed, signal });
  } catch (error) {
    if (signal.aborted) return;
    const archived: ArtifactRecord | undefined = task.outputs.artifacts[LOG_ARTIFACT]?.[0];
    if (!isApiError(error, "NotFound")) throw error;
    if (archived === undefined) throw new ApiError("NotFound", `the log of task ${task.displayName} is gone with its pod ${name}`);
    yield* objects.of(run.namespace, { query: archived.store }).get(archived.uri);
  }
}
