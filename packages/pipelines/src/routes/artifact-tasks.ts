import type { ArtifactTaskRow } from "../store/tables.ts";
import type { Api } from "./api.ts";
import { artifactTaskJson } from "./artifact-json.ts";
import { among, namedTask } from "./artifact-records.ts";
import { authorize, found, listJson, type RouteContext, type RouteOptions } from "./context.ts";
import { listRequest } from "./list-options.ts";
import { invalid, type Message } from "./message.ts";
import {
  ARTIFACT_TASK,
  ARTIFACT_TASKS,
  CREATE_ARTIFACT_TASK,
  CREATED_ARTIFACT_TASKS,
  IO_TYPE,
  LIST_QUERY,
  listMessage,
  PRODUCER,
} from "./messages.ts";
import { listOf, STRING } from "./schema.ts";

const FIELDS = {
  ...{ id: "id", artifact_id: "artifact_id", task_id: "task_id", run_id: "run_id", type: "type", key: "key", producer: "producer" },
  created_at: "created_at",
};
const TAG = "ArtifactService";

/** `/artifact_tasks`: which tasks got and gave which artifacts. */
export function artifactTaskRoutes(api: Api, options: RouteOptions): void {
  const { store } = options;

  const ids = listOf(STRING);
  api.add(
    {
      ...{ method: "get", path: "/artifact_tasks", id: "list_artifact_tasks", about: "Lists which tasks got and gave which artifacts.", tag: TAG },
      query: { task_ids: ids, run_ids: ids, artifact_ids: ids, type: IO_TYPE, ...LIST_QUERY },
      answer: listMessage("ListArtifactTasksResponse", "artifact_tasks", ARTIFACT_TASK),
    },
    async (call) => {
      const [tasks, runs, artifacts] = [call.queries("task_ids"), call.queries("run_ids"), call.queries("artifact_ids")];
      for (const [name, values] of Object.entries({ task_ids: tasks, run_ids: runs, artifact_ids: artifacts })) {
        if (values.includes("")) throw invalid(name, "must not be empty");
      }
      const named = new Set(runs);
      for (const id of tasks) named.add(found(await store.tasks.findRow(id), "task_ids: task", id).run_id);
      const namespaces = new Set<string>();
      for (const id of named) namespaces.add(found(await store.runs.findOutline(id), "run_ids: run", id).namespace);
      for (const id of artifacts) namespaces.add(found(await store.artifacts.find(id), "artifact_ids: artifact", id).namespace);
      if (namespaces.size === 0) throw invalid("", "at least one of task_ids, run_ids and artifact_ids must be given");
      for (const namespace of namespaces) await authorize(options, call.context, { verb: "list", resource: "runs", namespace });
      const type = call.query("type");
      const scope = [
        ...among("run_id", runs.length > 0 ? runs : [...named]),
        ...among("task_id", tasks),
        ...among("artifact_id", artifacts),
        ...among("type", type === "" || type === "UNSPECIFIED" ? [] : [type]),
      ];
      const request = listRequest(call.query, FIELDS, scope);
      return listJson("artifact_tasks", await store.tasks.listLinks(request.query), request, artifactTaskJson);
    },
  );

  api.add(
    {
      ...{ method: "post", path: "/artifact_tasks", id: "create_artifact_task", about: "Records that a task got or gave an artifact.", tag: TAG },
      ...{ body: CREATE_ARTIFACT_TASK, answer: ARTIFACT_TASK },
    },
    async (call) => {
      const given = (await call.body()).message("artifact_task", ARTIFACT_TASK);
      if (given === undefined) throw invalid("artifact_task", "must be given");
      const link = await readLink(options, call.context, given);
      await store.tasks.link([link]);
      return artifactTaskJson(link);
    },
  );

  api.add(
    {
      ...{ method: "post", path: "/artifact_tasks:batchCreate", id: "batch_create_artifact_tasks", tag: TAG },
      ...{ about: "Records what the tasks of one run got or gave, all or none.", body: ARTIFACT_TASKS, answer: CREATED_ARTIFACT_TASKS },
    },
    async (call) => {
      const given = (await call.body()).messages("artifact_tasks", ARTIFACT_TASK);
      if (given.length === 0) throw invalid("artifact_tasks", "must not be empty");
      if (new Set(given.map((one) => one.text("run_id"))).size > 1) throw invalid("artifact_tasks", "must all be of one run");
      const links: ArtifactTaskRow[] = [];
      for (const one of given) links.push(await readLink(options, call.context, one));
      await store.tasks.link(links);
      return { artifact_tasks: links.map(artifactTaskJson) };
    },
  );
}

async function readLink(options: RouteOptions, context: RouteContext, given: Message): Promise<ArtifactTaskRow> {
  const { store, newId, clock } = options;
  const [artifactId, key, type] = [given.required("artifact_id"), given.required("key"), given.text("type")];
  if (type === "" || type === "UNSPECIFIED") throw invalid(given.at("type"), "must be given");
  const producer = given.message("producer", PRODUCER);
  if (producer === undefined) throw invalid(given.at("producer"), "must be given");
  const { task, namespace } = await namedTask(options, context, given);
  const artifact = found(await store.artifacts.find(artifactId), `${given.at("artifact_id")}: artifact`, artifactId);
  if (artifact.namespace !== namespace) throw invalid(given.at("artifact_id"), "is an artifact of another namespace");
  const iteration = producer.value("iteration");
  return {
    ...{ id: newId(), artifact_id: artifactId, run_id: task.run_id, task_id: task.id, namespace, type, key },
    ...{ direction: /OUTPUT$/u.test(type) ? "OUTPUT" : "INPUT", producer: producer.text("task_name") },
    ...{ iteration: iteration === undefined ? -1 : Number(iteration), position: 0, is_lineage: 1, created_at: clock.now() },
  };
}
