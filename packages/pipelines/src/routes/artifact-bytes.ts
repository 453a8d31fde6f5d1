import { buffer } from "node:stream/consumers";
import type { Routes } from "@sluice/component";
import { ApiError } from "@sluice/kubernetes";
import type { ObjectStore } from "@sluice/object-store";
import type { ArtifactRecord } from "../engine/types.ts";
import { equals } from "../store/page.ts";
import { byteRange } from "./byte-range.ts";
import { authorize, found, listJson, namespaceOf, type RouteContext, type RouteOptions } from "./context.ts";
import { artifactRowJson } from "./json.ts";
import { listRequest } from "./list-options.ts";
import { invalid } from "./message.ts";
import { loadTask } from "./nodes.ts";
import { streamOf } from "./stream.ts";

const FIELDS = {
  id: "id",
  artifact_id: "id",
  name: "name",
  type: "type",
  uri: "uri",
  created_at: "created_at",
  run_id: "run_id",
  task_id: "task_id",
};
/** What `:read` may hold in one JSON string. */
const MAX_READ_BYTES = 64 * 1024 * 1024;
const TYPES: Readonly<Record<string, string>> = {
  ...{ css: "text/css", csv: "text/csv", htm: "text/html", html: "text/html", log: "text/plain", md: "text/markdown", txt: "text/plain" },
  ...{ gif: "image/gif", jpeg: "image/jpeg", jpg: "image/jpeg", png: "image/png", svg: "image/svg+xml", webp: "image/webp" },
  ...{ json: "application/json", jsonl: "application/x-ndjson", pdf: "application/pdf", yaml: "application/yaml", yml: "application/yaml" },
  ...{ gz: "application/gzip", zip: "application/zip", js: "text/javascript", mp4: "video/mp4", wav: "audio/wav" },
};
/** A report is somebody else's page: it may show itself, but is nobody here and reaches nothing. */
const SANDBOX =
  "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data: blob:";

/** `/artifacts`, and the artifacts of a run's tasks. */
export function artifactRoutes(app: Routes, options: RouteOptions): void {
  const { store, objects } = options;

  app.get("/artifacts", async (context) => {
    const namespace = namespaceOf(context.req.query("namespace"));
    await authorize(options, context, { verb: "list", resource: "runs", namespace });
    const request = listRequest((name) => context.req.query(name), FIELDS, [equals("namespace", namespace)]);
    return context.json(listJson("artifacts", await store.artifacts.list(request.query), request, artifactRowJson));
  });

  app.get("/artifacts/:target", async (context) => {
    const [id = "", verb] = context.req.param("target").split(":");
    const row = found(await store.artifacts.find(id), "artifact", id);
    await authorize(options, context, { verb: verb === undefined ? "get" : "readArtifact", resource: "runs", namespace: row.namespace });
    const artifact = JSON.parse(row.record) as ArtifactRecord;
    if (verb === undefined) return context.json(artifactRowJson(row));
    if (verb === "download") return download(objects, artifact, context);
    if (verb === "files") return context.json({ files: await filesOf(objects, artifact.uri) });
    throw new ApiError("NotFound", `there is no ${context.req.method} ${context.req.path}`);
  });

  app.get("/runs/:id/nodes/:node/artifacts/:target", async (context) => {
    const target = context.req.param("target");
    const isRead = target.endsWith(":read");
    const name = isRead ? target.slice(0, -":read".length) : target;
    const artifact = await taskArtifact(options, context, name);
    if (!isRead) return download(objects, artifact, context);
    const { size } = found(await objects.stat(artifact.uri), "the bytes of artifact", name);
    if (size > MAX_READ_BYTES) throw new ApiError("RequestEntityTooLarge", `artifact ${name} has ${size} bytes: read it without ":read"`);
    return context.json({ data: (await buffer(objects.get(artifact.uri))).toString("base64") });
  });
}

/** The artifact that a task gave under `name`, or was given; of a list, the one `?index` names. */
async function taskArtifact(options: RouteOptions, context: RouteContext, name: string): Promise<ArtifactRecord> {
  const { task } = await loadTask(options, context, "readArtifact");
  const index = Number(context.req.query("index") ?? "0");
  const own = (values: typeof task.outputs): readonly ArtifactRecord[] | undefined =>
    Object.hasOwn(values.artifacts, name) ? values.artifacts[name] : undefined;
  return found((own(task.outputs) ?? own(task.inputs))?.[index], `task ${task.displayName}: artifact`, name);
}

async function filesOf(objects: ObjectStore, uri: string): Promise<{ readonly path: string; readonly size: string }[]> {
  const files: { path: string; size: string }[] = [];
  for await (const file of objects.list(uri)) files.push({ path: file.uri.slice(uri.length).replace(/^\//u, ""), size: String(file.size) });
  return files;
}

/** The bytes of an artifact, or of a file in it; of those, what the request's `Range` asks for. */
async function download(objects: ObjectStore, artifact: ArtifactRecord, context: RouteContext): Promise<Response> {
  const path = context.req.query("path") ?? "";
  if (path.split("/").includes("..")) throw invalid("path", "must stay within the artifact");
  const uri = path === "" ? artifact.uri : `${artifact.uri.replace(/\/$/u, "")}/${path.replace(/^\/+/u, "")}`;
  const info = await objects.stat(uri);
  if (info === undefined) {
    const what =
      path === "" ? `nothing is stored at ${uri}; of a directory, name a file with ?path=` : `artifact ${artifact.name} has no file ${path}`;
    throw new ApiError("NotFound", what);
  }
  const fileName = uri.slice(uri.lastIndexOf("/") + 1).replace(/[^\w.-]/gu, "_");
  const type = contentType(fileName, path === "" ? artifact.type.schemaTitle : undefined);
  const headers = {
    "content-type": type.startsWith("text/") ? `${type}; charset=utf-8` : type,
    "accept-ranges": "bytes",
    "content-disposition": `inline; filename="${fileName}"`,
    "content-security-policy": SANDBOX,
    "x-content-type-options": "nosniff",
    etag: JSON.stringify(info.digest),
  };
  const isCurrent = [undefined, headers.etag].includes(context.req.header("if-range"));
  const range = isCurrent ? byteRange(context.req.header("range"), info.size) : undefined;
  if (range === "unsatisfiable") return new Response(null, { status: 416, headers: { "content-range": `bytes */${info.size}` } });
  const { start, end } = range ?? { start: 0, end: info.size };
  const part = range === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${info.size}` };
  const body = streamOf(objects.get(uri, { start, end }));
  return new Response(body, { status: range === undefined ? 200 : 206, headers: { ...headers, ...part, "content-length": String(end - start) } });
}

function contentType(fileName: string, schemaTitle: string | undefined): string {
  const extension = /\.([a-z0-9]+)$/iu.exec(fileName)?.[1]?.toLowerCase() ?? "";
  const known = Object.hasOwn(TYPES, extension) ? TYPES[extension] : undefined;
  if (known !== undefined) return known;
  if (schemaTitle === "system.HTML") return "text/html";
  return schemaTitle === "system.Markdown" ? "text/markdown" : "application/octet-stream";
}
