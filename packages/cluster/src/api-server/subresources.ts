import type { ApiResponse, LogOptions } from "@sluice/client";
import { ApiError, applyJsonPatch, applyMergePatch, isJsonObject, type Namespace, type Pod, type ScalePaths, type UnknownObject } from "@sluice/kubernetes";
import { badRequest, conflict, methodNotAllowed, noSuchResource, notFound, qualified } from "./api-errors.ts";
import { deleteObject } from "./delete.ts";
import { get } from "./list.ts";
import { patch } from "./patch.ts";
import { isDryRun, keyOfRequest, timestamp, type ResourceRequest } from "./request-context.ts";
import { mergeUpdate, rewrite, update } from "./update.ts";

/** Answers a request to a subresource of a stored object. */
export async function subresource(target: ResourceRequest): Promise<ApiResponse> {
  const { served, subresource: name = "", request } = target;
  const { method } = request;
  const at = `${served.table}/${name}`;
  if (name === "status" && served.resource.subresources.status) return readOrWrite(target);
  if (name === "scale" && served.resource.subresources.scale !== undefined) return scale(target, served.resource.subresources.scale);
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
      return readOrWrite({ ...target, subresource: "status" });
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

/** A container's log, from the node that the pod is on. */
async function log(target: ResourceRequest): Promise<ApiResponse> {
  const { request, server } = target;
  const key = keyOfRequest(target);
  const pod = find(target) as UnknownObject & Pod;
  const { query, signal } = request;
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ name }) => name);
  const container = query["container"] ?? (pod.spec.containers.length === 1 ? pod.spec.containers[0]?.name : pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"]);
  if (container === undefined || container === "") {
    throw badRequest(`a container name must be specified for pod ${key.name}, choose one of: [${containers.join(" ")}]`);
  }
  if (!containers.includes(container)) throw badRequest(`container ${container} is not valid for pod ${key.name}`);
  const waiting = `container ${JSON.stringify(container)} in pod ${JSON.stringify(key.name)} is waiting to start: ContainerCreating`;
  if ((pod.spec.nodeName ?? "") === "") {
    // As upstream: a pod that no node has yet has an empty log.
    return { kind: "bytes", contentType: "text/plain", bytes: nothing() };
  }
  const node = server.options.nodes(pod.spec.nodeName ?? "");
  if (node === undefined) throw badRequest(waiting);
  const options: LogOptions = {
    container,
    ...(query["follow"] === undefined ? {} : { follow: query["follow"] === "true" }),
    ...(query["timestamps"] === undefined ? {} : { timestamps: query["timestamps"] === "true" }),
    ...(query["previous"] === undefined ? {} : { previous: query["previous"] === "true" }),
    ...count("tailLines", query["tailLines"]),
    ...count("sinceSeconds", query["sinceSeconds"] ?? secondsSince(query["sinceTime"], server.options.clock.now())),
    ...count("limitBytes", query["limitBytes"]),
    ...(signal === undefined ? {} : { signal }),
  };
  return { kind: "bytes", contentType: "text/plain", bytes: await node.log(key, options) };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function secondsSince(time: string | undefined, now: number): string | undefined {
  if (time === undefined || time === "") return undefined;
  const at = Date.parse(time);
  if (Number.isNaN(at)) throw badRequest(`sinceTime: Invalid value: ${JSON.stringify(time)}: must be an RFC 3339 time`);
  return String(Math.max(1, Math.ceil((now - at) / 1000)));
}

function count<K extends string>(name: K, text: string | undefined): Partial<Record<K, number>> {
  if (text === undefined || text === "") return {};
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new ApiError("Invalid", `PodLogOptions "" is invalid: ${name}: Invalid value: ${text}: must be greater than or equal to 0`);
  return { [name]: value } as Partial<Record<K, number>>;
}

/** The scheduler's word: the pod belongs to a node from now on. */
async function bind(target: ResourceRequest): Promise<ApiResponse> {
  const { served, request, server } = target;
  const { name } = keyOfRequest(target);
  const node = isJsonObject(request.body) && isJsonObject(request.body["target"]) ? request.body["target"]["name"] : undefined;
  if (typeof node !== "string" || node === "") throw badRequest("target.name: Required value");
  await rewrite(target, isDryRun(request.query), (current) => {
    if (current === undefined) throw notFound(served.resource, name);
    const pod = current as UnknownObject & Pod;
    if (pod.metadata.deletionTimestamp !== undefined) throw conflict({ plural: "pods/binding", group: "" }, name, `pod ${name} is being deleted, cannot be assigned to a host`);
    if ((pod.spec.nodeName ?? "") !== "") throw conflict({ plural: "pods/binding", group: "" }, name, `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
    if ((pod.spec.schedulingGates ?? []).length > 0) throw conflict({ plural: "pods/binding", group: "" }, name, `pod ${name} has non-empty .spec.schedulingGates`);
    const conditions = (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
    const scheduled = { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: timestamp(server.options.clock.now()) };
    return { ...pod, spec: { ...pod.spec, nodeName: node }, status: { ...pod.status, conditions: [...conditions, scheduled] } };
  });
  return success(201);
}

/** Deletes a pod on somebody's polite request. */
async function evict(target: ResourceRequest): Promise<ApiResponse> {
  const body = isJsonObject(target.request.body) ? target.request.body : {};
  find(target);
  await deleteObject({ ...target, request: { ...target.request, body: isJsonObject(body["deleteOptions"]) ? body["deleteOptions"] : undefined } });
  return success(201);
}

/** Writes a namespace's spec.finalizers: the last one gone, so is the namespace. */
async function finalize(target: ResourceRequest): Promise<ApiResponse> {
  const { served, request } = target;
  const { name } = keyOfRequest(target);
  const { body } = request;
  const finalizers = isJsonObject(body) && isJsonObject(body["spec"]) && Array.isArray(body["spec"]["finalizers"]) ? body["spec"]["finalizers"] : [];
  const stored = await rewrite(target, isDryRun(request.query), (current) => {
    if (current === undefined) throw notFound(served.resource, name);
    return { ...current, spec: { ...(current as UnknownObject & Namespace).spec, finalizers } };
  });
  return { kind: "object", status: 200, object: stored };
}

/** Reads or writes the replicas of any kind that has them. */
async function scale(target: ResourceRequest, paths: ScalePaths): Promise<ApiResponse> {
  const { request, served } = target;
  const { name } = keyOfRequest(target);
  if (request.method === "GET") return { kind: "object", status: 200, object: scaleOf(served.view(find(target)), paths) };
  if (request.method !== "PUT" && request.method !== "PATCH") throw methodNotAllowed();
  const stored = await rewrite(target, isDryRun(request.query), (current) => {
    if (current === undefined) throw notFound(served.resource, name);
    const view = served.view(current);
    const before = scaleOf(view, paths);
    const wanted = request.method === "PUT" ? request.body : request.contentType === "application/json-patch+json" ? applyJsonPatch(before, request.body) : applyMergePatch(before, request.body);
    const spec = isJsonObject(wanted) && isJsonObject(wanted["spec"]) ? wanted["spec"] : {};
    const replicas = spec["replicas"] ?? 0;
    if (typeof replicas !== "number" || !Number.isInteger(replicas) || replicas < 0) {
      throw new ApiError("Invalid", `${qualified(served.resource)} ${JSON.stringify(name)} is invalid: spec.replicas: Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`);
    }
    const version = isJsonObject(wanted) && isJsonObject(wanted["metadata"]) ? wanted["metadata"]["resourceVersion"] : undefined;
    if (typeof version === "string" && version !== "" && version !== view.metadata.resourceVersion) throw conflict(served.resource, name);
    const merged = applyMergePatch(view, paths.specReplicasPath.split(".").slice(1).reduceRight<unknown>((value, key) => ({ [key]: value }), replicas));
    return mergeUpdate({ ...target, subresource: undefined }, current, merged as UnknownObject);
  });
  return { kind: "object", status: 200, object: scaleOf(served.view(stored), paths) };
}

function scaleOf(object: UnknownObject, paths: ScalePaths): UnknownObject {
  const at = (path: string): unknown => path.split(".").slice(1).reduce<unknown>((value, key) => (isJsonObject(value) ? value[key] : undefined), object);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.labelSelectorPath === undefined ? undefined : at(paths.labelSelectorPath);
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
  };
  const labels = isJsonObject(selector) && isJsonObject(selector["matchLabels"]) ? Object.entries(selector["matchLabels"]).map(([key, value]) => `${key}=${String(value)}`).join(",") : selector;
  return {
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    metadata,
    spec: { replicas: at(paths.specReplicasPath) ?? 0 },
    status: { replicas: at(paths.statusReplicasPath) ?? 0, ...(typeof labels === "string" ? { selector: labels } : {}) },
  };
}

function find(target: ResourceRequest): UnknownObject {
  const key = keyOfRequest(target);
  const object = target.server.store.get(target.served.table, key);
  if (object === undefined) throw notFound(target.served.resource, key.name);
  return object;
}

function success(code: number): ApiResponse {
  const metadata = { name: "" };
  return { kind: "object", status: code, object: { apiVersion: "v1", kind: "Status", metadata, status: "Success", code } };
}
