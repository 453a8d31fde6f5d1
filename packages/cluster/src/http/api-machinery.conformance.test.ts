import type { Client } from "@sluice/client";
import { ConfigMap, type UnknownObject } from "@sluice/kubernetes";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type Cluster } from "../start-cluster.ts";
import { openLines, rawClient, type RawClient } from "./raw-client.fixture.ts";

// The scenarios of Kubernetes' own conformance suite for the API machinery, by their names there.
let cluster: Cluster;
let raw: RawClient;
let client: Client;

beforeAll(async () => {
  cluster = await startCluster({ mode: "control-plane" });
  raw = await rawClient(cluster.kubeconfigPath);
  client = cluster.client({ username: "admin", groups: ["system:masters"] });
});
afterAll(async () => {
  raw[Symbol.dispose]();
  await cluster[Symbol.asyncDispose]();
});

/** What these scenarios read of answers; which of it is there the expectations tell. */
interface Json extends Record<string, unknown> {
  readonly metadata: { readonly name: string; readonly resourceVersion: string; readonly continue?: string };
  readonly message: string;
  readonly name: string;
  readonly resource: string;
  readonly subresource: string;
  readonly groupVersion: string;
  readonly preferredVersion: Json;
  readonly groups: readonly Json[];
  readonly items: readonly Json[];
  readonly versions: readonly Json[];
  readonly resources: readonly Json[];
  readonly subresources: readonly Json[];
  readonly spec: Record<string, unknown> & {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: { name: string; served: boolean }[];
    readonly bars: unknown;
  };
  readonly status: { readonly conditions: unknown[] };
  readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
  readonly "x-kubernetes-group-version-kind"?: readonly Readonly<Record<string, string>>[];
}

/** One request of the administrator's; the status and the JSON of the answer. */
async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<{ status: number; body: Json }> {
  const answer = await raw.as("admin", path, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : (body as object) }),
  });
  return { status: answer.status, body: answer.json<Json>() };
}

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const MERGE = { "content-type": "application/merge-patch+json" };
let serial = 0;

interface CrdOptions {
  readonly schema?: object;
  readonly versions?: readonly object[];
  readonly scope?: "Namespaced" | "Cluster";
  readonly status?: boolean;
  readonly group?: string;
  readonly kind?: string;
}

