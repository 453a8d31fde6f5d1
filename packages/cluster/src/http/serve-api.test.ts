import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { gunzipSync } from "node:zlib";
import { createClient, createHttpsTransport, loadKubeconfig, type Client, type HttpsTransport } from "@sluice/client";
import { ConfigMap, Pod, PROTOBUF_MEDIA_TYPE } from "@sluice/kubernetes";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type Cluster } from "../start-cluster.ts";
import { openLines, rawClient, type RawClient, type RawRequest } from "./raw-client.fixture.ts";

let cluster: Cluster;
let raw: RawClient;
let transport: HttpsTransport;
let client: Client;

beforeAll(async () => {
  cluster = await startCluster({ mode: "api-server" });
  raw = await rawClient(cluster.kubeconfigPath);
  transport = createHttpsTransport(await loadKubeconfig(cluster.kubeconfigPath));
  client = createClient(transport);
});
afterAll(async () => {
  transport[Symbol.dispose]();
  raw[Symbol.dispose]();
  await cluster[Symbol.asyncDispose]();
});

const MAPS = "/api/v1/namespaces/default/configmaps";
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";
const JSON_TYPE = { "content-type": "application/json" };
const configMap = (name: string, data: Record<string, string> = {}): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data,
});
const post = (body: RawRequest["body"], type = "application/json"): RawRequest => ({
  method: "POST",
  headers: { "content-type": type },
  body: body ?? "",
});

