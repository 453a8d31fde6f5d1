import type { IncomingMessage } from "node:http";
import type { ApiRequest } from "@sluice/client";
import { ApiError, decodeProtobuf, PROTOBUF_MEDIA_TYPE, requireShallow } from "@sluice/kubernetes";
import { parseDocument } from "yaml";
import { isApply } from "../api-server/media-type.ts";
import type { AdmittedRequest } from "./request-limits.ts";

/** The largest body that is read. */
const MAX_BODY_BYTES: number = 3 * 1024 * 1024;

/** Reads a request from the wire: its path, its query, and its body in whichever encoding it came, unless that is left to others. */
export async function readRequest(message: IncomingMessage, admitted: AdmittedRequest | undefined): Promise<ApiRequest> {
  const { method = "GET", url = "/", headers } = message;
  const mark = url.indexOf("?");
  const { query, repeated } = readQuery(mark < 0 ? "" : url.slice(mark + 1));
  const path = mark < 0 ? url : url.slice(0, mark);
  const { accept } = headers;
  if (method === "GET" || method === "HEAD" || admitted === undefined) return { method, path, query, repeated, accept };

  const contentType = headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  const bytes = await readBytes(message, admitted);
  const decoded = bytes.length === 0 ? {} : decodeBody(bytes, { method, contentType, isStrict: query["fieldValidation"] === "Strict" });
  requireShallow(decoded.body);
  return {
    method,
    path,
    query: withManager(method, contentType, query, headers["user-agent"]),
    contentType,
    accept,
    ...decoded,
  };
}

function readQuery(text: string): Pick<ApiRequest, "query" | "repeated"> {
  const query: Record<string, string> = {};
  let repeated: Record<string, readonly string[]> | undefined;
  for (const [name, value] of new URLSearchParams(text)) {
    const first = query[name];
    if (first === undefined) query[name] = value;
    else repeated = { ...repeated, [name]: [...(repeated?.[name] ?? [first]), value] };
  }
  return { query, repeated };
}

/** Who writes without saying who manages the fields goes by the name of the program. An apply must say it. */
function withManager(
  method: string,
  contentType: string | undefined,
  query: Record<string, string>,
  agent: string | undefined,
): Record<string, string> {
  if (method === "DELETE" || isApply(contentType) || (query["fieldManager"] ?? "") !== "") return query;
  const name = agent?.split("/")[0]?.slice(0, 128) ?? "";
  return name === "" ? query : { ...query, fieldManager: name };
}

const MAX_REASON = 300;

function decodeBody(
  bytes: Buffer,
  { method, contentType, isStrict }: { readonly method: string; readonly contentType: string | undefined; readonly isStrict: boolean },
): Pick<ApiRequest, "body" | "bodyText"> {
  switch (contentType) {
    case PROTOBUF_MEDIA_TYPE:
      if (method === "PATCH") break;
      return { body: decodeProtobuf(bytes) };
    case "application/yaml":
      if (method === "PATCH") break;
      return decodeYaml(bytes.toString(), isStrict);
    case "application/apply-patch+yaml":
      return decodeYaml(bytes.toString(), isStrict);
    case undefined:
    case "":
    case "application/json":
    case "application/json-patch+json":
    case "application/merge-patch+json":
    case "application/strategic-merge-patch+json":
      return decodeJson(bytes.toString());
  }
  throw new ApiError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${(method === "PATCH" ? PATCH_TYPES : BODY_TYPES).join(", ")}`,
  );
}

const BODY_TYPES = ["application/json", "application/yaml", PROTOBUF_MEDIA_TYPE];
const PATCH_TYPES = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
];

function decodeJson(bodyText: string): Pick<ApiRequest, "body" | "bodyText"> {
  try {
    return { body: JSON.parse(bodyText), bodyText };
  } catch (cause) {
    throw malformed("JSON", cause);
  }
}

/** JSON is YAML too, and is read much faster as what it is. */
function decodeYaml(text: string, isStrict: boolean): Pick<ApiRequest, "body" | "bodyText"> {
  if (/^\s*\{/u.test(text)) {
    try {
      return { body: JSON.parse(text), bodyText: text };
    } catch {
      // A flow mapping of YAML starts the same way.
    }
  }
  const document = parseDocument(text, { uniqueKeys: isStrict });
  const [error] = document.errors;
  if (error?.code === "DUPLICATE_KEY") throw new ApiError("BadRequest", `strict decoding error: ${error.message}`, { cause: error });
  if (error !== undefined) throw malformed("YAML", error);
  try {
    return { body: document.toJS({ maxAliasCount: 100 }) };
  } catch (cause) {
    throw malformed("YAML", cause); // An alias of nothing, or so many that they are an attack.
  }
}

function malformed(notation: string, cause: unknown): ApiError {
  // A parser may quote the whole line at fault.
  const reason = (cause instanceof Error ? cause.message : String(cause)).slice(0, MAX_REASON);
  return new ApiError("BadRequest", `the body of the request is not valid ${notation}: ${reason}`, { cause });
}

async function readBytes(message: IncomingMessage, admitted: AdmittedRequest): Promise<Buffer> {
  if (Number(message.headers["content-length"] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  message.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) {
      message.pause();
      return reject(tooLarge());
    }
    try {
      admitted.takeBody(chunk.length);
      chunks.push(chunk);
    } catch (error) {
      reject(error); // The rest is read nevertheless, and forgotten.
    }
  });
  message.once("end", () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
  message.once("error", (cause) => reject(new ApiError("BadRequest", "the client has gone before its request was complete", { cause })));
  return promise;
}

function tooLarge(): ApiError {
  return new ApiError("RequestEntityTooLarge", `Request entity too large: limit is ${MAX_BODY_BYTES}`);
}
