import { PreconditionError } from "@sluice/component";
import type { JsonObject, JsonValue } from "../domain/ir.ts";
import { equals } from "../store/page.ts";
import type { RunRow, TaskRow } from "../store/tables.ts";
import type { Api, Call } from "./api.ts";
import { authorize, found, listJson, namespaceOf, type RouteOptions } from "./context.ts";
import { changedForeignTask, newForeignTask } from "./foreign-task.ts";
import { listRequest } from "./list-options.ts";
import { invalid, Message } from "./message.ts";
import { CACHED_TASK, CHANGED_TASKS, FIND_CACHED_TASK, LIST_QUERY, listMessage, TASK, TASK_CHANGES } from "./messages.ts";
import { TaskPresenter } from "./present-tasks.ts";
import { loadRun } from "./runs.ts";
import { STRING } from "./schema.ts";

const FIELDS = {
  ...{ id: "id", task_id: "id", run_id: "run_id", name: "name", display_name: "display_name", cache_fingerprint: "fingerprint" },
  ...{ create_time: "created_at", created_at: "created_at", start_time: "started_at", end_time: "ended_at", status: "state", state: "state" },
  ...{ type: "kind", parent_task_id: "parent_id", scope_path: "path" },
};
const TAG = "RunService";
const ALL = "/runs/{run_id}/tasks";
const ONE = `${ALL}/{task_id}`;

/** `/runs/{id}/tasks`: those that the server's own engine makes are read; a client's own may be made and changed beside them. */
export function taskRoutes(api: Api, options: RouteOptions): void {
  const { store, clock, newId } = options;
  const load = (call: Call, verb: string): Promise<RunRow> => loadRun(options, call.context, call.param("run_id"), verb);
  const present = async (run: RunRow, row: TaskRow): Promise<JsonObject> => (await new TaskPresenter(store, run).present([row]))[0] ?? {};

  const { sort_by: order_by, ...query } = LIST_QUERY;
  const answer = listMessage("ListTasksResponse", "tasks", TASK);
  api.add(
    {
      ...{ method: "get", path: ALL, id: "list_tasks", about: "Lists the tasks of a run, or of one of them.", tag: TAG, answer },
      query: { ...query, order_by, parent_id: STRING },
    },
    async (call) => {
      const run = await load(call, "get");
      const parentId = call.query("parent_id");
      if (parentId !== "") taskOf(run, found(await store.tasks.findRow(parentId), "parent_id: task", parentId));
      const scope = [equals("run_id", run.id), ...(parentId === "" ? [] : [equals("parent_id", parentId)])];
      const request = listRequest((name) => call.query(name === "sort_by" ? "order_by" : name), FIELDS, scope);
      const page = await store.tasks.list(request.query);
      const tasks = await new TaskPresenter(store, run).present(page.rows);
      return listJson("tasks", page, request, (_row, index) => tasks[index] ?? {});
    },
  );

  api.add({ method: "get", path: ONE, id: "get_task", about: "Reads a task.", tag: TAG, answer: TASK }, async (call) => {
    const run = await load(call, "get");
    return present(run, taskOf(run, found(await store.tasks.findRow(call.param("task_id")), "task", call.param("task_id"))));
  });

  api.add(
    { method: "post", path: ALL, id: "create_task", about: "Records a task of the client's own in a run.", tag: TAG, body: TASK, answer: TASK },
    async (call) => {
      const run = await load(call, "update");
      const body = await call.body();
      if (body.text("task_id") !== "") throw invalid("task_id", "is the server's to give");
      await checkTask(options, run.id, body);
      const row = newForeignTask(body, { id: newId(), runId: run.id, now: clock.now() });
      await store.tasks.putForeign(row);
      return present(run, row);
    },
  );

  api.add(
    {
      method: "patch",
      path: ONE,
      id: "update_task",
      about: "Changes a task that a client made; parameters are merged.",
      tag: TAG,
      body: TASK,
      answer: TASK,
    },
    async (call) => {
      const run = await load(call, "update");
      const id = call.param("task_id");
      const changed = await update(options, run, new Map([[id, await call.body()]]));
      return present(run, found(changed[0], "task", id));
    },
  );

  api.add(
    {
      ...{ method: "post", path: `${ALL}:batchUpdate`, id: "batch_update_tasks", about: "Changes tasks that clients made, all or none.", tag: TAG },
      ...{ body: TASK_CHANGES, answer: CHANGED_TASKS },
    },
    async (call) => {
      const run = await load(call, "update");
      const body = await call.body();
      const named = body.text("run_id");
      if (named !== "" && named !== run.id) throw invalid("run_id", "is not the one of the path");
      const given = Object.entries(body.object("tasks") ?? {});
      if (given.length === 0) throw invalid("tasks", "must not be empty");
      const changes = new Map(given.map(([id, task]: [string, JsonValue]) => [id, new Message(task, `tasks.${id}`, TASK)]));
      const changed = await update(options, run, changes);
      const tasks = await new TaskPresenter(store, run).present(changed);
      return { tasks: Object.fromEntries(changed.map(({ id }, index) => [id, tasks[index] ?? {}])) };
    },
  );

  api.add(
    {
      ...{
        method: "post",
        path: "/tasks:findCached",
        id: "find_cached_task",
        about: "Finds the last task that succeeded with a fingerprint.",
        tag: TAG,
      },
      ...{ body: FIND_CACHED_TASK, answer: CACHED_TASK },
    },
    async (call) => {
      const body = await call.body();
      const [namespace, fingerprint] = [namespaceOf(body.text("namespace")), body.required("cache_fingerprint")];
      await authorize(options, call.context, { verb: "list", resource: "runs", namespace });
      const id = await store.cache.findTask(namespace, fingerprint);
      const row = id === undefined ? await store.tasks.findForeign(namespace, fingerprint) : await store.tasks.findRow(id);
      const run = row === undefined ? undefined : await store.runs.find(row.run_id);
      // Its run may have been deleted; what it made may still be shared, but there is nobody to tell of.
      return row === undefined || run === undefined ? {} : { task: await present(run, row) };
    },
  );
}

