import { randomUUID } from "node:crypto";
import { createClient, type Client } from "@sluice/client";
import { systemClock } from "@sluice/controller";
import {
  builtinResources,
  ConfigMap,
  CustomResourceDefinition,
  defineResource,
  Job,
  Namespace,
  Pod,
  Service,
  type UnknownObject,
} from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore, type Store } from "../store/store.ts";
import type { ApiServer } from "./api-server.ts";
import { createApiServer } from "./create-api-server.ts";

let store: Store;
let api: ApiServer;
let client: Client;
const admin = { username: "admin", groups: ["system:masters"] };

beforeEach(async () => {
  store = await openStore({ path: ":memory:" });
  api = await createApiServer({
    store,
    resources: builtinResources,
    authorizer: { authorize: ({ username }) => ({ allowed: username === "admin", reason: "" }) },
    authenticate: async () => admin,
    nodes: () => undefined,
    clock: systemClock,
    newId: randomUUID,
    logger: { info: () => {}, warn: () => {}, error: () => {} },
  });
  client = createClient(api.transport(admin));
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
  await store.close();
});

const key = { namespace: "default", name: "a" };
const configMap = (name: string, data: Record<string, string> = {}): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data,
});
const pod = (): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "a", namespace: "default" },
  spec: { containers: [{ name: "main", image: "python:3.12", resources: { limits: { cpu: "1" } } }] },
});
const job = (): Job => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "a", namespace: "default" },
  spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "x" }] } } },
});
const send = async (
  method: string,
  path: string,
  options: { query?: Record<string, string>; body?: unknown; contentType?: string } = {},
): Promise<UnknownObject> => {
  const response = await api.send({ method, path, query: {}, ...options }, admin);
  if (response.kind !== "object") throw new Error(response.kind);
  return response.object;
};
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no failure",
    (error: unknown) => error,
  );

