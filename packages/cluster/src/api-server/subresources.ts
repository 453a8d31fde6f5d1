import type { ApiResponse } from "@sluice/client";
import { isJsonObject, type Namespace, type UnknownObject } from "@sluice/kubernetes";
import { admit } from "./admit.ts";
import { methodNotAllowed, noSuchResource, notFound } from "./api-errors.ts";
import { connect, isConnection } from "./connect.ts";
import { bind } from "./pod-binding.ts";
import { evict } from "./pod-eviction.ts";
import { log } from "./pod-log.ts";
import { get } from "./list.ts";
import { patch } from "./patch.ts";
import { isDryRun, keyOfRequest, type ResourceRequest } from "./request-context.ts";
import { scale } from "./scale.ts";
import { rewrite, update } from "./update.ts";

/** Answers a request to a subresource of a stored object. */
export async function subresource(target: ResourceRequest): Promise<ApiResponse> {
  const { served, subresource: name = "", request } = target;
  const { method } = request;
  const at = `${served.table}/${name}`;
  if (name === "status" && served.resource.subresources.status) return readOrWrite(target);
  if (name === "scale" && served.resource.subresources.scale !== undefined) return scale(target, served.resource.subresources.scale);
  if (isConnection(at)) return connect(target, at);
  switch (at) {
    case "pods/log":
      return method === "GET" ? log(target) : refuse();
    case "pods/binding":
      return method === "POST" ? bind(target) : refuse();
    case "pods/eviction":
      return method === "POST" ? evict(target) : refuse();
    case "namespaces/finalize":
      return method === "PUT" ? finalize(target) : refuse();
    case "certificatesigningrequests.certificates.k8s.io/approval":
      // The decision is a condition, hence a part of the status.
      return readOrWrite({ ...target, subresource: "status", alias: "approval" });
    default:
      throw noSuchResource();
  }
}

function readOrWrite(target: ResourceRequest): Promise<ApiResponse> | ApiResponse {
  switch (target.request.method) {
    case "GET":
      return get(target);
    case "PUT":
      return update(target);
    case "PATCH":
      return patch(target);
    default:
      throw methodNotAllowed();
  }
}

function refuse(): never {
  throw methodNotAllowed();
}

/** Writes a namespace's spec.finalizers: the last one gone, so is the namespace. */
async function finalize(target: ResourceRequest): Promise<ApiResponse> {
  const { served, request } = target;
  const { name } = keyOfRequest(target);
  const { body } = request;
  const finalizers = isJsonObject(body) && isJsonObject(body["spec"]) && Array.isArray(body["spec"]["finalizers"]) ? body["spec"]["finalizers"] : [];
  const stored = await rewrite(target, isDryRun(request.query), (current) => {
    if (current === undefined) throw notFound(served.resource, name);
    const object = { ...current, spec: { ...(current as UnknownObject & Namespace).spec, finalizers } };
    return admit(target, { operation: "UPDATE", object, oldObject: current });
  });
  return { kind: "object", status: 200, object: stored };
}
