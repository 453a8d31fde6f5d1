import type { ApiRequest, ApiResponse, UserInfo } from "@sluice/client";
import { ApiError, apiVersionOf, builtinDefinition, isApiError, pathOf, type Resource, type UnknownObject } from "@sluice/kubernetes";
import { forbidden, methodNotAllowed, noSuchResource } from "./api-errors.ts";
import type { ApiServer } from "./api-server.ts";
import type { ApiServerOptions, RequestAttributes } from "./api-server-options.ts";
import { bootstrapObjects } from "./bootstrap.ts";
import { create } from "./create.ts";
import { CRD_TABLE, CustomResources } from "./custom-resources.ts";
import { deleteCollection, deleteObject } from "./delete.ts";
import { get, list } from "./list.ts";
import { isApply } from "./media-type.ts";
import { patch } from "./patch.ts";
import { Registry, type VirtualResource } from "./registry.ts";
import { attributesOf } from "./request-attributes.ts";
import type { ResourceRequest, ServerContext } from "./request-context.ts";
import { RequestNotes } from "./request-notes.ts";
import { isTrue, parseRequestPath, verbOf, type RequestInfo } from "./request-info.ts";
import { strategyOf } from "./strategies/index.ts";
import { subresource } from "./subresources.ts";
import { update } from "./update.ts";
import { watch } from "./watch.ts";

const APISERVER: UserInfo = { username: "system:apiserver", groups: ["system:masters", "system:authenticated"] };

/** Starts the Kubernetes API over a store: registers the kinds, creates what every cluster has, and answers requests. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const registry = new Registry();
  for (const resource of options.resources) registry.addBuiltIn(resource, strategyOf(resource), builtinDefinition);
  const server: ServerContext = { options, store: options.store, registry };
  const customResources = new CustomResources(server);
  customResources.sync();
  const { admission = [] } = options;
  const virtual = new Map((options.virtual ?? []).map((one) => [virtualKey(one, one.subresource, one.method), one]));

  const send: ApiServer["send"] = async (request, user, origin) => {
    const info = parseRequestPath(request.path);
    const verb = verbOf(request.method, info, request.query);
    const attributes = attributesOf(info, verb, request);
    const notes = new RequestNotes();
    const respond = (): Promise<ApiResponse> => answerTo({ request, user, info, attributes, notes });
    return options.audit === undefined
      ? respond()
      : options.audit.follow({ request, user, attributes, origin, annotations: notes.annotations }, respond);
  };

  const answerTo = async ({ request, user, info, attributes, notes }: Asked): Promise<ApiResponse> => {
    if (info.kind === "path") {
      await authorise(attributes, user, notes);
      const response = options.paths?.(request, api);
      if (response === undefined) throw noSuchResource();
      return response;
    }
    const computed = virtual.get(virtualKey(info, info.subresource, request.method));
    if (computed !== undefined) {
      await authorise(attributes, user, notes);
      return computed.answer(request, user, keyOf(info));
    }
    const served = registry.find(info.group, info.version, info.plural);
    if (served === undefined) throw noSuchResource();
    if ((served.resource.scope === "Cluster") !== (info.namespace === undefined) && (info.namespace !== undefined || info.name !== undefined)) {
      throw noSuchResource();
    }
    await authorise(attributes, user, notes);
    const { namespace, name, subresource: part } = info;
    const target: ResourceRequest = { server, served, request, user, namespace, name, subresource: part, admission, notes };
    if (mayCreate(target)) await authorise(attributesOf(info, "create", request), user, notes);
    let response: ApiResponse;
    try {
      response = await answer(target);
    } catch (error) {
      throw notes.addToError(error);
    }
    if (served.table === CRD_TABLE && request.method !== "GET") customResources.sync();
    return notes.addTo(response);
  };

  const authorise = async (attributes: RequestAttributes, user: UserInfo, notes: RequestNotes): Promise<void> => {
    const { allowed, reason } = await options.authorizer.authorize(user, attributes);
    notes.annotate("authorization.k8s.io/decision", allowed ? "allow" : "forbid");
    notes.annotate("authorization.k8s.io/reason", reason);
    if (!allowed) throw refusal(attributes, user, reason);
  };

  const answer = (target: ResourceRequest): Promise<ApiResponse> | ApiResponse => {
    const { request, served, name } = target;
    if (target.subresource !== undefined) return subresource(target);
    switch (request.method) {
      case "GET":
      case "HEAD":
        if (isTrue(request.query["watch"])) return watch(target);
        return name === undefined ? list(target) : get(target);
      case "POST":
        if (name !== undefined) throw methodNotAllowed();
        if (served.isCustom && customResources.isTerminating(served.table)) {
          throw new ApiError("MethodNotAllowed", "create not allowed while custom resource definition is terminating");
        }
        return create(target);
      case "PUT":
        if (name === undefined) throw methodNotAllowed();
        return update(target);
      case "PATCH":
        if (name === undefined) throw methodNotAllowed();
        return patch(target);
      case "DELETE":
        return name === undefined ? deleteCollection(target) : deleteObject(target);
      default:
        throw methodNotAllowed();
    }
  };

  let resources: readonly Resource[] | undefined;
  registry.onChange(() => {
    resources = undefined;
  });
  const api: ApiServer = {
    send,
    transport: (user) => ({ send: (request) => send(request, user) }),
    authenticate: options.authenticate,
    resources: () => (resources ??= registry.all.map(({ resource }) => resource)),
    onResourcesChange: (listener) => registry.onChange(listener),
    [Symbol.asyncDispose]: () => customResources[Symbol.asyncDispose](),
  };
  const { Namespace: namespaces = [], ...others } = Object.groupBy([...bootstrapObjects, ...(options.bootstrap ?? [])], ({ kind }) => kind);
  // Namespaces come first, since other things are in them; what is written at once shares a commit.
  await Promise.all(namespaces.map(ensure));
  await Promise.all(Object.values(others).flatMap((objects = []) => objects.map(ensure)));
  return api;

  /** Creates an object unless it exists. */
  async function ensure(object: UnknownObject): Promise<void> {
    const served = registry.all.find(({ resource }) => resource.kind === object.kind && apiVersionOf(resource) === object.apiVersion);
    if (served === undefined) return;
    const { namespace, name } = object.metadata;
    if (options.store.get(served.table, { namespace, name }) !== undefined) return;
    const request: ApiRequest = { method: "POST", path: pathOf(served.resource, { namespace }), query: {}, body: object };
    const itself = { user: APISERVER, admission: [], notes: new RequestNotes() };
    try {
      await create({ ...itself, server, served, request, namespace, name: undefined, subresource: undefined });
    } catch (error) {
      if (!isApiError(error, "AlreadyExists")) throw error;
    }
  }
}