describe("bodies", () => {
  test.each<[string, RawRequest, number, object]>([
    ["JSON", post(configMap("json")), 201, { kind: "ConfigMap" }],
    ["JSON that does not say so", { method: "POST", body: configMap("silent") }, 201, { kind: "ConfigMap" }],
    ["YAML", post("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata: {a: b}\n", "application/yaml"), 201, { data: { a: "b" } }],
    ["half an object", post("{"), 400, { reason: "BadRequest", message: expect.stringMatching(/not valid JSON/) }],
    [
      "a YAML that says a thing twice",
      post("kind: ConfigMap\napiVersion: v1\nmetadata: {name: twice}\ndata: {a: b}\ndata: {}\n", "application/yaml"),
      201,
      { kind: "ConfigMap" },
    ],
    ["a YAML that refers to nothing", post("a: *b\n", "application/yaml"), 400, { message: expect.stringMatching(/not valid YAML/) }],
    ["half a YAML", post("a: [", "application/yaml"), 400, { reason: "BadRequest", message: expect.stringMatching(/not valid YAML/) }],
    ["nothing", post(""), 400, { reason: "BadRequest" }],
    [
      "another language",
      post("<a/>", "application/xml"),
      415,
      { reason: "UnsupportedMediaType", message: expect.stringContaining("accepted media types include: application/json, application/yaml") },
    ],
    ["broken protobuf", post(new Uint8Array([0x6b, 0x38, 0x73, 0]), PROTOBUF_MEDIA_TYPE), 400, { reason: "BadRequest" }],
    ["no protobuf", post(new Uint8Array([1, 2, 3]), PROTOBUF_MEDIA_TYPE), 400, { reason: "BadRequest" }],
    [
      "a patch in a strange format",
      { method: "PATCH", headers: { "content-type": "application/apply-patch+cbor" }, body: "x" },
      415,
      { reason: "UnsupportedMediaType" },
    ],
    [
      "too much",
      post(configMap("huge", { a: "x".repeat(3 * 1024 * 1024) })),
      413,
      { reason: "RequestEntityTooLarge", code: 413, message: "Request entity too large: limit is 3145728" },
    ],
    [
      "a JSON without bottom",
      post(`{"data":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`),
      400,
      { message: expect.stringContaining("500 levels") },
    ],
    [
      "a YAML without bottom",
      post(`data: ${"[".repeat(50_000)}`, "application/yaml"),
      400,
      { message: expect.stringMatching(/not valid YAML.{0,400}$/s) },
    ],
  ])("%s", async (_, body, status, content) => {
    const answer = await raw.as("admin", body.method === "PATCH" ? `${MAPS}/json` : MAPS, body);
    expect([answer.status, answer.headers["content-type"]]).toEqual([status, "application/json"]);
    expect(answer.json()).toMatchObject(content);
  });

  test("in protobuf, as kubectl sends them", async () => {
    const field = (number: number, bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
    const type = Buffer.concat([field(1, Buffer.from("v1")), field(2, Buffer.from("Namespace"))]);
    const namespace = field(1, field(1, Buffer.from("proto")));
    const answer = await raw.as(
      "admin",
      "/api/v1/namespaces",
      post(Buffer.concat([Buffer.from("k8s\0"), field(1, type), field(2, namespace)]), PROTOBUF_MEDIA_TYPE),
    );
    expect(answer).toMatchObject({ status: 201 });
    expect(answer.json()).toMatchObject({ kind: "Namespace", metadata: { name: "proto" } });
  });

  test("too much that comes without saying how much, and the server goes on", async () => {
    const outgoing = request({ ...raw.options("admin"), method: "POST", path: MAPS, headers: JSON_TYPE });
    const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
    outgoing.on("error", () => {}); // The server may hang up while we still send.
    outgoing.write(Buffer.alloc(4 * 1024 * 1024, 32));
    const [response] = await answered;
    expect(response.statusCode).toBe(413);
    outgoing.destroy();
    expect((await raw.as("admin", "/readyz")).bytes.toString()).toBe("ok");
  });

  test("a YAML that says a thing twice is refused where that matters", async () => {
    const answer = await raw.as("admin", `${MAPS}?fieldValidation=Strict`, post("kind: ConfigMap\nkind: ConfigMap\n", "application/yaml"));
    expect(answer.json()).toMatchObject({ reason: "BadRequest", message: expect.stringMatching(/^strict decoding error: .*unique/) });
  });

  test("whoever writes without a field manager goes by the name of the program", async () => {
    const { status } = await raw.as("admin", `${MAPS}?fieldManager=`, {
      ...post(configMap("agent")),
      headers: { ...JSON_TYPE, "user-agent": "manager/v1.2 (linux)" },
    });
    expect(status).toBe(201);
  });
});

describe("forms of an answer", () => {
  beforeAll(async () => {
    await client.create(ConfigMap, configMap("form", { a: "1" }));
  });

  test.each<[string, string, string, object]>([
    [
      "a table of one",
      `${MAPS}/form`,
      TABLE,
      { kind: "Table", rows: [{ cells: ["form", 1, expect.any(String)], object: { kind: "PartialObjectMetadata", metadata: { name: "form" } } }] },
    ],
    [
      "a table without objects",
      `${MAPS}?fieldSelector=metadata.name%3Dform&includeObject=None`,
      TABLE,
      { kind: "Table", metadata: { resourceVersion: expect.any(String) }, rows: [{ cells: ["form", 1, expect.any(String)] }] },
    ],
    ["a table with objects", `${MAPS}/form?includeObject=Object`, TABLE, { rows: [{ object: { kind: "ConfigMap", data: { a: "1" } } }] }],
    [
      "metadata",
      `${MAPS}/form`,
      "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
      { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: { name: "form" } },
    ],
    [
      "a list of metadata",
      `${MAPS}?fieldSelector=metadata.name%3Dform`,
      "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
      { kind: "PartialObjectMetadataList", items: [{ kind: "PartialObjectMetadata" }] },
    ],
    ["JSON for who prefers protobuf", `${MAPS}/form`, "application/vnd.kubernetes.protobuf,application/json", { kind: "ConfigMap" }],
    ["a Status whatever is asked for", `${MAPS}/nosuch`, TABLE, { kind: "Status", reason: "NotFound", code: 404 }],
    [
      "406 for who takes only protobuf",
      `${MAPS}/form`,
      "application/vnd.kubernetes.protobuf",
      { kind: "Status", reason: "NotAcceptable", code: 406 },
    ],
    ["406 for a table of what has none", "/version", TABLE, { reason: "NotAcceptable" }],
    ["400 for a part that no row has", `${MAPS}?includeObject=Half`, TABLE, { reason: "BadRequest" }],
  ])("%s", async (_, path, accept, content) => {
    const answer = await raw.as("admin", path, { headers: { accept } });
    expect(answer.json()).toMatchObject(content);
  });

  test("a review has no table", async () => {
    const body = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { nonResourceAttributes: { path: "/", verb: "get" } },
    };
    const { status } = await raw.as("admin", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
      method: "POST",
      headers: { ...JSON_TYPE, accept: TABLE },
      body,
    });
    expect(status).toBe(406);
  });

  test("pretty, without a body, compressed", async () => {
    expect((await raw.as("admin", `${MAPS}/form?pretty=true`)).bytes.toString()).toContain('\n  "kind": "ConfigMap"');
    const head = await raw.as("admin", `${MAPS}/form`, { method: "HEAD" });
    expect([head.status, Number(head.headers["content-length"]) > 100, head.bytes.length]).toEqual([200, true, 0]);
    await client.create(ConfigMap, configMap("large", { a: "x".repeat(200_000) }));
    const plain = await raw.as("admin", `${MAPS}/large`);
    const packed = await raw.as("admin", `${MAPS}/large`, { headers: { "accept-encoding": "gzip" } });
    expect([packed.headers["content-encoding"], packed.headers.vary, packed.bytes.length < 10_000]).toEqual(["gzip", "Accept-Encoding", true]);
    expect(gunzipSync(packed.bytes).equals(plain.bytes)).toBe(true);
    expect((await raw.as("admin", `${MAPS}/form`, { headers: { "accept-encoding": "gzip" } })).headers["content-encoding"]).toBeUndefined();
  });

  test("warnings are headers", async () => {
    const { headers } = await raw.as("admin", `${MAPS}?fieldValidation=Warn`, post({ ...configMap("warned"), 'c"olör': 1 }));
    expect(headers["warning"]).toBe(`299 - "${Buffer.from('unknown field \\"c\\\\\\"olör\\"').toString("latin1")}"`);
  });
});

