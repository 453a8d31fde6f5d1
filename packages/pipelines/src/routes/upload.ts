import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import type { Routes } from "@sluice/component";
import { ApiError } from "@sluice/kubernetes";
import busboy from "busboy";
import { unzipSync } from "fflate";
import { extract } from "tar-stream";
import { parsePipeline } from "../domain/ir-parse.ts";
import { isJsonObject } from "../domain/executor-input.ts";
import type { JsonValue } from "../domain/ir.ts";
import { authorize, found, namespaceOf, type RouteContext, type RouteOptions } from "./context.ts";
import { pipelineJson, versionJson } from "./json.ts";
import { invalid, MAX_BODY_BYTES, Message } from "./message.ts";
import { newPipeline, newVersion, type Naming } from "./pipelines.ts";

const UPLOAD_FIELD = "uploadfile";

/** `/pipelines/upload` and `/pipelines/upload_version`. */
export function uploadRoutes(app: Routes, options: RouteOptions): void {
  const { store } = options;

  app.post("/pipelines/upload", async (context) => {
    const namespace = namespaceOf(context.req.query("namespace"));
    await authorize(options, context, { verb: "create", resource: "pipelines", namespace });
    const file = await readUpload(context);
    const spec = await specOf(file);
    const naming = namingOf(context, file);
    const pipeline = newPipeline(options, namespace, naming);
    const codeSourceUrl = context.req.query("code_source_url") ?? "";
    await store.pipelines.create(pipeline, newVersion(options, pipeline.id, naming, { spec, codeSourceUrl }));
    return context.json(pipelineJson(pipeline));
  });

  app.post("/pipelines/upload_version", async (context) => {
    const id = context.req.query("pipelineid") ?? "";
    if (id === "") throw invalid("pipelineid", "must be given");
    const pipeline = found(await store.pipelines.find(id), "pipeline", id);
    await authorize(options, context, { verb: "update", resource: "pipelines", namespace: pipeline.namespace, name: pipeline.name });
    const file = await readUpload(context);
    const codeSourceUrl = context.req.query("code_source_url") ?? "";
    const version = newVersion(options, id, namingOf(context, file), { spec: await specOf(file), codeSourceUrl });
    await store.versions.create(version);
    return context.json(versionJson(version));
  });
}

interface UploadedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What the query names, or else the file. */
function namingOf(context: RouteContext, file: UploadedFile): Naming {
  const [name = "", displayName = ""] = [context.req.query("name"), context.req.query("display_name")];
  const tags = new Message({ tags: jsonOf(context.req.query("tags") ?? "{}") }, "", ["tags"]).texts("tags");
  const fallback = name === "" && displayName === "" ? file.name.replace(/\.(ya?ml|json|zip|tar\.gz|tgz)$/iu, "") : "";
  if (name === "" && displayName === "" && fallback === "") throw invalid("name", "must be given");
  return { name: name === "" ? fallback : name, displayName, description: context.req.query("description") ?? "", tags };
}

function jsonOf(text: string): JsonValue {
  try {
    const value: JsonValue = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch {
    // Refused below.
  }
  throw invalid("tags", "must be a JSON object of strings");
}

/** The multipart field `uploadfile`. */
async function readUpload(context: RouteContext): Promise<UploadedFile> {
  const { body, headers } = context.req.raw;
  const contentType = headers.get("content-type") ?? "";
  if (body === null || !contentType.startsWith("multipart/form-data")) {
    throw new ApiError("BadRequest", `the body must be multipart/form-data with a file ${UPLOAD_FIELD}`);
  }
  const { promise, resolve, reject } = Promise.withResolvers<UploadedFile | undefined>();
  let file: Promise<UploadedFile> | undefined;
  const fail = (cause: unknown): void => reject(new ApiError("BadRequest", `the upload cannot be read: ${messageOf(cause)}`, { cause }));
  let parser: busboy.Busboy;
  try {
    parser = busboy({ headers: { "content-type": contentType }, limits: { fileSize: MAX_BODY_BYTES, files: 1, fields: 100 } });
  } catch (cause) {
    throw new ApiError("BadRequest", `the upload cannot be read: ${messageOf(cause)}`, { cause });
  }
  parser.on("file", (field, stream, { filename }) => {
    if (field !== UPLOAD_FIELD) {
      stream.resume();
      return;
    }
    file = buffer(stream).then((bytes) => {
      if (stream.truncated === true) throw tooLarge("the file");
      return { name: filename ?? "", bytes };
    });
    file.catch(reject);
  });
  parser.on("error", fail);
  parser.on("close", () => resolve(file));
  const source = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  source.on("error", fail);
  source.pipe(parser);
  const uploaded = await promise;
  if (uploaded === undefined) throw new ApiError("BadRequest", `the form has no file ${UPLOAD_FIELD}`);
  return uploaded;
}

/** The pipeline in an uploaded file, as it is stored. */
async function specOf(file: UploadedFile): Promise<string> {
  const { pipelineSpec, platformSpec } = parsePipeline(await textOf(file));
  return JSON.stringify(platformSpec === undefined ? pipelineSpec : { pipeline_spec: pipelineSpec, platform_spec: platformSpec });
}

/** The YAML in a file: the file itself, or what an archive holds. Archives are told by their first bytes. */
async function textOf({ bytes }: UploadedFile): Promise<string> {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return decode(unzip(bytes));
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return decode(await untar(gunzip(bytes)));
  return decode(bytes);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ApiError("BadRequest", "the pipeline is not UTF-8 text, nor a zip or tar.gz archive", { cause });
  }
}

/** `pipeline.yaml`, or else the first YAML file. */
function chosen(names: readonly string[]): string {
  const name = names.includes("pipeline.yaml") ? "pipeline.yaml" : names.find((one) => /\.ya?ml$/iu.test(one));
  if (name === undefined) throw new ApiError("BadRequest", "the archive holds no pipeline.yaml");
  return name;
}

/** The pipeline in a zip archive, of which nothing else is unpacked. */
function unzip(archive: Uint8Array): Uint8Array {
  try {
    const names: string[] = [];
    unzipSync(archive, {
      filter({ name }) {
        names.push(name);
        return false;
      },
    });
    const wanted = chosen(names);
    const entries = unzipSync(archive, {
      filter({ name, originalSize }) {
        if (name === wanted && originalSize > MAX_BODY_BYTES) throw tooLarge(`${name} in the archive`);
        return name === wanted;
      },
    });
    return entries[wanted] ?? new Uint8Array();
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    throw new ApiError("BadRequest", `the zip archive cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function gunzip(bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: 2 * MAX_BODY_BYTES });
  } catch (cause) {
    throw new ApiError("BadRequest", `the gzip archive cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** The pipeline in a tar archive. */
async function untar(archive: Uint8Array): Promise<Uint8Array> {
  const entries = new Map<string, Uint8Array>();
  try {
    const parser = extract();
    parser.end(archive);
    for await (const entry of parser) {
      if (entry.header.type === "file") entries.set(entry.header.name.replace(/^\.\//u, ""), await buffer(entry));
      else entry.resume();
    }
  } catch (cause) {
    throw new ApiError("BadRequest", `the tar archive cannot be read: ${messageOf(cause)}`, { cause });
  }
  return entries.get(chosen([...entries.keys()])) ?? new Uint8Array();
}

function tooLarge(what: string): ApiError {
  return new ApiError("RequestEntityTooLarge", `${what} has more than ${MAX_BODY_BYTES} bytes`);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