/** A request, and what it is about. */
interface Asked {
  readonly request: ApiRequest;
  readonly user: UserInfo;
  readonly info: RequestInfo;
  readonly attributes: RequestAttributes;
  readonly notes: RequestNotes;
}

/** Whether a PUT or an apply is about to create its object, for which its own verb is not permission enough. */
function mayCreate({ server, served, request, namespace, name, subresource: part }: ResourceRequest): boolean {
  if (name === undefined || part !== undefined) return false;
  const isUpsert = request.method === "PUT" ? served.strategy.createsOnUpdate === true : request.method === "PATCH" && isApply(request.contentType);
  return isUpsert && server.store.get(served.table, { namespace, name }) === undefined;
}

function virtualKey(
  { group, version, plural }: Pick<VirtualResource, "group" | "version" | "plural">,
  part: string | undefined,
  method: string,
): string {
  return `${method} ${group}/${version}/${plural}/${part ?? ""}`;
}

type ResourceInfo = Extract<RequestInfo, { kind: "resource" }>;

function keyOf({ namespace, name }: ResourceInfo): { namespace?: string; name?: string } {
  return { ...(namespace === undefined ? {} : { namespace }), ...(name === undefined ? {} : { name }) };
}

function refusal(attributes: RequestAttributes, user: UserInfo, reason: string): ApiError {
  const because = reason === "" ? "" : `: ${reason}`;
  const who = `User ${JSON.stringify(user.username)}`;
  if (attributes.kind === "path")
    return new ApiError("Forbidden", `forbidden: ${who} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}${because}`, {
      details: {},
    });
  const { verb, group, resource, subresource: part, namespace, name } = attributes;
  const plural = part === undefined ? resource : `${resource}/${part}`;
  const where = namespace === undefined || resource === "namespaces" ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  return forbidden(
    { plural: resource, group },
    name,
    `${who} cannot ${verb} resource ${JSON.stringify(plural)} in API group ${JSON.stringify(group)} ${where}${because}`,
  );
}
