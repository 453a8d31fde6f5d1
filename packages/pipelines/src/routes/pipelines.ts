import type { Routes } from "@sluice/component";
import type { JsonValue } from "../domain/ir.ts";
import { equals } from "../store/page.ts";
import type { PipelineRow, VersionRow } from "../store/tables.ts";
import { authorize, found, listJson, namespaceOf, type RouteContext, type RouteOptions } from "./context.ts";
import { pipelineJson, specJson, versionJson } from "./json.ts";
import { listRequest, TAGS } from "./list-options.ts";
import { invalid, Message, readJson } from "./message.ts";

const PIPELINE = ["pipeline_id", "display_name", "name", "description", "created_at", "namespace", "error", "tags"];
const VERSION = [
  ...["pipeline_id", "pipeline_version_id", "display_name", "name", "description", "created_at"],
  ...["package_url", "code_source_url", "pipeline_spec", "error", "tags"],
];
const COMMON_FIELDS = { id: "id", name: "name", display_name: "display_name", created_at: "created_at", description: "description" };
const PIPELINE_FIELDS = { ...COMMON_FIELDS, ...TAGS, pipeline_id: "id", namespace: "namespace" };
const VERSION_FIELDS = { ...COMMON_FIELDS, ...TAGS, pipeline_version_id: "id", pipeline_id: "pipeline_id" };

/** A boolean of a query, as Go reads them: the Python client writes `True`. */
function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(?:1|t|true)$/iu.test(text);
}

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

function namingOf(message: Message): Naming {
  const [name, displayName] = [message.text("name"), message.text("display_name")];
  if (name === "" && displayName === "") throw invalid(message.at("name"), "must not be empty");
  return { name, displayName, description: message.text("description"), tags: message.texts("tags") };
}

/** The version that a message describes. Its pipeline spec must be given: packages are uploaded, never fetched. */
function readVersion(options: RouteOptions, message: Message, pipelineId: string): VersionRow {
  const spec: JsonValue | undefined = message.value("pipeline_spec");
  if (spec === undefined) {
    throw invalid(message.at("pipeline_spec"), message.has("package_url") ? "is needed: this server fetches no packages" : "must be given");
  }
  return newVersion(options, pipelineId, namingOf(message), { spec: specJson(spec).json, codeSourceUrl: message.text("code_source_url") });
}

/** What a PATCH changes. */
function changeOf(message: Message): { display_name?: string; description?: string; tags?: string } {
  return {
    ...(message.has("display_name") ? { display_name: message.required("display_name") } : {}),
    ...(message.has("description") ? { description: message.text("description") } : {}),
    ...(message.has("tags") ? { tags: JSON.stringify(message.texts("tags")) } : {}),
  };
}

/** `/pipelines`, their versions included; uploads are elsewhere. */
export function pipelineAndVersionRoutes(app: Routes, options: RouteOptions): void {
  const { store } = options;
  const load = async (context: RouteContext, id: string, verb: string): Promise<PipelineRow> => {
    const row = found(await store.pipelines.find(id), "pipeline", id);
    await authorize(options, context, { verb, resource: "pipelines", namespace: row.namespace, name: row.name });
    return row;
  };
  const loadVersion = async (context: RouteContext, verb: string): Promise<VersionRow> => {
    const [id, versionId] = [context.req.param("id") ?? "", context.req.param("version") ?? ""];
    await load(context, id, verb);
    return found(await store.versions.find(id, versionId), "pipeline version", versionId);
  };

  app.post("/pipelines", async (context) => {
    const body = new Message(await readJson(context), "", PIPELINE);
    const row = newPipeline(options, namespaceOf(body.text("namespace")), namingOf(body));
    await authorize(options, context, { verb: "create", resource: "pipelines", namespace: row.namespace });
    await store.pipelines.create(row);
    return context.json(pipelineJson(row));
  });

  app.post("/pipelines/create", async (context) => {
    const body = new Message(await readJson(context), "", ["pipeline", "pipeline_version"]);
    const pipeline = new Message(body.value("pipeline"), "pipeline", PIPELINE);
    const row = newPipeline(options, namespaceOf(pipeline.text("namespace")), namingOf(pipeline));
    await authorize(options, context, { verb: "create", resource: "pipelines", namespace: row.namespace });
    const given = body.object("pipeline_version") ?? {};
    const names = given["name"] === undefined && given["display_name"] === undefined ? { name: row.name, display_name: row.display_name } : {};
    const version = readVersion(options, new Message({ ...given, ...names }, "pipeline_version", VERSION), row.id);
    await store.pipelines.create(row, version);
    return context.json(pipelineJson(row));
  });

  app.get("/pipelines", async (context) => {
    const namespace = namespaceOf(context.req.query("namespace"));
    await authorize(options, context, { verb: "list", resource: "pipelines", namespace });
    const request = listRequest((name) => context.req.query(name), PIPELINE_FIELDS, [equals("namespace", namespace)]);
    return context.json(listJson("pipelines", await store.pipelines.list(request.query), request, pipelineJson));
  });

  app.get("/pipelines/names/:name", async (context) => {
    const [name, namespace] = [context.req.param("name"), namespaceOf(context.req.query("namespace"))];
    await authorize(options, context, { verb: "get", resource: "pipelines", namespace, name });
    return context.json(pipelineJson(found(await store.pipelines.findByName(namespace, name), "pipeline", name)));
  });

  app.get("/pipelines/:id", async (context) => context.json(pipelineJson(await load(context, context.req.param("id"), "get"))));

  app.patch("/pipelines/:id", async (context) => {
    const { id } = await load(context, context.req.param("id"), "update");
    await store.pipelines.update(id, changeOf(new Message(await readJson(context), "", PIPELINE)));
    return context.json(pipelineJson(found(await store.pipelines.find(id), "pipeline", id)));
  });

  app.delete("/pipelines/:id", async (context) => {
    const { id } = await load(context, context.req.param("id"), "delete");
    await store.pipelines.delete(id, { cascade: isTrue(context.req.query("cascade")) });
    return context.json({});
  });

  app.post("/pipelines/:id/versions", async (context) => {
    const { id } = await load(context, context.req.param("id"), "update");
    const body = new Message(await readJson(context), "", VERSION);
    const named = body.text("pipeline_id");
    if (named !== "" && named !== id) throw invalid("pipeline_id", "is not the one of the path");
    const row = readVersion(options, body, id);
    await store.versions.create(row);
    return context.json(versionJson(row));
  });

  app.get("/pipelines/:id/versions", async (context) => {
    const { id } = await load(context, context.req.param("id"), "list");
    const request = listRequest((name) => context.req.query(name), VERSION_FIELDS, [equals("pipeline_id", id)]);
    return context.json(listJson("pipeline_versions", await store.versions.list(request.query), request, versionJson));
  });

  app.get("/pipelines/:id/versions/:version", async (context) => context.json(versionJson(await loadVersion(context, "get"))));

  app.patch("/pipelines/:id/versions/:version", async (context) => {
    const { id, pipeline_id } = await loadVersion(context, "update");
    await store.versions.update(id, changeOf(new Message(await readJson(context), "", VERSION)));
    return context.json(versionJson(found(await store.versions.find(pipeline_id, id), "pipeline version", id)));
  });

  app.delete("/pipelines/:id/versions/:version", async (context) => {
    await store.versions.delete((await loadVersion(context, "delete")).id);
    return context.json({});
  });
}
