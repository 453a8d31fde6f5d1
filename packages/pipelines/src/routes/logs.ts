import { ApiError, isApiError } from "@sluice/kubernetes";
import { logArtifact } from "../engine/log-artifact.ts";
import { MAIN_CONTAINER } from "../engine/pod-types.ts";
import { podNameOf } from "../engine/task-id.ts";
import { hasEnded, type TaskRecord } from "../engine/types.ts";
import { homeOfRow } from "../runner/run-record.ts";
import type { RunListRow } from "../store/tables.ts";
import type { Api } from "./api.ts";
import type { RouteOptions } from "./context.ts";
import { invalid } from "./message.ts";
import { begunTask, loadTask } from "./nodes.ts";
import { BOOL, INT32 } from "./schema.ts";
import { sha256 } from "./sha256.ts";
import { streamOf } from "./stream.ts";

/** `/runs/{id}/nodes/{node}/log`: what the task's container wrote; with `follow=true`, also what it will write. */
export function logRoutes(api: Api, options: RouteOptions): void {
  const { signal } = options;
  api.add(
    {
      ...{ method: "get", path: "/runs/{run_id}/nodes/{node_id}/log", id: "read_log", tag: "RunService", answer: "text/plain", errors: "plain" },
      about: "Gives what a task's container wrote, also after its pod is gone.",
      query: {
        follow: { ...BOOL, about: "Whether to go on as long as it writes" },
        attempt: { ...INT32, about: "Which of a task's pods, from 0; the last one unless said otherwise" },
      },
    },
    async (call) => {
      const { run, task: asked } = await loadTask(options, call, "get");
      const isFollowed = call.query("follow") === "true";
      const closed = new AbortController();
      const over = AbortSignal.any([signal, closed.signal, call.context.req.raw.signal]);
      const task = isFollowed ? await begunTask(options, asked, over) : asked;
      const chunks = source(options, logOf(run, task, call.query("attempt")), { isFollowed, signal: over });
      // The first chunk tells whether there is a log at all, while an error can still be one.
      const first = await chunks.next();
      const body = streamOf(resumed(first, chunks), () => closed.abort());
      return new Response(body, {
        headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", "x-content-type-options": "nosniff" },
      });
    },
  );
}

/** A log, and the two places where it may be. */
interface Log {
  readonly pod: { readonly namespace: string; readonly name: string };
  readonly uri: string;
  /** How its store is reached, if its run says. */
  readonly store: string | undefined;
  /** Whether nothing will be added to it. */
  readonly isComplete: boolean;
  readonly task: TaskRecord;
}

function logOf(run: RunListRow, task: TaskRecord, asked: string): Log {
  const attempt = asked === "" ? task.attempt : Number(asked);
  if (attempt < 0 || attempt > task.attempt) throw invalid("attempt", `task ${task.displayName} has had none but 0 to ${task.attempt}`);
  const isLast = attempt === task.attempt;
  if (task.kind !== "RUNTIME" || (isLast && task.podName === undefined)) {
    const why = task.kind === "RUNTIME" ? `it is ${task.state}` : "it has no pod";
    throw new ApiError("NotFound", `task ${task.displayName} has no log: ${why}`);
  }
  const name = isLast && task.podName !== undefined ? task.podName : podNameOf(sha256, run.pipeline_name, task, attempt);
  const { uri, store } = logArtifact(homeOfRow(run), task, attempt, sha256);
  return { pod: { namespace: run.namespace, name }, uri, store, isComplete: !isLast || hasEnded(task.state), task };
}

async function* source(
  { client, objects: stores }: RouteOptions,
  { pod, uri, store, isComplete, task }: Log,
  { isFollowed, signal }: { readonly isFollowed: boolean; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const objects = stores.of(pod.namespace, { query: store });
  if (isComplete && (await objects.stat(uri)) !== undefined) return yield* objects.get(uri);
  try {
    yield* client.log(pod, { container: MAIN_CONTAINER, follow: isFollowed, signal });
  } catch (error) {
    if (signal.aborted) return;
    if (!isApiError(error, "NotFound")) throw error;
    if ((await objects.stat(uri)) === undefined)
      throw new ApiError("NotFound", `the log of task ${task.displayName} is gone with its pod ${pod.name}`);
    yield* objects.get(uri);
  }
}

async function* resumed(first: IteratorResult<Uint8Array>, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}
