import type { JsonObject } from "../domain/ir.ts";
import { equals, type Predicate } from "../store/page.ts";
import type { ArtifactRow, ArtifactTaskRow, TaskRow } from "../store/tables.ts";
import type { Api, Call } from "./api.ts";
import { artifactRowJson, schemaTitleOf, type StoredArtifact } from "./artifact-json.ts";
import { authorize, found, listJson, namespaceOf, type RouteContext, type RouteOptions } from "./context.ts";
import { listRequest } from "./list-options.ts";
import { invalid, type Message } from "./message.ts";
import { ARTIFACT, CREATE_ARTIFACT, CREATE_ARTIFACTS, CREATED_ARTIFACTS, LIST_QUERY, listMessage } from "./messages.ts";
import { STRING } from "./schema.ts";

const FIELDS = {
  ...{ id: "id", artifact_id: "id", name: "name", type: "type", uri: "uri", created_at: "created_at", namespace: "namespace" },
  ...{ run_id: "run_id", task_id: "task_id" },
};
const TAG = "ArtifactService";

/** `/artifacts`: records of artifacts; their bytes are read elsewhere. */
export function artifactRecordRoutes(api: Api, options: RouteOptions): void {
  const { store } = options;

  const answer = listMessage("ListArtifactResponse", "artifacts", ARTIFACT);
  const query = { ...LIST_QUERY, namespace: STRING };
  api.add({ method: "get", path: "/artifacts", id: "list_artifacts", about: "Lists artifacts.", tag: TAG, query, answer }, async (call) => {
    const namespace = namespaceOf(call.query("namespace"));
    await authorize(options, call.context, { verb: "list", resource: "runs", namespace });
    const request = listRequest(call.query, FIELDS, [equals("namespace", namespace)]);
    return listJson("artifacts", await store.artifacts.list(request.query), request, artifactRowJson);
  });

  api.add(
    { method: "get", path: "/artifacts/{artifact_id}", id: "get_artifact", about: "Reads an artifact's record.", tag: TAG, answer: ARTIFACT },
    async (call) => artifactRowJson(await loadArtifact(options, call, "get")),
  );

  api.add(
    {
      ...{ method: "post", path: "/artifacts", id: "create_artifact", about: "Records an artifact that a task gave.", tag: TAG },
      ...{ body: CREATE_ARTIFACT, answer: ARTIFACT },
    },
    async (call) => {
      const body = await call.body();
      const { artifact, link } = await readArtifact(options, call.context, body);
      const known = body.value("reuse_if_exists") === true ? await store.artifacts.atUri(artifact.namespace, artifact.uri) : [];
      const same = known.find((one) => one.type === artifact.type && metadataOf(one) === metadataOf(artifact)) ?? artifact;
      await store.artifacts.create(same === artifact ? [artifact] : [], [{ ...link, artifact_id: same.id }]);
      return artifactRowJson(same);
    },
  );

  api.add(
    {
      ...{ method: "post", path: "/artifacts:batchCreate", id: "batch_create_artifacts", about: "Records artifacts, all or none.", tag: TAG },
      ...{ body: CREATE_ARTIFACTS, answer: CREATED_ARTIFACTS },
    },
    async (call) => {
      const requests = (await call.body()).messages("artifacts", CREATE_ARTIFACT);
      if (requests.length === 0) throw invalid("artifacts", "must not be empty");
      const made: NewArtifact[] = [];
      for (const request of requests) {
        if (request.value("reuse_if_exists") === true) throw invalid(request.at("reuse_if_exists"), "is for one artifact at a time");
        made.push(await readArtifact(options, call.context, request));
      }
      await store.artifacts.create(
        made.map(({ artifact }) => artifact),
        made.map(({ link }) => link),
      );
      return { artifacts: made.map(({ artifact }) => artifactRowJson(artifact)) };
    },
  );
}

/** The artifact that a path names, if the request may do `verb` to it. */
export async function loadArtifact(options: RouteOptions, { context, param }: Call, verb: string): Promise<ArtifactRow> {
  const id = param("artifact_id");
  const row = found(await options.store.artifacts.find(id), "artifact", id);
  await authorize(options, context, { verb, resource: "runs", namespace: row.namespace });
  return row;
}

/** The task that a message names with its run, if the request may change that. */
export async function namedTask(
  options: RouteOptions,
  context: RouteContext,
  body: Message,
): Promise<{ readonly task: TaskRow; readonly namespace: string }> {
  const { store } = options;
  const [runId, taskId] = [body.required("run_id"), body.required("task_id")];
  const task = found(await store.tasks.findRow(taskId), `${body.at("task_id")}: task`, taskId);
  if (task.run_id !== runId) throw invalid(body.at("task_id"), "is a task of another run");
  const run = found(await store.runs.findOutline(runId), `${body.at("run_id")}: run`, runId);
  await authorize(options, context, { verb: "update", resource: "runs", namespace: run.namespace, name: run.name });
  return { task, namespace: run.namespace };
}

/** The condition that a column has one of some values. */
export function among(column: string, values: readonly string[]): Predicate[] {
  return values.length === 0 ? [] : [{ column, operation: "IN", values }];
}

interface NewArtifact {
  readonly artifact: ArtifactRow;
  readonly link: ArtifactTaskRow;
}

async function readArtifact(options: RouteOptions, context: RouteContext, body: Message): Promise<NewArtifact> {
  const { newId, clock } = options;
  const given = body.message("artifact", ARTIFACT);
  if (given === undefined) throw invalid(body.at("artifact"), "must be given");
  if (given.text("artifact_id") !== "") throw invalid(given.at("artifact_id"), "is the server's to give");
  const [name, type, key] = [given.required("name"), given.text("type"), body.required("producer_key")];
  if (type === "" || type === "TYPE_UNSPECIFIED") throw invalid(given.at("type"), "must be given");
  if (type === "Metric" && !given.has("number_value")) throw invalid(given.at("number_value"), "must be given for a Metric");
  if (/ClassificationMetric$/u.test(type) && !given.has("metadata")) throw invalid(given.at("metadata"), `must be given for a ${type}`);
  const { task, namespace } = await namedTask(options, context, body);
  const asked = given.text("namespace");
  if (asked !== "" && asked !== namespace) throw invalid(given.at("namespace"), `is not that of its run, ${namespace}`);
  const now = clock.now();
  const schemaTitle = given.text("schema_title") || schemaTitleOf(type);
  const [uri, description, number] = [given.text("uri"), given.text("description"), given.value("number_value")];
  const record: StoredArtifact = {
    ...{ id: newId(), name, type: { schemaTitle, schemaVersion: "0.0.1" }, uri, metadata: given.object("metadata") ?? {} },
    ...(description === "" ? {} : { description }),
    ...(typeof number === "number" ? { numberValue: number } : {}),
  };
  const artifact: ArtifactRow = {
    ...{ id: record.id, run_id: task.run_id, task_id: task.id, namespace, name, type: schemaTitle, uri, created_at: now },
    record: JSON.stringify(record),
  };
  const index = body.value("iteration_index");
  const link: ArtifactTaskRow = {
    ...{ id: newId(), artifact_id: record.id, run_id: task.run_id, task_id: task.id, namespace, direction: "OUTPUT", type: "OUTPUT", key },
    ...{ producer: task.name, iteration: index === undefined ? -1 : Number(index), position: 0, is_lineage: 1, created_at: now },
  };
  return { artifact, link };
}

function metadataOf({ record }: ArtifactRow): string {
  return JSON.stringify((JSON.parse(record) as JsonObject)["metadata"]);
}