describe("create", () => {
  test("gives identity, and refuses a second of the name", async () => {
    const created = await client.create(ConfigMap, configMap("a"));
    expect(created.metadata).toMatchObject({
      name: "a",
      namespace: "default",
      uid: expect.any(String),
      resourceVersion: expect.stringMatching(/^\d+$/),
    });
    expect(await failure(client.create(ConfigMap, configMap("a")))).toMatchObject({
      reason: "AlreadyExists",
      message: 'configmaps "a" already exists',
    });
  });

  test("generates names", async () => {
    const { metadata } = await client.create(ConfigMap, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "", generateName: "run-", namespace: "default" },
    });
    expect(metadata.name).toMatch(/^run-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  test.each([
    ["an absent namespace", { ...configMap("a"), metadata: { name: "a", namespace: "nowhere" } }, "NotFound", 'namespaces "nowhere" not found'],
    ["a bad name", configMap("A_b"), "Invalid", /^ConfigMap "A_b" is invalid: metadata.name: Invalid value/],
    ["a set resourceVersion", { ...configMap("a"), metadata: { ...key, resourceVersion: "1" } }, "BadRequest", /resourceVersion should not be set/],
    ["a misshapen label", { ...configMap("a"), metadata: { ...key, labels: 5 as never } }, "Invalid", /metadata.labels/],
    ["a foreign namespace", configMap("a/b"), "Invalid", /metadata.name/],
    ["the wrong kind", { ...configMap("a"), kind: "Secret" }, "BadRequest", /must be of type ConfigMap/],
  ])("refuses %s", async (_, object, reason, message) => {
    expect(await failure(client.create(ConfigMap, object))).toMatchObject({ reason, message: expect.stringMatching(message) });
  });

  test("dry run leaves nothing", async () => {
    await client.create(ConfigMap, configMap("a"), { dryRun: true });
    expect(await client.find(ConfigMap, key)).toBeUndefined();
  });

  test("reports unknown fields as asked", async () => {
    const body = { ...configMap("a"), bogus: 1 };
    const path = "/api/v1/namespaces/default/configmaps";
    expect(await failure(send("POST", path, { query: { fieldValidation: "Strict" }, body }))).toMatchObject({
      message: 'strict decoding error: unknown field "bogus"',
    });
    expect(await api.send({ method: "POST", path, query: {}, body }, admin)).toMatchObject({ status: 201, warnings: ['unknown field "bogus"'] });
    expect(await client.get(ConfigMap, key)).not.toHaveProperty("bogus");
  });

  test("completes pods", async () => {
    const { spec, status, metadata } = await client.create(Pod, pod());
    expect(metadata.generation).toBe(1);
    expect(status).toMatchObject({ phase: "Pending", qosClass: "Burstable" });
    expect(spec).toMatchObject({ restartPolicy: "Always", serviceAccountName: "default", priority: 0 });
    expect(spec.containers[0]).toMatchObject({
      imagePullPolicy: "IfNotPresent",
      resources: { requests: { cpu: "1" } },
      volumeMounts: [{ mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }],
    });
    expect(spec.tolerations).toHaveLength(2);
  });

  test("refuses pods without a shape", async () => {
    const body = { apiVersion: "v1", kind: "Pod", metadata: { name: "a" } };
    for (const spec of [undefined, {}, { containers: "x" }, { containers: [] }]) {
      expect(await failure(send("POST", "/api/v1/namespaces/default/pods", { body: { ...body, spec } }))).toMatchObject({ reason: "Invalid" });
    }
  });

  test("ties jobs to their pods, and gives services addresses", async () => {
    const { spec, metadata } = await client.create(Job, job());
    expect(spec).toMatchObject({
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      selector: { matchLabels: { "batch.kubernetes.io/controller-uid": metadata.uid } },
    });
    expect(spec.template.metadata?.labels?.["job-name"]).toBe("a");
    const service = await client.create(Service, { apiVersion: "v1", kind: "Service", metadata: key, spec: { ports: [{ port: 80 }] } });
    expect(service.spec).toMatchObject({ clusterIP: expect.stringMatching(/^10\.96\./), ports: [{ targetPort: 80, protocol: "TCP" }] });
  });
});

describe("update and patch", () => {
  test("conflicts on a stale resourceVersion, and a write that changes nothing writes nothing", async () => {
    const first = await client.create(ConfigMap, configMap("a"));
    expect((await client.update(ConfigMap, first)).metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    await client.update(ConfigMap, { ...first, data: { x: "1" } });
    expect(await failure(client.update(ConfigMap, { ...first, data: { x: "2" } }))).toMatchObject({
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    });
  });

  test("splits status from spec, and counts generations of the spec only", async () => {
    const created = await client.create(Job, job());
    const changed = await client.update(Job, { ...created, spec: { ...created.spec, parallelism: 3 }, status: { active: 9 } });
    expect(changed).toMatchObject({ metadata: { generation: 2 }, spec: { parallelism: 3 } });
    expect(changed.status?.active).toBeUndefined();
    const reported = await client.update(
      Job,
      { ...changed, spec: { ...changed.spec, parallelism: 7 }, status: { active: 3 } },
      { subresource: "status" },
    );
    expect(reported).toMatchObject({ metadata: { generation: 2 }, spec: { parallelism: 3 }, status: { active: 3 } });
  });

  test("keeps immutable fields", async () => {
    const created = await client.create(Pod, pod());
    const moved = { ...created, spec: { ...created.spec, hostname: "other" } };
    expect(await failure(client.update(Pod, moved))).toMatchObject({
      reason: "Invalid",
      message: expect.stringContaining("pod updates may not change fields"),
    });
  });

  test("patches, concurrently, without losing any", async () => {
    await client.create(ConfigMap, configMap("a"));
    await Promise.all(["1", "2", "3"].map((n) => client.patch(ConfigMap, key, { type: "merge", body: { data: { [n]: n } } })));
    await client.patch(ConfigMap, key, { type: "json", body: [{ op: "remove", path: "/data/1" }] });
    expect((await client.get(ConfigMap, key)).data).toEqual({ "2": "2", "3": "3" });
  });
});

describe("delete", () => {
  test("answers Success, keeps what has finalizers until they are gone", async () => {
    await client.create(ConfigMap, { ...configMap("a"), metadata: { ...key, finalizers: ["example.com/x"] } });
    expect(await client.delete(ConfigMap, key)).toMatchObject({ metadata: { deletionTimestamp: expect.any(String) } });
    await client.patch(ConfigMap, key, { type: "merge", body: { metadata: { finalizers: null } } });
    expect(await client.find(ConfigMap, key)).toBeUndefined();
    await client.create(ConfigMap, configMap("a"));
    expect(await client.delete(ConfigMap, key)).toMatchObject({ kind: "Status", status: "Success", details: { name: "a", kind: "configmaps" } });
  });

  test("ends pods gracefully once they are on a node", async () => {
    await client.create(Pod, pod());
    await send("POST", "/api/v1/namespaces/default/pods/a/binding", {
      body: { apiVersion: "v1", kind: "Binding", metadata: { name: "a" }, target: { name: "node" } },
    });
    expect((await client.get(Pod, key)).spec.nodeName).toBe("node");
    expect(await client.delete(Pod, key)).toMatchObject({ metadata: { deletionGracePeriodSeconds: 30 } });
    await client.delete(Pod, key, { gracePeriodSeconds: 0 });
    expect(await client.find(Pod, key)).toBeUndefined();
    await client.create(Pod, pod());
    await client.delete(Pod, key);
    expect(await client.find(Pod, key)).toBeUndefined();
  });

  test("honours preconditions and policies", async () => {
    await client.create(ConfigMap, configMap("a"));
    expect(await failure(client.delete(ConfigMap, key, { preconditions: { uid: "other" } }))).toMatchObject({ reason: "Conflict" });
    expect(await client.delete(ConfigMap, key, { propagationPolicy: "Foreground" })).toMatchObject({
      metadata: { finalizers: ["foregroundDeletion"] },
    });
  });

  test("holds a namespace until it is finalized, and admits nothing new", async () => {
    await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } });
    expect(await client.delete(Namespace, { name: "n" })).toMatchObject({ status: { phase: "Terminating" } });
    const late = { ...configMap("a"), metadata: { name: "a", namespace: "n" } };
    expect(await failure(client.create(ConfigMap, late))).toMatchObject({
      reason: "Forbidden",
      details: { causes: [{ reason: "NamespaceTerminating" }] },
    });
    await send("PUT", "/api/v1/namespaces/n/finalize", { body: { metadata: { name: "n" }, spec: { finalizers: [] } } });
    expect(await client.find(Namespace, { name: "n" })).toBeUndefined();
  });

  test("deletes collections by selector", async () => {
    for (const name of ["a", "b"]) await client.create(ConfigMap, { ...configMap(name), metadata: { name, namespace: "default", labels: { name } } });
    await send("DELETE", "/api/v1/namespaces/default/configmaps", { query: { labelSelector: "name=a" } });
    expect((await client.list(ConfigMap, { namespace: "default" })).items.map(({ metadata }) => metadata.name)).toEqual(["b"]);
  });
});