/** Installs a definition of its own and tells where its objects are. */
async function install(options: CrdOptions = {}): Promise<{ group: string; plural: string; kind: string; name: string; path: string; crd: Json }> {
  const id = serial++;
  const { scope = "Namespaced", group = `conformance${id}.example.com`, kind = `Widget${id}` } = options;
  const plural = `${kind.toLowerCase()}s`;
  const schema = options.schema ?? { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const version = {
    name: "v1",
    served: true,
    storage: true,
    schema: { openAPIV3Schema: schema },
    ...(options.status === true ? { subresources: { status: {} } } : {}),
  };
  const { status, body } = await call("POST", CRDS, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: { group, scope, names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` }, versions: options.versions ?? [version] },
  });
  expect(body).toMatchObject({ kind: "CustomResourceDefinition" });
  expect(status).toBe(201);
  const base = `/apis/${group}/v1`;
  return {
    group,
    plural,
    kind,
    name: `${plural}.${group}`,
    path: scope === "Cluster" ? `${base}/${plural}` : `${base}/namespaces/default/${plural}`,
    crd: body,
  };
}

async function events(path: string, count: number): Promise<string[]> {
  using watch = await openLines(raw, path);
  const seen: string[] = [];
  while (seen.length < count) {
    const event = await watch.next();
    if (event === undefined) break;
    if (event.type !== "BOOKMARK") seen.push(`${event.type} ${(event.object as UnknownObject).metadata.name}`);
  }
  return seen;
}

describe("Discovery", () => {
  test("should validate PreferredVersion for each APIGroup", async () => {
    const { body } = await call("GET", "/apis");
    expect(body.groups.length).toBeGreaterThan(10);
    for (const group of body.groups) {
      expect(group.preferredVersion.groupVersion).toMatch(new RegExp(`^${group.name}/`));
      expect(group.versions.map((one: Json) => one.groupVersion)).toContain(group.preferredVersion.groupVersion);
      const { body: one } = await call("GET", `/apis/${group.name}`);
      expect(one).toMatchObject({ kind: "APIGroup", preferredVersion: group.preferredVersion });
    }
  });

  test("should locate the groupVersion and a resource within each APIGroup", async () => {
    for (const [path, plural] of [
      ["/apis/apps/v1", "deployments"],
      ["/apis/batch/v1", "jobs"],
      ["/apis/admissionregistration.k8s.io/v1", "validatingwebhookconfigurations"],
      ["/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"],
      ["/apis/storage.k8s.io/v1", "storageclasses"],
      ["/apis/coordination.k8s.io/v1", "leases"],
      ["/apis/discovery.k8s.io/v1", "endpointslices"],
      ["/apis/events.k8s.io/v1", "events"],
      ["/apis/networking.k8s.io/v1", "ingresses"],
      ["/apis/policy/v1", "poddisruptionbudgets"],
      ["/apis/scheduling.k8s.io/v1", "priorityclasses"],
      ["/apis/rbac.authorization.k8s.io/v1", "clusterroles"],
      ["/apis/authentication.k8s.io/v1", "tokenreviews"],
      ["/apis/authorization.k8s.io/v1", "subjectaccessreviews"],
    ]) {
      const { body } = await call("GET", path ?? "");
      expect(
        body.resources.map((one: Json) => one.name),
        path,
      ).toContain(plural);
    }
  });

  test("server version: should find the server version", async () => {
    const { body } = await call("GET", "/version");
    expect(body["major"]).toMatch(/^\d+$/);
    expect(body["minor"]).toMatch(/^\d+$/);
    expect(body["gitVersion"]).toMatch(/^v\d+\.\d+\.\d+/);
  });
});

describe("AggregatedDiscovery", () => {
  const accept = { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json" };

  test("should support raw aggregated discovery endpoint Accept headers", async () => {
    for (const path of ["/api", "/apis"]) {
      const answer = await raw.as("admin", path, { headers: accept });
      expect(answer.headers["content-type"]).toBe("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
      expect(answer.json<Json>()).toMatchObject({ kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2" });
      const again = await raw.as("admin", path, { headers: { ...accept, "if-none-match": String(answer.headers["etag"]) } });
      expect(again.status).toBe(304);
    }
  });

  test("should support aggregated discovery interface", async () => {
    const { body } = await call("GET", "/apis", undefined, accept);
    const apps = body.items.find((group: Json) => group.metadata.name === "apps");
    const deployments = apps?.versions[0]?.resources.find((one: Json) => one.resource === "deployments");
    expect(deployments).toMatchObject({ responseKind: { group: "apps", version: "v1", kind: "Deployment" }, scope: "Namespaced" });
    expect(deployments?.subresources.map((one: Json) => one.subresource).toSorted()).toEqual(["scale", "status"]);
  });

  test("should support aggregated discovery interface for CRDs", async () => {
    const { group, plural } = await install();
    const { body } = await call("GET", "/apis", undefined, accept);
    const found = body.items.find((one: Json) => one.metadata.name === group);
    expect(found?.versions[0]?.resources.map((one: Json) => one.resource)).toEqual([plural]);
  });

  test("should support raw aggregated discovery request for CRDs", async () => {
    const { group, name } = await install();
    expect(JSON.stringify((await call("GET", "/apis", undefined, accept)).body)).toContain(group);
    await call("DELETE", `${CRDS}/${name}`);
    await expect.poll(async () => JSON.stringify((await call("GET", "/apis", undefined, accept)).body)).not.toContain(group);
  });
});

describe("CustomResourceDefinition", () => {
  test("Simple CustomResourceDefinition creating/deleting custom resource definition objects works", async () => {
    const { name, path } = await install();
    expect((await call("GET", path)).status).toBe(200);
    await call("DELETE", `${CRDS}/${name}`);
    await expect.poll(async () => (await call("GET", `${CRDS}/${name}`)).status).toBe(404);
    expect((await call("GET", path)).status).toBe(404);
  });

  test("Simple CustomResourceDefinition listing custom resource definition objects works", async () => {
    const label = `list-${serial}`;
    for (let index = 0; index < 3; index++) {
      const { name } = await install();
      await call("PATCH", `${CRDS}/${name}`, { metadata: { labels: { set: label } } }, MERGE);
    }
    const selector = `?labelSelector=set%3D${label}`;
    expect((await call("GET", CRDS + selector)).body.items).toHaveLength(3);
    expect((await call("DELETE", CRDS + selector)).status).toBe(200);
    await expect.poll(async () => (await call("GET", CRDS + selector)).body.items.length).toBe(0);
  });

  test("Simple CustomResourceDefinition getting/updating/patching custom resource definition status sub-resource works", async () => {
    const { name } = await install();
    const { body: crd } = await call("GET", `${CRDS}/${name}/status`);
    const condition = {
      type: "StatusUpdate",
      status: "True",
      reason: "E2E",
      message: "Set from an e2e test",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    };
    crd.status.conditions.push(condition);
    expect((await call("PUT", `${CRDS}/${name}/status`, crd)).body.status.conditions).toContainEqual(condition);
    const patched = await call("PATCH", `${CRDS}/${name}/status`, { metadata: { annotations: { patchedstatus: "true" } } }, MERGE);
    expect(patched.status).toBe(200);
    expect((await call("GET", `${CRDS}/${name}`)).body.status.conditions).toContainEqual(condition);
  });

  test("should include custom resource definition resources in discovery documents", async () => {
    const group = "apiextensions.k8s.io";
    expect((await call("GET", "/apis")).body.groups.map((one: Json) => one.name)).toContain(group);
    expect((await call("GET", `/apis/${group}`)).body.versions).toContainEqual({ groupVersion: `${group}/v1`, version: "v1" });
    const { resources } = (await call("GET", `/apis/${group}/v1`)).body;
    expect(resources.map((one) => one.name)).toEqual(expect.arrayContaining(["customresourcedefinitions", "customresourcedefinitions/status"]));
  });

  test("custom resource defaulting for requests and from storage works", async () => {
    const properties = { a: { type: "string" } };
    const schema = { type: "object", properties };
    const { path, name, crd } = await install({ schema });
    const kind = crd.spec.names.kind;
    const object = (named: string): object => ({ apiVersion: `${crd.spec.group}/v1`, kind, metadata: { name: named } });
    expect((await call("POST", path, object("before"))).body["a"]).toBeUndefined();
    const add = (values: object): Promise<{ status: number; body: Json }> =>
      call("PATCH", `${CRDS}/${name}`, [{ op: "add", path: "/spec/versions/0/schema/openAPIV3Schema/properties", value: values }], {
        "content-type": "application/json-patch+json",
      });
    expect((await add({ a: { type: "string", default: "A" }, b: { type: "string", default: "B" } })).status).toBe(200);
    expect((await call("GET", `${path}/before`)).body).toMatchObject({ a: "A", b: "B" });
    expect((await call("POST", path, object("after"))).body).toMatchObject({ a: "A", b: "B" });
    expect((await add({ a: { type: "string" }, b: { type: "string" }, c: { type: "string", default: "C" } })).status).toBe(200);
    // What was written with its defaults keeps them; what was only shown with them does not.
    expect((await call("GET", `${path}/after`)).body).toMatchObject({ a: "A", b: "B", c: "C" });
    const before = (await call("GET", `${path}/before`)).body;
    expect(before["c"]).toBe("C");
    expect(before["a"]).toBeUndefined();
  });

  test("CustomResourceDefinition Watch: watch on custom resource definition objects", async () => {
    const { path, crd } = await install();
    const kind = crd.spec.names.kind;
    const seen = events(`${path}?watch=1&resourceVersion=0`, 6);
    for (const name of ["name1", "name2"]) await call("POST", path, { apiVersion: `${crd.spec.group}/v1`, kind, metadata: { name } });
    for (const name of ["name1", "name2"]) await call("PATCH", `${path}/${name}`, { dummy: "test" }, MERGE);
    for (const name of ["name1", "name2"]) await call("DELETE", `${path}/${name}`);
    expect(await seen).toEqual(["ADDED name1", "ADDED name2", "MODIFIED name1", "MODIFIED name2", "DELETED name1", "DELETED name2"]);
  });
});

/** The served OpenAPI schema of a kind; undefined if there is none. */
async function published(group: string, version: string, kind: string): Promise<Json | undefined> {
  const { body } = await call("GET", "/openapi/v3");
  const url = body.paths[`apis/${group}/${version}`]?.serverRelativeURL;
  if (url === undefined) return undefined;
  const document = (await call("GET", url)).body;
  return Object.values(document.components.schemas).find((schema) =>
    schema["x-kubernetes-group-version-kind"]?.some((gvk) => gvk["kind"] === kind && gvk["group"] === group && gvk["version"] === version),
  );
}

const FOO = {
  type: "object",
  description: "Foo CRD for Testing",
  properties: {
    spec: {
      type: "object",
      description: "Specification of Foo",
      properties: {
        bars: {
          type: "array",
          description: "List of Bars and their specs.",
          items: { type: "object", required: ["name"], properties: { name: { type: "string" } } },
        },
      },
    },
  },
};

describe("CustomResourcePublishOpenAPI", () => {
  const version = (name: string, schema: object, options: object = {}): object => ({
    name,
    served: true,
    storage: name === "v1",
    schema: { openAPIV3Schema: schema },
    ...options,
  });

  test("works for CRD with validation schema", async () => {
    const { group, kind, path } = await install({ schema: FOO });
    expect(await published(group, "v1", kind)).toMatchObject({
      description: "Foo CRD for Testing",
      properties: {
        apiVersion: {},
        kind: {},
        metadata: {},
        spec: { description: "Specification of Foo", properties: { bars: { items: { required: ["name"] } } } },
      },
    });
    const bad = await call("POST", path, { apiVersion: `${group}/v1`, kind, metadata: { name: "x" }, spec: { bars: [{}] } });
    expect(bad).toMatchObject({ status: 422, body: { reason: "Invalid", message: expect.stringContaining("spec.bars[0].name: Required value") } });
  });

  test("works for CRD without validation schema, preserving unknown fields at the schema root", async () => {
    const { group, kind, path } = await install();
    expect(await published(group, "v1", kind)).toMatchObject({ type: "object", "x-kubernetes-preserve-unknown-fields": true });
    expect((await call("POST", path, { apiVersion: `${group}/v1`, kind, metadata: { name: "x" }, any: { thing: 1 } })).body["any"]).toEqual({
      thing: 1,
    });
  });

  test("works for CRD preserving unknown fields in an embedded object", async () => {
    const loose = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    const { group, kind, path } = await install({ schema: { type: "object", properties: { spec: loose, status: loose } } });
    expect(await published(group, "v1", kind)).toMatchObject({ properties: { spec: loose } });
    const { body } = await call("POST", path, { apiVersion: `${group}/v1`, kind, metadata: { name: "x" }, spec: { b: [{ c: "d" }] }, dropped: 1 });
    expect(body.spec).toEqual({ b: [{ c: "d" }] });
    expect(body["dropped"]).toBeUndefined();
  });

  test("works for CRD preserving unknown fields in an object with properties", async () => {
    const spec = { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { known: { type: "string" } } };
    const { group, kind, path } = await install({ schema: { type: "object", properties: { spec } } });
    const { body } = await call("POST", path, { apiVersion: `${group}/v1`, kind, metadata: { name: "x" }, spec: { known: "a", unknown: 1 } });
    expect(body.spec).toEqual({ known: "a", unknown: 1 });
    expect((await call("POST", path, { apiVersion: `${group}/v1`, kind, metadata: { name: "y" }, spec: { known: 1 } })).status).toBe(422);
  });

  test("works for multiple CRDs of different groups, of same group but different versions, of same group and version but different kinds", async () => {
    const [one, other] = [await install({ schema: FOO }), await install({ schema: FOO })];
    expect(await published(one.group, "v1", one.kind)).toBeDefined();
    expect(await published(other.group, "v1", other.kind)).toBeDefined();
    const both = await install({ versions: [version("v1", FOO), version("v2", FOO)] });
    expect(await published(both.group, "v1", both.kind)).toBeDefined();
    expect(await published(both.group, "v2", both.kind)).toBeDefined();
    const sibling = await install({ group: one.group, kind: `Sibling${serial}`, schema: FOO });
    expect(await published(one.group, "v1", one.kind)).toBeDefined();
    expect(await published(one.group, "v1", sibling.kind)).toBeDefined();
  });

  test("updates the published spec when one version gets renamed", async () => {
    const { group, kind, name } = await install({ versions: [version("v1", FOO), version("v2", FOO)] });
    const { body: crd } = await call("GET", `${CRDS}/${name}`);
    crd.spec.versions[1]!.name = "v3";
    expect((await call("PUT", `${CRDS}/${name}`, crd)).status).toBe(200);
    expect(await published(group, "v3", kind)).toBeDefined();
    expect(await published(group, "v2", kind)).toBeUndefined();
    expect(await published(group, "v1", kind)).toBeDefined();
  });

  test("removes definition from spec when one version gets changed to not be served", async () => {
    const { group, kind, name } = await install({ versions: [version("v1", FOO), version("v2", FOO)] });
    const { body: crd } = await call("GET", `${CRDS}/${name}`);
    crd.spec.versions[1]!.served = false;
    await call("PUT", `${CRDS}/${name}`, crd);
    expect(await published(group, "v2", kind)).toBeUndefined();
    expect(await published(group, "v1", kind)).toBeDefined();
  });
});

describe("FieldValidation", () => {
  const STRICT = "?fieldValidation=Strict";
  const deployment = (extra: string, metadata = ""): string =>
    `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"fv-${serial++}"${metadata}},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}${extra}}}`;
  const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";

  test("should detect unknown and duplicate fields of a typed object", async () => {
    const twice = await call("POST", DEPLOYMENTS + STRICT, deployment(',"unknown":1,"replicas":1,"replicas":2'));
    expect(twice.status).toBe(400);
    expect(twice.body.message).toContain('strict decoding error: unknown field "spec.unknown", duplicate field "spec.replicas"');
    const warned = await raw.as("admin", `${DEPLOYMENTS}?fieldValidation=Warn`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: deployment(',"unknown":1'),
    });
    expect(warned.status).toBe(201);
    expect(String(warned.headers["warning"])).toContain('unknown field \\"spec.unknown\\"');
  });

  test("should detect unknown metadata fields of a typed object", async () => {
    const { status, body } = await call("POST", DEPLOYMENTS + STRICT, deployment("", ',"unknownMeta":"x"'));
    expect(status).toBe(400);
    expect(body.message).toContain('unknown field "metadata.unknownMeta"');
  });

  test("should create/apply a valid CR for CRD with validation schema", async () => {
    const { group, kind, path } = await install({ schema: FOO });
    const valid = { apiVersion: `${group}/v1`, kind, metadata: { name: "x" }, spec: { bars: [{ name: "b" }] } };
    expect((await call("POST", path + STRICT, valid)).status).toBe(201);
    const applied = await call(
      "PATCH",
      `${path}/y${STRICT}&fieldManager=e2e`,
      { ...valid, metadata: { name: "y" } },
      { "content-type": "application/apply-patch+yaml" },
    );
    expect(applied.status).toBe(201);
  });

  test("should create/apply a CR with unknown fields for CRD with no validation schema", async () => {
    const { group, kind, path } = await install();
    expect((await call("POST", path + STRICT, { apiVersion: `${group}/v1`, kind, metadata: { name: "x" }, anything: 1 })).status).toBe(201);
  });

  test("should create/apply an invalid CR with extra properties for CRD with validation schema", async () => {
    const { group, kind, path } = await install({ schema: FOO });
    const extra = { apiVersion: `${group}/v1`, kind, metadata: { name: "x" }, spec: { bars: [{ name: "b", extra: 1 }] } };
    const refused = await call("POST", path + STRICT, extra);
    expect(refused.status).toBe(400);
    expect(refused.body.message).toContain('unknown field "spec.bars[0].extra"');
    const ignored = await call("POST", `${path}?fieldValidation=Ignore`, extra);
    expect(ignored.body.spec.bars).toEqual([{ name: "b" }]);
  });

  test("should detect duplicates in a CR when preserving unknown fields", async () => {
    const { group, kind, path } = await install();
    const { status, body } = await call(
      "POST",
      path + STRICT,
      `{"apiVersion":"${group}/v1","kind":"${kind}","metadata":{"name":"x"},"spec":{"foo":"a","foo":"b"}}`,
    );
    expect(status).toBe(400);
    expect(body.message).toContain('duplicate field "spec.foo"');
  });

  test("should detect unknown metadata fields in both the root and embedded object of a CR", async () => {
    const embedded = { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true };
    const { group, kind, path } = await install({
      schema: { type: "object", properties: { spec: { type: "object", properties: { template: embedded } } } },
    });
    const { status, body } = await call("POST", path + STRICT, {
      apiVersion: `${group}/v1`,
      kind,
      metadata: { name: "x", unknownMeta: "unique" },
      spec: { template: { apiVersion: "v1", kind: "Pod", metadata: { name: "p", unknownSubMeta: "x" } } },
    });
    expect(status).toBe(400);
    expect(body.message).toContain('unknown field "metadata.unknownMeta"');
    expect(body.message).toContain('unknown field "spec.template.metadata.unknownSubMeta"');
  });
});

describe("Servers with support for API chunking and Table transformation", () => {
  const TEMPLATES = "/api/v1/namespaces/chunks/configmaps";
  beforeAll(async () => {
    await call("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "chunks" } });
    await Promise.all(
      Array.from({ length: 400 }, (_, index) =>
        client.create(ConfigMap, {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name: `c-${String(index).padStart(4, "0")}`, namespace: "chunks", labels: { chunk: "y" } },
        }),
      ),
    );
  });

  test("should return chunks of results for list calls", async () => {
    for (const limit of [17, 399, 400, 1000]) {
      const found: string[] = [];
      let version: string | undefined;
      let token = "";
      do {
        const { body } = await call("GET", `${TEMPLATES}?limit=${limit}&labelSelector=chunk%3Dy${token === "" ? "" : `&continue=${token}`}`);
        version ??= body.metadata.resourceVersion;
        expect(body.metadata.resourceVersion).toBe(version);
        expect(body.items.length).toBeLessThanOrEqual(limit);
        found.push(...body.items.map((one: Json) => one.metadata.name));
        token = body.metadata.continue ?? "";
      } while (token !== "");
      expect(found).toHaveLength(400);
      expect(found).toEqual(found.toSorted());
    }
  });

  test("should continue listing from the last key if the original version has been compacted away, though the list is inconsistent", async () => {
    const { body: first } = await call("GET", `${TEMPLATES}?limit=40`);
    // More than the history remembers.
    for (let round = 0; round < 11; round++) {
      await Promise.all(
        Array.from({ length: 1000 }, (_, index) =>
          client.patch(ConfigMap, { namespace: "chunks", name: "c-0000" }, { type: "merge", body: { data: { n: `${round}-${index}` } } }),
        ),
      );
    }
    const expired = await call("GET", `${TEMPLATES}?limit=40&continue=${first.metadata.continue}`);
    expect(expired).toMatchObject({ status: 410, body: { reason: "Expired" } });
    const token = expired.body.metadata.continue;
    expect(token).toBeTruthy();
    const rest = await call("GET", `${TEMPLATES}?continue=${token}`);
    expect(rest.status).toBe(200);
    expect(rest.body.items.length).toBeGreaterThanOrEqual(360);
  });

  test("should return a 406 for a backend which does not implement metadata", async () => {
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { namespace: "default", verb: "get", resource: "pods" } },
    };
    const answer = await call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, {
      accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
    });
    expect(answer.status).toBe(406);
  });
});

describe("Watchers", () => {
  const MAPS = "/api/v1/namespaces/default/configmaps";
  const map = (name: string, labels: Record<string, string>, data: Record<string, string> = {}): object => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, labels },
    data,
  });
  const write = async (name: string, data: Record<string, string>): Promise<string> =>
    (await call("PATCH", `${MAPS}/${name}`, { data }, MERGE)).body.metadata.resourceVersion;

  test("should observe add, update, and delete watch notifications on configmaps", async () => {
    const watchers = ["watch%3DA", "watch%3DB", "watch%20in%20(A,B)"].map((selector, index) =>
      events(`${MAPS}?watch=1&resourceVersion=0&labelSelector=${selector}`, [4, 2, 6][index] ?? 0),
    );
    await call("POST", MAPS, map("watch-a", { watch: "A" }));
    await write("watch-a", { mutation: "1" });
    await write("watch-a", { mutation: "2" });
    await call("DELETE", `${MAPS}/watch-a`);
    await call("POST", MAPS, map("watch-b", { watch: "B" }));
    await call("DELETE", `${MAPS}/watch-b`);
    const a = ["ADDED watch-a", "MODIFIED watch-a", "MODIFIED watch-a", "DELETED watch-a"];
    const b = ["ADDED watch-b", "DELETED watch-b"];
    expect(await Promise.all(watchers)).toEqual([a, b, [...a, ...b]]);
  });

  test("should be able to start watching from a specific resource version", async () => {
    await call("POST", MAPS, map("from-rv", { watch: "rv" }));
    const first = await write("from-rv", { mutation: "1" });
    await write("from-rv", { mutation: "2" });
    await call("DELETE", `${MAPS}/from-rv`);
    expect(await events(`${MAPS}?watch=1&resourceVersion=${first}&labelSelector=watch%3Drv`, 2)).toEqual(["MODIFIED from-rv", "DELETED from-rv"]);
  });

  test("should be able to restart watching from the last resource version observed by the previous watch", async () => {
    using watch = await openLines(raw, `${MAPS}?watch=1&resourceVersion=0&labelSelector=watch%3Drestart`);
    await call("POST", MAPS, map("restart", { watch: "restart" }));
    await write("restart", { mutation: "1" });
    await watch.next();
    const last = (await watch.next())?.object as UnknownObject;
    watch[Symbol.dispose]();
    await write("restart", { mutation: "2" });
    await call("DELETE", `${MAPS}/restart`);
    expect(await events(`${MAPS}?watch=1&resourceVersion=${last.metadata.resourceVersion}&labelSelector=watch%3Drestart`, 2)).toEqual([
      "MODIFIED restart",
      "DELETED restart",
    ]);
  });

  test("should observe an object deletion if it stops meeting the requirements of the selector", async () => {
    const seen = events(`${MAPS}?watch=1&resourceVersion=0&labelSelector=watch%3Dleaves`, 5);
    await call("POST", MAPS, map("leaves", { watch: "leaves" }));
    await write("leaves", { mutation: "1" });
    await call("PATCH", `${MAPS}/leaves`, { metadata: { labels: { watch: "gone" } } }, MERGE);
    await write("leaves", { mutation: "2" });
    await call("PATCH", `${MAPS}/leaves`, { metadata: { labels: { watch: "leaves" } } }, MERGE);
    await call("DELETE", `${MAPS}/leaves`);
    expect(await seen).toEqual(["ADDED leaves", "MODIFIED leaves", "DELETED leaves", "ADDED leaves", "DELETED leaves"]);
  });

  test("should receive events on concurrent watches in same order", async () => {
    const { body } = await call("GET", MAPS);
    const from = body.metadata.resourceVersion;
    const watchers = Array.from({ length: 20 }, () => events(`${MAPS}?watch=1&resourceVersion=${from}&labelSelector=watch%3Dorder`, 60));
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        await call("POST", MAPS, map(`order-${index}`, { watch: "order" }));
        await write(`order-${index}`, { n: "1" });
        await call("DELETE", `${MAPS}/order-${index}`);
      }),
    );
    const [first, ...others] = await Promise.all(watchers);
    expect(first).toHaveLength(60);
    for (const other of others) expect(other).toEqual(first);
  });
});

describe("flow control", () => {
  test.each([
    [
      "FlowSchema",
      "flowschemas",
      { priorityLevelConfiguration: { name: "global-default" }, matchingPrecedence: 10000, distinguisherMethod: { type: "ByUser" } },
    ],
    [
      "PriorityLevelConfiguration",
      "prioritylevelconfigurations",
      { type: "Limited", limited: { nominalConcurrencyShares: 2, limitResponse: { type: "Reject" } } },
    ],
  ])("should support %s API operations", async (kind, plural, spec) => {
    const path = `/apis/flowcontrol.apiserver.k8s.io/v1/${plural}`;
    const object = { apiVersion: "flowcontrol.apiserver.k8s.io/v1", kind, metadata: { name: "e2e", labels: { special: "e2e" } }, spec };
    const from = (await call("GET", path)).body.metadata.resourceVersion;
    expect((await call("POST", path, object)).status).toBe(201);
    expect((await call("GET", `${path}/e2e`)).body.spec).toMatchObject(spec);
    expect((await call("GET", `${path}?labelSelector=special%3De2e`)).body.items).toHaveLength(1);
    expect((await call("PATCH", `${path}/e2e`, { metadata: { annotations: { patched: "true" } } }, MERGE)).status).toBe(200);
    const status = await call("PATCH", `${path}/e2e/status`, { status: { conditions: [{ type: "Test", status: "True" }] } }, MERGE);
    expect(status.body.status.conditions).toMatchObject([{ type: "Test" }]);
    expect((await call("DELETE", `${path}?labelSelector=special%3De2e`)).status).toBe(200);
    expect((await call("GET", `${path}/e2e`)).status).toBe(404);
    expect(await events(`${path}?watch=1&resourceVersion=${from}&labelSelector=special%3De2e`, 4)).toEqual([
      "ADDED e2e",
      "MODIFIED e2e",
      "MODIFIED e2e",
      "DELETED e2e",
    ]);
  });
});
