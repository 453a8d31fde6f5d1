import { buffer } from "node:stream/consumers";
import { ApiError } from "@sluice/kubernetes";
import type { ObjectStore } from "@sluice/object-store";
import type { JsonObject } from "../domain/ir.ts";
import { logArtifacts } from "../engine/log-artifact.ts";
import type { ArtifactRecord, TaskValues } from "../engine/types.ts";
import { homeOfRow } from "../runner/run-record.ts";
import type { Api, Call } from "./api.ts";
import { loadArtifact } from "./artifact-records.ts";
import { byteRange } from "./byte-range.ts";
import { contentType, disposition } from "./content-type.ts";
import { found, type RouteOptions } from "./context.ts";
import { filesOf, tarOf, zipOf } from "./directory-archive.ts";
import { invalid } from "./message.ts";
import { ARTIFACT_BYTES, ARTIFACT_FILES } from "./messages.ts";
import { loadTask } from "./nodes.ts";
import { enumOf, INT32, STRING } from "./schema.ts";
import { sha256 } from "./sha256.ts";
import { streamOf } from "./stream.ts";

/** What `:read` may hold in one JSON string. */
const MAX_READ_BYTES = 64 * 1024 * 1024;
/** A report is somebody else's page: it may show itself, but is nobody here and reaches nothing. */
const SANDBOX =
  "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data: blob:";

const TAG = "ArtifactService";
const BYTES = "application/octet-stream";
const FORMAT = enumOf("ArchiveFormat", ["tar", "zip"]);
const DOWNLOAD = {
  path: { ...STRING, about: "A file within a directory artifact" },
  format: { ...FORMAT, about: "How a directory artifact comes as one file; tar unless said otherwise" },
};

/** The bytes of artifacts: by their ids, and as a run's tasks have them. */
export function artifactByteRoutes(api: Api, options: RouteOptions): void {
  const { objects } = options;

  api.add(
    {
      ...{ method: "get", path: "/artifacts/{artifact_id}:download", id: "download_artifact", about: "Gives an artifact's bytes.", tag: TAG },
      ...{ query: DOWNLOAD, answer: BYTES, errors: "plain" },
    },
    async (call) => {
      const { namespace, record } = await loadArtifact(options, call, "readArtifact");
      const artifact = JSON.parse(record) as ArtifactRecord;
      return download(objects.of(namespace, { query: artifact.store }), artifact, call);
    },
  );

  api.add(
    {
      ...{
        method: "get",
        path: "/artifacts/{artifact_id}:files",
        id: "list_artifact_files",
        about: "Lists the files of a directory artifact.",
        tag: TAG,
      },
      answer: ARTIFACT_FILES,
    },
    async (call) => {
      const { namespace, record } = await loadArtifact(options, call, "readArtifact");
      const { uri, store } = JSON.parse(record) as ArtifactRecord;
      const files: JsonObject[] = [];
      for await (const { path, size } of filesOf(objects.of(namespace, { query: store }), uri)) files.push({ path, size: String(size) });
      return { files };
    },
  );

  const nodes = "/runs/{run_id}/nodes/{node_id}/artifacts/{artifact_name}";
  const index = { ...INT32, about: "Which of a list of artifacts; the first unless said otherwise" };
  api.add(
    {
      ...{ method: "get", path: `${nodes}:read`, id: "read_artifact", about: "Gives an artifact's bytes in JSON.", tag: "RunService" },
      ...{ query: { index }, answer: ARTIFACT_BYTES, errors: "plain" },
    },
    async (call) => {
      const { namespace, artifact } = await taskArtifact(options, call);
      const { uri, name } = artifact;
      const own = objects.of(namespace, { query: artifact.store });
      const { size } = found(await own.stat(uri), "the bytes of artifact", name);
      if (size > MAX_READ_BYTES) throw new ApiError("RequestEntityTooLarge", `artifact ${name} has ${size} bytes: read it without ":read"`);
      return { data: (await buffer(own.get(uri))).toString("base64") };
    },
  );

  api.add(
    {
      ...{ method: "get", path: nodes, id: "download_task_artifact", about: "Gives the bytes of what a task got or gave.", tag: "RunService" },
      ...{ query: { ...DOWNLOAD, index }, answer: BYTES, errors: "plain" },
    },
    async (call) => {
      const { namespace, artifact } = await taskArtifact(options, call);
      return download(objects.of(namespace, { query: artifact.store }), artifact, call);
    },
  );
}