describe("list and watch", () => {
  test("pages show one moment", async () => {
    for (const name of ["a", "b", "c"]) await client.create(ConfigMap, configMap(name));
    const first = await client.list(ConfigMap, { namespace: "default", limit: 1 });
    expect(first.metadata.remainingItemCount).toBe(2);
    await client.delete(ConfigMap, { namespace: "default", name: "b" });
    await client.create(ConfigMap, configMap("d"));
    const rest = await client.list(ConfigMap, { namespace: "default", limit: 9, continue: first.metadata.continue });
    expect(rest.items.map(({ metadata }) => metadata.name)).toEqual(["b", "c"]);
    expect(rest.metadata).toEqual({ resourceVersion: first.metadata.resourceVersion });
  });

  test("WatchList: what exists, the bookmark, then changes; leaving the selection is a deletion", async () => {
    await client.create(ConfigMap, { ...configMap("a"), metadata: { ...key, labels: { x: "1" } } });
    const abort = new AbortController();
    const seen: string[] = [];
    for await (const event of client.watch(ConfigMap, {
      labelSelector: "x=1",
      sendInitialEvents: true,
      allowWatchBookmarks: true,
      signal: abort.signal,
    })) {
      if (event.type === "BOOKMARK") {
        expect(event.object.metadata.annotations).toEqual({ "k8s.io/initial-events-end": "true" });
        await client.patch(ConfigMap, key, { type: "merge", body: { data: { y: "1" } } });
        await client.patch(ConfigMap, key, { type: "merge", body: { metadata: { labels: { x: "2" } } } });
        await client.patch(ConfigMap, key, { type: "merge", body: { metadata: { labels: { x: "1" } } } });
        await client.delete(ConfigMap, key);
      }
      seen.push(event.type);
      if (seen.length === 6) abort.abort();
    }
    expect(seen).toEqual(["ADDED", "BOOKMARK", "MODIFIED", "DELETED", "ADDED", "DELETED"]);
  });

  test("a watch ends at its timeout, after a bookmark", async () => {
    const seen: string[] = [];
    for await (const event of client.watch(ConfigMap, { resourceVersion: String(store.revision), allowWatchBookmarks: true, timeoutSeconds: 0.01 }))
      seen.push(event.type);
    expect(seen).toEqual(["BOOKMARK"]);
  });

  test("refuses what it would have to ignore", async () => {
    expect(await failure(send("GET", "/api/v1/pods", { query: { watch: "1", sendInitialEvents: "true" } }))).toMatchObject({ reason: "Invalid" });
    expect(await failure(send("GET", "/api/v1/pods", { query: { resourceVersion: "999999" } }))).toMatchObject({ reason: "Timeout" });
  });
});

