import { ApiError } from "@sluice/kubernetes";
import type { TaskRecord } from "../engine/index.ts";
import type { Invalidation } from "../store/cache-store.ts";
import { authorize, found, namespaceOf, type RouteContext, type RouteOptions } from "./context.ts";
import type { Api } from "./api.ts";
import { invalid, type Message } from "./message.ts";
import { INVALIDATE_CACHE, INVALIDATED } from "./messages.ts";
import { loadRun } from "./runs.ts";

/** `/cache:invalidate`: later runs make these results anew. */
export function cacheRoutes(api: Api, options: RouteOptions): void {
  const { store, clock } = options;
  api.add(
    {
      ...{ method: "post", path: "/cache:invalidate", id: "invalidate_cache", about: "Has later runs make results anew.", tag: "CacheService" },
      ...{ body: INVALIDATE_CACHE, answer: INVALIDATED },
    },
    async (call) => {
      const what = await read(options, call.context, await call.body());
      const count = await store.cache.invalidate(what, { by: call.context.get("identity").username, at: clock.now() });
      return { invalidated: count };
    },
  );
}

/** What a request is about: the results of a pipeline by its name, or those that a run, or one of its tasks, made or shared. */
async function read(options: RouteOptions, context: RouteContext, body: Message): Promise<Invalidation> {
  const [pipeline, runId, taskId] = [body.text("pipeline"), body.text("run_id"), body.text("task_id")];
  if ((pipeline === "") === (runId === "")) throw invalid("", "name either a pipeline, or a run_id with or without a task_id");
  if (pipeline !== "") {
    if (taskId !== "") throw invalid("task_id", "is of a run: name that with run_id");
    const namespace = namespaceOf(body.text("namespace"));
    await authorize(options, context, { verb: "create", resource: "runs", namespace });
    return { namespace, pipeline };
  }
  const row = await loadRun(options, context, runId, "create");
  const tasks = await options.store.tasks.ofRun(row.id);
  const chosen = taskId === "" ? tasks : below(tasks, found(taskNamed(tasks, taskId), "task", taskId));
  const fingerprints = chosen.flatMap(({ fingerprint }) => fingerprint ?? []);
  if (fingerprints.length === 0) {
    throw new ApiError("BadRequest", `${taskId === "" ? `run ${runId}` : `task ${taskId}`} has no result in the cache: caching was off for it`);
  }
  return { namespace: row.namespace, fingerprints };
}

/** A task by its id, path or name. */
function taskNamed(tasks: readonly TaskRecord[], wanted: string): TaskRecord | undefined {
  return (
    tasks.find(({ id, path }) => id === wanted || path === wanted || path === `root.${wanted}`) ??
    tasks.find(({ name, displayName }) => name === wanted || displayName === wanted)
  );
}

/** A task and all that it contains. */
function below(tasks: readonly TaskRecord[], { path }: TaskRecord): readonly TaskRecord[] {
  return tasks.filter((task) => task.path === path || task.path.startsWith(`${path}.`));
}
