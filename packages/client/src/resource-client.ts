import { apiVersionOf, isApiError, pathOf, ApiError } from "@sluice/kubernetes";
import type { KubernetesList, KubernetesObject, ObjectKey, Resource, WatchEvent } from "@sluice/kubernetes";
import type { Applied, ApplyOptions, Client, DeleteOptions, ListOptions, LogOptions, PatchType, WatchOptions } from "./client.ts";
import type { ApiRequest, ApiResponse, Transport } from "./transport.ts";

const PATCH_MEDIA_TYPES: Readonly<Record<PatchType, string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
};

/** The `Client` over any transport: turns verbs into requests, and nothing else. */
export function createClient(transport: Transport): Client {
  const sendForObject = async <R>(request: ApiRequest): Promise<R> => {
    const response = await transport.send(request);
    if (response.kind !== "object") throw unexpected(request, response);
    return response.object as R;
  };
  const at = (resource: Pick<Resource, "group" | "version" | "plural">, key: ObjectKey, subresource?: string): string =>
    pathOf(resource, { ...key, subresource });

  const client: Client = {
    get: (resource, key) => sendForObject({ method: "GET", path: at(resource, key), query: {} }),

    find: (resource, key) => undefinedWhenAbsent(client.get(resource, key)),

    list: async <T extends KubernetesObject>(resource: Resource<T>, options: ListOptions = {}): Promise<KubernetesList<T>> =>
      sendForObject({
        method: "GET",
        path: pathOf(resource, { namespace: options.namespace }),
        query: listQuery(options),
        signal: options.signal,
      }),

    async *watch<T extends KubernetesObject>(resource: Resource<T>, options: WatchOptions = {}): AsyncIterable<WatchEvent<T>> {
      const query = {
        ...listQuery(options),
        watch: "true",
        ...(options.allowWatchBookmarks === undefined ? {} : { allowWatchBookmarks: String(options.allowWatchBookmarks) }),
        ...(options.timeoutSeconds === undefined ? {} : { timeoutSeconds: String(options.timeoutSeconds) }),
        ...(options.sendInitialEvents ? { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" } : {}),
      };
      const request = { method: "GET", path: pathOf(resource, { namespace: options.namespace }), query, signal: options.signal };
      const response = await transport.send(request);
      if (response.kind !== "watch") throw unexpected(request, response);
      yield* response.events as AsyncIterable<WatchEvent<T>>;
    },

    create: (resource, object, options = {}) =>
      sendForObject({
        method: "POST",
        path: pathOf(resource, { namespace: object.metadata.namespace }),
        query: { ...(options.dryRun ? { dryRun: "All" } : {}), ...ownerQuery(options.owner) },
        body: object,
      }),

    update: (resource, object, options = {}) =>
      sendForObject({
        method: "PUT",
        path: at(resource, keyOf(object), options.subresource),
        query: ownerQuery(options.owner),
        body: object,
      }),

    patch: (resource, key, patch) =>
      sendForObject({
        method: "PATCH",
        path: at(resource, key, patch.subresource),
        query: ownerQuery(patch.owner),
        contentType: PATCH_MEDIA_TYPES[patch.type],
        body: patch.body,
      }),

    apply: <T extends KubernetesObject>(resource: Resource<T>, object: Applied<T>, options: ApplyOptions): Promise<T> =>
      sendForObject({
        method: "PATCH",
        path: at(resource, keyOf(object), options.subresource),
        query: { fieldManager: options.owner, ...(options.force ? { force: "true" } : {}) },
        contentType: "application/apply-patch+yaml",
        body: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind },
      }),

    delete: <T extends KubernetesObject>(resource: Resource<T>, key: ObjectKey, options: DeleteOptions = {}): Promise<T | undefined> =>
      undefinedWhenAbsent(
        sendForObject<T>({
          method: "DELETE",
          path: at(resource, key),
          query: {},
          body: { apiVersion: "v1", kind: "DeleteOptions", ...options },
        }),
      ),

    async *log(pod: ObjectKey, options: LogOptions = {}): AsyncIterable<Uint8Array> {
      const { signal, ...parameters } = options;
      const query = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
      const path = pathOf({ group: "", version: "v1", plural: "pods" }, { ...pod, subresource: "log" });
      const request = { method: "GET", path, query, signal };
      const response = await transport.send(request);
      if (response.kind !== "bytes") throw unexpected(request, response);
      yield* response.bytes;
    },

    request: (request) => sendForObject({ ...request, query: request.query ?? {} }),
  };
  return client;
}

function keyOf(object: { readonly metadata: { readonly name: string; readonly namespace?: string } }): ObjectKey {
  return { namespace: object.metadata.namespace, name: object.metadata.name };
}

function ownerQuery(owner: string | undefined): Record<string, string> {
  return owner === undefined ? {} : { fieldManager: owner };
}

function listQuery(options: ListOptions): Record<string, string> {
  const { labelSelector, fieldSelector, limit, continue: token, resourceVersion } = options;
  const query = { labelSelector, fieldSelector, limit, continue: token, resourceVersion };
  return Object.fromEntries(Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));
}

async function undefinedWhenAbsent<T>(outcome: Promise<T>): Promise<T | undefined> {
  try {
    return await outcome;
  } catch (error) {
    if (isApiError(error, "NotFound")) return undefined;
    throw error;
  }
}

function unexpected(request: ApiRequest, response: ApiResponse): ApiError {
  return new ApiError("InternalError", `${request.method} ${request.path}: the server answered with ${response.kind} where something else was due`);
}
