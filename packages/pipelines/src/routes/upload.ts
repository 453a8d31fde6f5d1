import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { ApiError } from "@sluice/kubernetes";
import busboy from "busboy";
import { parsePipeline } from "../domain/ir-parse.ts";
import { isJsonObject } from "../domain/executor-input.ts";
import type { JsonValue } from "../domain/ir.ts";
import type { Api, Call } from "./api.ts";
import { authorize, found, namespaceOf, type RouteContext, type RouteOptions } from "./context.ts";
import { pipelineJson, versionJson } from "./json.ts";
import { invalid, MAX_BODY_BYTES, Message } from "./message.ts";
import { PIPELINE, PIPELINE_VERSION } from "./messages.ts";
import { pipelineText, tooLarge } from "./pipeline-text.ts";
import { checkNaming, newPipeline, newVersion, type Naming } from "./pipelines.ts";
import { STRING } from "./schema.ts";

const UPLOAD_FIELD = "uploadfile";

const TAG = "PipelineUploadService";
const NAMING = {
  name: STRING,
  display_name: STRING,
  description: STRING,
  tags: { ...STRING, about: "A JSON object of strings" },
  code_source_url: STRING,
};

/** `/pipelines/upload` and `/pipelines/upload_version`. */
export function uploadRoutes(api: Api, options: RouteOptions): void {
  const { store } = options;

  api.add(
    {
      ...{
        method: "post",
        path: "/pipelines/upload",
        id: "upload_pipeline",
        about: "Creates a pipeline and its first version from a file.",
        tag: TAG,
      },
      ...{ query: { ...NAMING, namespace: STRING }, body: "upload", answer: PIPELINE, errors: "plain" },
    },
    async (call) => {
      const namespace = namespaceOf(call.query("namespace"));
      await authorize(options, call.context, { verb: "create", resource: "pipelines", namespace });
      const file = await readUpload(call.context);
      const spec = await specOf(file);
      const naming = namingOf(call, file);
      const pipeline = newPipeline(options, namespace, naming);
      await store.pipelines.create(pipeline, newVersion(options, pipeline.id, naming, { spec, codeSourceUrl: call.query("code_source_url") }));
      return pipelineJson(pipeline);
    },
  );

  api.add(
    {
      ...{ method: "post", path: "/pipelines/upload_version", id: "upload_pipeline_version", about: "Adds a version from a file.", tag: TAG },
      ...{ query: { ...NAMING, pipelineid: STRING }, body: "upload", answer: PIPELINE_VERSION, errors: "plain" },
    },
    async (call) => {
      const id = call.query("pipelineid");
      if (id === "") throw invalid("pipelineid", "must be given");
      const pipeline = found(await store.pipelines.find(id), "pipeline", id);
      await authorize(options, call.context, { verb: "update", resource: "pipelines", namespace: pipeline.namespace, name: pipeline.name });
      const file = await readUpload(call.context);
      const naming = namingOf(call, file, true);
      const version = newVersion(options, id, naming, { spec: await specOf(file), codeSourceUrl: call.query("code_source_url") });
      await store.versions.create(version);
      return versionJson(version);
    },
  );
}

interface UploadedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What the query names, or else the file. */
function namingOf({ query }: Call, file: UploadedFile, isVersion = false): Naming {
  const [name, displayName, description] = [query("name"), query("display_name"), query("description")];
  const tags = new Message({ tags: jsonOf(query("tags") || "{}") }, "", ["tags"]).texts("tags");
  const fallback = name === "" && displayName === "" ? file.name.replace(/\.(ya?ml|json|zip|tar\.gz|tgz)$/iu, "") : "";
  return checkNaming({ name: name === "" ? fallback : name, displayName, description, tags }, (field) => field, isVersion);
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
  const { pipelineSpec, platformSpec } = parsePipeline(await pipelineText(file.bytes));
  return JSON.stringify(platformSpec === undefined ? pipelineSpec : { pipeline_spec: pipelineSpec, platform_spec: platformSpec });
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
