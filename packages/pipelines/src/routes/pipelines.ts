import type { JsonValue } from "../domain/ir.ts";
import { equals } from "../store/page.ts";
import type { PipelineRow, VersionRow } from "../store/tables.ts";
import type { Api, Call } from "./api.ts";
import { authorize, found, listJson, namespaceOf, type RouteOptions } from "./context.ts";
import { pipelineJson, specJson, versionJson } from "./json.ts";
import { listRequest, TAGS } from "./list-options.ts";
import { invalid, Message } from "./message.ts";
import { CREATE_PIPELINE_AND_VERSION, LIST_QUERY, listMessage, PACKAGE_URL, PIPELINE, PIPELINE_VERSION } from "./messages.ts";
import { checkName, checkTags } from "./names.ts";
import { BOOL, STRING } from "./schema.ts";

const COMMON_FIELDS = { id: "id", name: "name", display_name: "display_name", created_at: "created_at", description: "description" };
const PIPELINE_FIELDS = { ...COMMON_FIELDS, ...TAGS, pipeline_id: "id", namespace: "namespace" };
const VERSION_FIELDS = { ...COMMON_FIELDS, ...TAGS, pipeline_version_id: "id", pipeline_id: "pipeline_id" };

/** What a new pipeline or version is called; `display_name` stands for `name` and the other way round. */
export interface Naming {
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** A new pipeline's row. */
export function newPipeline({ newId, clock }: RouteOptions, namespace: string, naming: Naming): PipelineRow {
  return { id: newId(), namespace, ...namesOf(naming), created_at: clock.now() };
}

/** A new version's row. */
export function newVersion(
  { newId, clock }: RouteOptions,
  pipelineId: string,
  naming: Naming,
  { spec, codeSourceUrl = "", packageUrl = "" }: { readonly spec: string; readonly codeSourceUrl?: string; readonly packageUrl?: string },
): VersionRow {
  return {
    id: newId(),
    pipeline_id: pipelineId,
    ...namesOf(naming),
    code_source_url: codeSourceUrl,
    package_url: packageUrl,
    spec,
    created_at: clock.now(),
  };
}

function namesOf({ name, displayName, description, tags }: Naming): Pick<PipelineRow, "name" | "display_name" | "description" | "tags"> {
  return { name: name === "" ? displayName : name, display_name: displayName === "" ? name : displayName, description, tags: JSON.stringify(tags) };
}

/** What a request calls a pipeline or a version, if that will do. */
export function checkNaming(naming: Naming, at: (field: string) => string, isVersion = false): Naming {
  if (naming.name === "" && naming.displayName === "") throw invalid(at("name"), "must not be empty");
  checkName(naming.name, at("name"), isVersion);
  checkName(naming.displayName, at("display_name"), isVersion);
  checkTags(naming.tags, at("tags"));
  return naming;
}

function namingOf(message: Message, isVersion = false): Naming {
  const [name, displayName, description] = [message.text("name"), message.text("display_name"), message.text("description")];
  return checkNaming({ name, displayName, description, tags: message.texts("tags") }, (field) => message.at(field), isVersion);
}

/** The version that a message describes. Its pipeline spec must be given: packages are uploaded, never fetched. */
function readVersion(options: RouteOptions, message: Message, pipelineId: string): VersionRow {
  const spec: JsonValue | undefined = message.value("pipeline_spec");
  if (spec === undefined) {
    throw invalid(message.at("pipeline_spec"), message.has("package_url") ? "is needed: this server fetches no packages" : "must be given");
  }
  const packageUrl = message.message("package_url", PACKAGE_URL)?.text("pipeline_url") ?? "";
  return newVersion(options, pipelineId, namingOf(message, true), {
    ...{ spec: specJson(spec).json, codeSourceUrl: message.text("code_source_url"), packageUrl },
  });
}

/** What a PATCH changes; an empty name is none. */
function changeOf(message: Message): { display_name?: string; description?: string; tags?: string } {
  const displayName = checkName(message.text("display_name"), "display_name");
  return {
    ...(displayName === "" ? {} : { display_name: displayName }),
    ...(message.has("description") ? { description: message.text("description") } : {}),
    ...(message.has("tags") ? { tags: JSON.stringify(checkTags(message.texts("tags"), "tags")) } : {}),
  };
}

const TAG = "PipelineService";

/** `/pipelines`; their versions and uploads are elsewhere. */
export function pipelineRoutesOf(api: Api, options: RouteOptions): void {
  const { store } = options;
  const load = (call: Call, verb: string): Promise<PipelineRow> => loadPipeline(options, call, verb);
  const path = "/pipelines/{pipeline_id}";

  api.add(
    {
      method: "post",
      path: "/pipelines",
      id: "create_pipeline",
      about: "Creates a pipeline without versions.",
      tag: TAG,
      body: PIPELINE,
      answer: PIPELINE,
    },
    async (call) => {
      const body = await call.body();
      const row = newPipeline(options, namespaceOf(body.text("namespace")), namingOf(body));
      await authorize(options, call.context, { verb: "create", resource: "pipelines", namespace: row.namespace });
      await store.pipelines.create(row);
      return pipelineJson(row);
    },
  );

  api.add(
    {
      ...{
        method: "post",
        path: "/pipelines/create",
        id: "create_pipeline_and_version",
        about: "Creates a pipeline and its first version.",
        tag: TAG,
      },
      ...{ body: CREATE_PIPELINE_AND_VERSION, answer: PIPELINE },
    },
    async (call) => {
      const body = await call.body();
      const pipeline = body.message("pipeline", PIPELINE);
      if (pipeline === undefined) throw invalid("pipeline", "must be given");
      const row = newPipeline(options, namespaceOf(pipeline.text("namespace")), namingOf(pipeline));
      await authorize(options, call.context, { verb: "create", resource: "pipelines", namespace: row.namespace });
      const given = body.object("pipeline_version") ?? {};
      const names = (given["name"] ?? given["display_name"]) === undefined ? { name: row.name, display_name: row.display_name } : {};
      const version = readVersion(options, new Message({ ...given, ...names }, "pipeline_version", PIPELINE_VERSION), row.id);
      await store.pipelines.create(row, version);
      return pipelineJson(row);
    },
  );

  const answer = listMessage("ListPipelinesResponse", "pipelines", PIPELINE);
  const query = { ...LIST_QUERY, namespace: STRING };
  api.add({ method: "get", path: "/pipelines", id: "list_pipelines", about: "Lists pipelines.", tag: TAG, query, answer }, async (call) => {
    const namespace = namespaceOf(call.query("namespace"));
    await authorize(options, call.context, { verb: "list", resource: "pipelines", namespace });
    const request = listRequest(call.query, PIPELINE_FIELDS, [equals("namespace", namespace)]);
    return listJson("pipelines", await store.pipelines.list(request.query), request, pipelineJson);
  });

  api.add(
    {
      ...{ method: "get", path: "/pipelines/names/{name}", id: "get_pipeline_by_name", about: "Reads the pipeline of a name.", tag: TAG },
      ...{ query: { namespace: STRING }, answer: PIPELINE },
    },
    async ({ context, param, query: given }) => {
      const [name, namespace] = [param("name"), namespaceOf(given("namespace"))];
      await authorize(options, context, { verb: "get", resource: "pipelines", namespace, name });
      return pipelineJson(found(await store.pipelines.findByName(namespace, name), "pipeline", name));
    },
  );

  api.add({ method: "get", path, id: "get_pipeline", about: "Reads a pipeline.", tag: TAG, answer: PIPELINE }, async (call) =>
    pipelineJson(await load(call, "get")),
  );

  api.add(
    {
      method: "patch",
      path,
      id: "update_pipeline",
      about: "Changes a pipeline's name for people, or its tags.",
      tag: TAG,
      body: PIPELINE,
      answer: PIPELINE,
    },
    async (call) => {
      const { id } = await load(call, "update");
      const change = changeOf(sameId(await call.body(), "pipeline_id", id));
      await store.pipelines.update(id, change);
      return pipelineJson(found(await store.pipelines.find(id), "pipeline", id));
    },
  );

  api.add(
    {
      ...{ method: "delete", path, id: "delete_pipeline", about: "Deletes a pipeline that has no versions, or with cascade, them too.", tag: TAG },
      query: { cascade: BOOL },
    },
    async (call) => {
      const { id } = await load(call, "delete");
      await store.pipelines.delete(id, { cascade: call.query("cascade") === "true" });
      return {};
    },
  );
}

/** `/pipelines/{id}/versions`. */
export function versionRoutes(api: Api, options: RouteOptions): void {
  const { store } = options;
  /** As upstream, a version is found by its own id, whatever pipeline stands before it. */
  const load = async ({ context, param }: Call, verb: string): Promise<VersionRow> => {
    const id = param("pipeline_version_id");
    const version = found(await store.versions.find(undefined, id), "pipeline version", id);
    const pipeline = found(await store.pipelines.find(version.pipeline_id), "pipeline", version.pipeline_id);
    await authorize(options, context, { verb, resource: "pipelines", namespace: pipeline.namespace, name: pipeline.name });
    return version;
  };
  const all = "/pipelines/{pipeline_id}/versions";
  const path = `${all}/{pipeline_version_id}`;

  api.add(
    {
      ...{ method: "post", path: all, id: "create_pipeline_version", about: "Adds a version to a pipeline.", tag: TAG },
      ...{ body: PIPELINE_VERSION, answer: PIPELINE_VERSION },
    },
    async (call) => {
      const { id } = await loadPipeline(options, call, "update");
      const row = readVersion(options, sameId(await call.body(), "pipeline_id", id), id);
      await store.versions.create(row);
      return versionJson(row);
    },
  );

  const answer = listMessage("ListPipelineVersionsResponse", "pipeline_versions", PIPELINE_VERSION);
  api.add(
    { method: "get", path: all, id: "list_pipeline_versions", about: "Lists a pipeline's versions.", tag: TAG, query: LIST_QUERY, answer },
    async (call) => {
      const { id } = await loadPipeline(options, call, "list");
      const request = listRequest(call.query, VERSION_FIELDS, [equals("pipeline_id", id)]);
      return listJson("pipeline_versions", await store.versions.list(request.query), request, versionJson);
    },
  );

  api.add({ method: "get", path, id: "get_pipeline_version", about: "Reads a version.", tag: TAG, answer: PIPELINE_VERSION }, async (call) =>
    versionJson(await load(call, "get")),
  );

  api.add(
    {
      ...{ method: "patch", path, id: "update_pipeline_version", about: "Changes a version's name for people, or its tags.", tag: TAG },
      ...{ body: PIPELINE_VERSION, answer: PIPELINE_VERSION },
    },
    async (call) => {
      const { id } = await load(call, "update");
      await store.versions.update(id, changeOf(sameId(await call.body(), "pipeline_version_id", id)));
      return versionJson(found(await store.versions.find(undefined, id), "pipeline version", id));
    },
  );

  api.add({ method: "delete", path, id: "delete_pipeline_version", about: "Deletes a version.", tag: TAG }, async (call) => {
    await store.versions.delete((await load(call, "delete")).id);
    return {};
  });
}

async function loadPipeline(options: RouteOptions, { context, param }: Call, verb: string): Promise<PipelineRow> {
  const id = param("pipeline_id");
  const row = found(await options.store.pipelines.find(id), "pipeline", id);
  await authorize(options, context, { verb, resource: "pipelines", namespace: row.namespace, name: row.name });
  return row;
}

/** The message, if it does not name another object than the path does. */
function sameId(body: Message, field: string, id: string): Message {
  const named = body.text(field);
  if (named !== "" && named !== id) throw invalid(body.at(field), "is not the one of the path");
  return body;
}