/** Changes tasks that clients made, all or none. */
async function update(options: RouteOptions, run: RunRow, changes: ReadonlyMap<string, Message>): Promise<TaskRow[]> {
  const { store, clock } = options;
  for (const [id, body] of changes) {
    const named = body.text("task_id");
    if (named !== "" && named !== id) throw invalid(body.at("task_id"), "is not the one of the path");
    const row = taskOf(run, found(await store.tasks.findRow(id), "task", id));
    if (row.is_foreign === 0)
      throw new PreconditionError(`task ${id} is the server's own: it runs it, and only tasks that a client made can be changed`);
    await checkTask(options, run.id, body);
  }
  return store.tasks.changeForeign(run.id, [...changes.keys()], (row) => {
    const body = changes.get(row.id);
    return body === undefined ? row : changedForeignTask(row, body, clock.now());
  });
}

function taskOf(run: Pick<RunRow, "id">, row: TaskRow): TaskRow {
  if (row.run_id !== run.id) throw invalid("task_id", `task ${row.id} is of another run`);
  return row;
}

/** Refuses a task that names another run, or a parent in one. */
async function checkTask({ store }: RouteOptions, runId: string, body: Message): Promise<void> {
  const named = body.text("run_id");
  if (named !== "" && named !== runId) throw invalid(body.at("run_id"), "is not the one of the path");
  const parentId = body.text("parent_task_id");
  if (parentId === "") return;
  const parent = found(await store.tasks.findRow(parentId), `${body.at("parent_task_id")}: task`, parentId);
  if (parent.run_id !== runId) throw invalid(body.at("parent_task_id"), "is a task of another run");
}