describe("watches", () => {
  test("tell what is there, what happens, and end in time", async () => {
    await client.create(ConfigMap, configMap("watched"));
    using watch = await openLines(raw, `${MAPS}?watch=1&fieldSelector=metadata.name%3Dwatched&timeoutSeconds=1`);
    expect(watch.response.headers["content-type"]).toBe("application/json");
    expect(await watch.next()).toMatchObject({ type: "ADDED", object: { metadata: { name: "watched" } } });
    await client.delete(ConfigMap, { namespace: "default", name: "watched" });
    expect(await watch.next()).toMatchObject({ type: "DELETED" });
    expect(await watch.next()).toBeUndefined();
    expect(watch.response.complete).toBe(true);
  });

  test("as tables say the columns once, and as metadata carry no more", async () => {
    const query = `?watch=1&labelSelector=form%3Dtable&timeoutSeconds=20`;
    using tables = await openLines(raw, `${MAPS}${query}`, { accept: TABLE });
    using metadata = await openLines(raw, `${MAPS}${query}`, { accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" });
    for (const name of ["t1", "t2"])
      await client.create(ConfigMap, { ...configMap(name, { secret: "x" }), metadata: { name, namespace: "default", labels: { form: "table" } } });
    expect((await tables.next())?.object).toMatchObject({
      kind: "Table",
      columnDefinitions: [{ name: "Name" }, { name: "Data" }, { name: "Age" }],
      rows: [{ cells: ["t1", 1, expect.any(String)] }],
    });
    expect((await tables.next())?.object).toMatchObject({ kind: "Table", columnDefinitions: [], rows: [{ cells: ["t2", 1, expect.any(String)] }] });
    expect((await metadata.next())?.object).toEqual({
      kind: "PartialObjectMetadata",
      apiVersion: "meta.k8s.io/v1",
      metadata: expect.objectContaining({ name: "t1" }),
    });
  });

  test("of the present start with everything and a bookmark", async () => {
    using watch = await openLines(
      raw,
      "/api/v1/namespaces?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=20",
    );
    for (;;) {
      const event = await watch.next();
      if (event?.type === "ADDED") continue;
      expect(event).toMatchObject({
        type: "BOOKMARK",
        object: { kind: "Namespace", metadata: { annotations: { "k8s.io/initial-events-end": "true" } } },
      });
      break;
    }
  });

  test("as tables have bookmarks without rows", async () => {
    using watch = await openLines(
      raw,
      "/api/v1/namespaces/proto/pods?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=20",
      { accept: TABLE },
    );
    expect(await watch.next()).toMatchObject({
      type: "BOOKMARK",
      object: { kind: "Table", rows: [], metadata: { resourceVersion: expect.any(String) } },
    });
  });

  test("of the transport end when they are aborted", async () => {
    const abort = new AbortController();
    const seen: string[] = [];
    for await (const event of client.watch(ConfigMap, { namespace: "default", labelSelector: "form=table", signal: abort.signal })) {
      if (event.type === "ADDED") seen.push(event.object.metadata.name);
      if (seen.length === 2) abort.abort();
    }
    expect(seen).toEqual(["t1", "t2"]);
  });
});

describe("documents", () => {
  test.each<[string, object]>([
    ["/", { paths: expect.arrayContaining(["/apis"]) }],
    ["/version", { major: "1", minor: expect.stringMatching(/^\d+$/), gitVersion: expect.stringMatching(/^v1\.\d+\.\d+$/) }],
    ["/api", { kind: "APIVersions", versions: ["v1"] }],
    ["/apis", { kind: "APIGroupList", groups: expect.arrayContaining([expect.objectContaining({ name: "batch" })]) }],
    ["/api/v1", { kind: "APIResourceList", groupVersion: "v1" }],
    ["/apis/batch", { kind: "APIGroup", preferredVersion: { groupVersion: "batch/v1" } }],
    [
      "/apis/authorization.k8s.io/v1/",
      { resources: expect.arrayContaining([expect.objectContaining({ name: "subjectaccessreviews", verbs: ["create"] })]) },
    ],
    ["/openapi/v3", { paths: { "api/v1": { serverRelativeURL: expect.stringMatching(/^\/openapi\/v3\/api\/v1\?hash=/) } } }],
    ["/openapi/v3/apis/batch/v1", { openapi: "3.0.0" }],
    ["/openapi/v2", { kind: "Status", code: 404 }],
    ["/apis/nosuch.io", { kind: "Status", code: 404 }],
    ["/nosuch", { kind: "Status", code: 404, message: "the server could not find the requested resource" }],
    ["/.well-known/openid-configuration", { issuer: "https://kubernetes.default.svc.cluster.local" }],
    ["/openid/v1/jwks", { keys: [{ kty: "EC", alg: "ES256", kid: expect.any(String) }] }],
  ])("%s", async (path, content) => {
    expect((await raw.as("admin", path)).json()).toMatchObject(content);
  });

  test("health", async () => {
    for (const path of ["/healthz", "/livez", "/readyz"]) expect((await raw.as("nobody", path)).bytes.toString()).toBe("ok");
    expect((await raw.as("nobody", "/readyz?verbose")).bytes.toString()).toMatch(/^\[\+\]ping ok\n[^]*readyz check passed\n$/);
    expect((await raw.as("admin", "/metrics")).bytes.toString()).toMatch(/apiserver_request_total\{verb="GET",code="200"\} \d+/);
  });

  test("aggregated discovery says what it is, and whether it has changed", async () => {
    const type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    const accept = `${type},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json`;
    const first = await raw.as("admin", "/apis", { headers: { accept } });
    expect(first.headers).toMatchObject({ "content-type": type, vary: "Accept", etag: expect.stringMatching(/^"[0-9A-F]{64}"$/) });
    expect(first.json()).toMatchObject({ kind: "APIGroupDiscoveryList" });
    const etag = first.headers.etag ?? "";
    const again = await raw.as("admin", "/apis", { headers: { accept, "if-none-match": etag } });
    expect([again.status, again.bytes.length]).toEqual([304, 0]);
    expect((await raw.as("admin", "/apis")).headers["content-type"]).toBe("application/json");
    const crd = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "foos.x.io" },
      spec: {
        group: "x.io",
        scope: "Namespaced",
        names: { kind: "Foo", plural: "foos" },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
      },
    };
    await raw.as("admin", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", post(crd));
    const after = await raw.as("admin", "/apis", { headers: { accept, "if-none-match": etag } });
    expect(after.json()).toMatchObject({
      items: expect.arrayContaining([expect.objectContaining({ metadata: expect.objectContaining({ name: "x.io" }) })]),
    });
    const { paths } = (await raw.as("admin", "/openapi/v3")).json<{ paths: Record<string, { serverRelativeURL: string }> }>();
    const document = await raw.as("admin", paths["apis/x.io/v1"]?.serverRelativeURL ?? "");
    expect(document.headers["cache-control"]).toBe("public, immutable");
    // Custom kinds have no strategic merge; kubectl reads that here.
    expect(document.bytes.toString()).toContain("application/merge-patch+json");
    expect(document.bytes.toString()).not.toContain("application/strategic-merge-patch+json");
  });
});

describe("users", () => {
  const forbidden = (message: string): object => ({ kind: "Status", status: "Failure", reason: "Forbidden", code: 403, message });

  test.each<[string, string, RawRequest, object]>([
    [
      "nobody may read",
      MAPS,
      {},
      forbidden('configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"'),
    ],
    ["nobody may discover", "/apis", {}, forbidden('forbidden: User "system:anonymous" cannot get path "/apis"')],
    ["a token that is none", MAPS, { headers: { authorization: "Bearer x.y.z" } }, { reason: "Unauthorized", message: "Unauthorized", code: 401 }],
    ["another scheme", MAPS, { headers: { authorization: "Basic YTpi" } }, { reason: "Unauthorized", code: 401 }],
    [
      "nobody may impersonate",
      MAPS,
      { headers: { "impersonate-user": "bob" } },
      forbidden('users "bob" is forbidden: User "system:anonymous" cannot impersonate resource "users" in API group "" at the cluster scope'),
    ],
  ])("%s", async (_, path, request, status) => {
    expect((await raw.as("nobody", path, request)).json()).toMatchObject(status);
  });

  test("one who acts as another", async () => {
    const review = async (headers: Record<string, string | string[]>): Promise<unknown> => {
      const answer = await raw.as("admin", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
        ...post({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" }),
        headers: { ...JSON_TYPE, ...headers },
      });
      return answer.json<{ status: { userInfo?: unknown } }>().status.userInfo ?? answer.json();
    };
    expect(await review({})).toEqual({ username: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] });
    expect(
      await review({
        "impersonate-user": "bob",
        "impersonate-group": ["cn=a,dc=b", "c"],
        "impersonate-uid": "7",
        "impersonate-extra-example.org%2fscope": "all",
      }),
    ).toEqual({
      username: "bob",
      uid: "7",
      groups: ["cn=a,dc=b", "c", "system:authenticated"],
      extra: { "example.org/scope": ["all"] },
    });
    expect(await review({ "impersonate-user": "system:serviceaccount:a:b" })).toMatchObject({
      groups: ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"],
    });
    expect(await review({ "impersonate-group": "a" })).toMatchObject({ reason: "BadRequest" });
    const answer = await raw.as("admin", MAPS, { headers: { "impersonate-user": "bob" } });
    expect(answer.json()).toMatchObject(
      forbidden('configmaps is forbidden: User "bob" cannot list resource "configmaps" in API group "" in the namespace "default"'),
    );
  });
});

test("logs stream", async () => {
  await client.create(Pod, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "quiet", namespace: "default" },
    spec: { containers: [{ name: "a", image: "x" }] },
  });
  const { status, headers, bytes } = await raw.as("admin", "/api/v1/namespaces/default/pods/quiet/log?follow=true");
  expect([status, headers["content-type"], bytes.length]).toEqual([200, "text/plain", 0]);
});