test("says who may not do what", async () => {
  const bob = createClient(api.transport({ username: "bob", groups: [] }));
  expect(await failure(bob.get(Pod, key))).toMatchObject({
    reason: "Forbidden",
    message: 'pods "a" is forbidden: User "bob" cannot get resource "pods" in API group "" in the namespace "default"',
  });
  expect(await failure(send("GET", "/apis/none.example/v1/things"))).toMatchObject({
    reason: "NotFound",
    message: "the server could not find the requested resource",
  });
});

test("events are one store under two names", async () => {
  const metadata = { name: "e", namespace: "default" };
  const involvedObject = { kind: "Pod", name: "a", namespace: "default" };
  await send("POST", "/api/v1/namespaces/default/events", {
    body: { metadata, involvedObject, reason: "Started", message: "hello", type: "Normal" },
  });
  const path = "/apis/events.k8s.io/v1/namespaces/default/events/e";
  expect(await send("GET", path)).toMatchObject({ apiVersion: "events.k8s.io/v1", regarding: involvedObject, note: "hello" });
  await send("PATCH", path, { contentType: "application/merge-patch+json", body: { note: "bye" } });
  expect(await send("GET", "/api/v1/namespaces/default/events/e")).toMatchObject({ apiVersion: "v1", involvedObject, message: "bye" });
});

describe("custom resources", () => {
  const version = (name: string, storage: boolean): CustomResourceDefinition["spec"]["versions"][number] => ({
    name,
    served: true,
    storage,
    subresources: { status: {}, scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size" } },
    schema: {
      openAPIV3Schema: {
        type: "object",
        properties: {
          spec: {
            type: "object",
            required: ["size"],
            properties: { size: { type: "integer", minimum: 0 }, color: { type: "string", default: "red" } },
          },
          status: { type: "object", properties: { size: { type: "integer" } } },
        },
      },
    },
  });
  const crd = (): CustomResourceDefinition => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", kind: "Widget" },
      versions: [version("v1", true), version("v2", false)],
    },
  });
  const widget = (v: string): ReturnType<typeof defineResource<UnknownObject>> =>
    defineResource<UnknownObject>({ group: "example.com", version: v, kind: "Widget", plural: "widgets", scope: "Namespaced", schema: {} });
  const object = (spec: unknown): UnknownObject => ({
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata: { name: "a", namespace: "default" },
    spec,
  });

  test("are served at once: pruned, defaulted, validated, in every version, with status and scale", async () => {
    const { status } = await client.create(CustomResourceDefinition, crd());
    expect(status?.conditions?.map(({ type, status: is }) => [type, is])).toEqual([
      ["NamesAccepted", "True"],
      ["Established", "True"],
    ]);
    expect(status?.storedVersions).toEqual(["v1"]);
    expect(await failure(client.create(widget("v1"), object({ size: -1 })))).toMatchObject({
      reason: "Invalid",
      details: { causes: [{ field: "spec.size" }] },
    });
    const created = await client.create(widget("v1"), object({ size: 1, bogus: true }));
    expect(created).toMatchObject({ metadata: { generation: 1 }, spec: { size: 1, color: "red" } });
    expect(created["spec"]).not.toHaveProperty("bogus");
    expect((await client.get(widget("v2"), key)).apiVersion).toBe("example.com/v2");
    const scaled = await send("PATCH", "/apis/example.com/v1/namespaces/default/widgets/a/scale", {
      contentType: "application/merge-patch+json",
      body: { spec: { replicas: 4 } },
    });
    expect(scaled).toMatchObject({ kind: "Scale", spec: { replicas: 4 } });
    await client.patch(widget("v2"), key, { type: "merge", subresource: "status", body: { spec: { size: 9 }, status: { size: 4 } } });
    expect(await client.get(widget("v1"), key)).toMatchObject({ metadata: { generation: 2 }, spec: { size: 4 }, status: { size: 4 } });
  });

  test("go before their definition does", async () => {
    await client.create(CustomResourceDefinition, crd());
    await client.create(widget("v1"), object({ size: 1 }));
    const abort = new AbortController();
    const watch = client.watch(CustomResourceDefinition, { resourceVersion: String(store.revision), signal: abort.signal });
    await client.delete(CustomResourceDefinition, { name: "widgets.example.com" });
    for await (const event of watch) if (event.type === "DELETED") abort.abort();
    await api[Symbol.asyncDispose]();
    expect(store.list("widgets.example.com").items).toEqual([]);
    expect(await failure(client.list(widget("v1")))).toMatchObject({ reason: "NotFound" });
  });
});