/** The artifact that a task gave under a name, or was given; of a list, the one `?index` names. */
async function taskArtifact(options: RouteOptions, call: Call): Promise<{ readonly namespace: string; readonly artifact: ArtifactRecord }> {
  const { run, task } = await loadTask(options, call, "readArtifact");
  const [name, index] = [call.param("artifact_name"), Number(call.query("index"))];
  const own = ({ artifacts }: TaskValues): readonly ArtifactRecord[] | undefined => (Object.hasOwn(artifacts, name) ? artifacts[name] : undefined);
  const log = logArtifacts(homeOfRow(run), task, sha256).get(name);
  const list = own(task.outputs) ?? (log === undefined ? own(task.inputs) : [log]);
  return { namespace: run.namespace, artifact: found(list?.[index], `task ${task.displayName}: artifact`, name) };
}

/** The bytes of an artifact, or of a file in it; of those, what the request's `Range` asks for. A directory comes as an archive. */
async function download(objects: ObjectStore, artifact: ArtifactRecord, { context, query }: Call): Promise<Response> {
  const path = query("path");
  if (path.split("/").includes("..")) throw invalid("path", "must stay within the artifact");
  const uri = path === "" ? artifact.uri : `${artifact.uri.replace(/\/$/u, "")}/${path.replace(/^\/+/u, "")}`;
  const info = await objects.stat(uri);
  if (info === undefined) return downloadDirectory(objects, { ...artifact, uri }, path, query("format"));
  const fileName = fileNameOf(uri);
  const type = contentType(fileName, path === "" ? artifact.type.schemaTitle : undefined);
  const headers = {
    ...headersOf(type, disposition(type, fileName, context.req.header("sec-fetch-dest"))),
    "accept-ranges": "bytes",
    etag: JSON.stringify(info.digest),
  };
  if (context.req.header("if-none-match") === headers.etag) return new Response(null, { status: 304, headers });
  const isCurrent = [undefined, headers.etag].includes(context.req.header("if-range"));
  const range = isCurrent ? byteRange(context.req.header("range"), info.size) : undefined;
  if (range === "unsatisfiable") return new Response(null, { status: 416, headers: { "content-range": `bytes */${info.size}` } });
  const { start, end } = range ?? { start: 0, end: info.size };
  const part = range === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${info.size}` };
  const body = streamOf(objects.get(uri, { start, end }));
  return new Response(body, { status: range === undefined ? 200 : 206, headers: { ...headers, ...part, "content-length": String(end - start) } });
}

async function downloadDirectory(objects: ObjectStore, { uri, name }: ArtifactRecord, path: string, format: string): Promise<Response> {
  const first = await filesOf(objects, uri).next();
  if (first.done === true) throw new ApiError("NotFound", path === "" ? `nothing is stored at ${uri}` : `artifact ${name} has no file ${path}`);
  const isZip = format === "zip";
  const body = streamOf(isZip ? await zipOf(objects, uri) : tarOf(objects, uri));
  const type = isZip ? "application/zip" : "application/x-tar";
  return new Response(body, { headers: headersOf(type, `attachment; filename="${fileNameOf(uri)}.${isZip ? "zip" : "tar"}"`) });
}

function headersOf(type: string, contentDisposition: string): Record<string, string> {
  return {
    "content-type": type.startsWith("text/") ? `${type}; charset=utf-8` : type,
    "content-disposition": contentDisposition,
    "content-security-policy": SANDBOX,
    "x-content-type-options": "nosniff",
  };
}

function fileNameOf(uri: string): string {
  const path = uri.replace(/\/+$/u, "");
  return path.slice(path.lastIndexOf("/") + 1).replace(/[^\w.-]/gu, "_");
}
