import type { ApiRequest } from "@sluice/client";
import type { RequestAttributes } from "./api-server-options.ts";
import { parseRequestPath, verbOf, type RequestInfo } from "./request-info.ts";

/** What a request wants to do. */
export function attributesOfRequest(request: Pick<ApiRequest, "method" | "path" | "query">): RequestAttributes {
  const info = parseRequestPath(request.path);
  return attributesOf(info, verbOf(request.method, info, request.query), request);
}

/** What a request with a verb wants to do at a path. */
export function attributesOf(info: RequestInfo, verb: string, { path, query }: Pick<ApiRequest, "path" | "query">): RequestAttributes {
  if (info.kind === "path") return { kind: "path", verb, path };
  const { group, version, plural, subresource } = info;
  // A namespace is in itself: who may act in it may be allowed to read it.
  const namespace = group === "" && plural === "namespaces" ? info.name : info.namespace;
  // A list or watch of one object counts as that object's, so that roles can name it.
  const named = /^metadata\.name=([^,!=]+)$/.exec(query["fieldSelector"] ?? "")?.[1];
  return { kind: "resource", verb, group, version, resource: plural, subresource, namespace, name: info.name ?? named };
}
