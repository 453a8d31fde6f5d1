import type { UnknownObject } from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openWorld, type World } from "./world.fixture.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const path = "/apis/apps/v1/namespaces/default/deployments";
const deployment = (spec: object = {}, metadata: object = {}): UnknownObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default", ...metadata },
  spec: {
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "x" }] } },
    ...spec,
  },
});
const replicas = (count: number): UnknownObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web" },
  spec: { replicas: count },
});
const managers = ({ metadata }: UnknownObject): string[] =>
  (metadata.managedFields ?? []).map(({ manager, operation, subresource }) => [manager, operation, subresource].filter(Boolean).join(" "));
const entry = ({ metadata }: UnknownObject, manager: string): unknown => metadata.managedFields?.find((one) => one.manager === manager)?.fieldsV1;

describe("server-side apply", () => {
  test("creates, defaults without owning the defaults, and applies again without a write", async () => {
    const response = await world.respond("PATCH", `${path}/web`, {
      contentType: "application/apply-patch+yaml",
      query: { fieldManager: "me" },
      body: deployment(),
    });
    expect(response.status).toBe(201);
    expect(response.object).toMatchObject({
      spec: { replicas: 1, strategy: { type: "RollingUpdate" } },
      metadata: { generation: 1, uid: expect.any(String) },
    });
    expect(JSON.stringify(entry(response.object, "me"))).not.toContain("replicas");
    const again = await world.respond("PATCH", `${path}/web`, {
      contentType: "application/apply-patch+yaml",
      query: { fieldManager: "me" },
      body: deployment(),
    });
    expect(again.status).toBe(200);
    expect(again.object.metadata.resourceVersion).toBe(response.object.metadata.resourceVersion);
  });

  test("tracks creates, updates, patches and status by manager", async () => {
    const created = await world.send("POST", path, { body: deployment(), query: { fieldManager: "creator" } });
    expect(managers(created)).toEqual(["creator Update"]);
    expect(entry(created, "creator")).not.toHaveProperty("f:status");
    expect(entry(created, "creator")).toMatchObject({
      "f:spec": {
        "f:replicas": {},
        "f:template": { "f:spec": { "f:containers": { 'k:{"name":"c"}': { ".": {}, "f:image": {}, "f:imagePullPolicy": {} } } } },
      },
    });
    await world.send("PATCH", `${path}/web`, {
      contentType: "application/strategic-merge-patch+json",
      query: { fieldManager: "patcher" },
      body: { spec: { replicas: 3 } },
    });
    const reported = await world.send("PATCH", `${path}/web/status`, {
      contentType: "application/merge-patch+json",
      query: { fieldManager: "controller" },
      body: { status: { replicas: 3 } },
    });
    expect(managers(reported).toSorted()).toEqual(["controller Update status", "creator Update", "patcher Update"]);
    expect(entry(reported, "controller")).toEqual({ "f:status": { "f:replicas": {} } });
    expect(entry(reported, "patcher")).toEqual({ "f:spec": { "f:replicas": {} } });
  });

  test("refuses to change what another has set, says whose it is, and takes it by force", async () => {
    await world.send("POST", path, { body: deployment({ replicas: 2 }), query: { fieldManager: "kubectl-create" } });
    const refused = await world.refusal("PATCH", `${path}/web`, {
      contentType: "application/apply-patch+yaml",
      query: { fieldManager: "me" },
      body: replicas(5),
    });
    expect(refused.toStatus()).toMatchObject({
      code: 409,
      reason: "Conflict",
      message: 'Apply failed with 1 conflict: conflict with "kubectl-create" using apps/v1: .spec.replicas',
      details: { causes: [{ reason: "FieldManagerConflict", message: 'conflict with "kubectl-create" using apps/v1', field: ".spec.replicas" }] },
    });
    expect(await world.apply(`${path}/web`, replicas(5), "me", { force: "true" })).toMatchObject({
      spec: { replicas: 5 },
      metadata: { generation: 2 },
    });
  });

  test("a status apply owns only status, and a main apply none of it", async () => {
    await world.apply(`${path}/web`, { ...deployment(), status: { replicas: 9 } }, "me");
    const next = await world.apply(`${path}/web/status`, { ...replicas(7), status: { replicas: 1 } }, "me");
    expect(next).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 1 } });
    expect(managers(next)).toEqual(["me Apply", "me Apply status"]);
    expect((next.metadata.managedFields ?? [])[1]?.fieldsV1).toEqual({ "f:status": { "f:replicas": {} } });
  });

  test("kubectl goes from applying by itself to server-side without losing or conflicting", async () => {
    const annotation = "kubectl.kubernetes.io/last-applied-configuration";
    const config = deployment({ replicas: 2 });
    await world.send("POST", path, {
      body: deployment({ replicas: 2 }, { annotations: { [annotation]: JSON.stringify(config) } }),
      query: { fieldManager: "kubectl-client-side-apply" },
    });
    const applied = await world.apply(`${path}/web`, deployment({ replicas: 4 }), "kubectl");
    expect(applied).toMatchObject({ spec: { replicas: 4 } });
    expect(JSON.parse(applied.metadata.annotations?.[annotation] ?? "")).toMatchObject({ spec: { replicas: 4 } });
    // kubectl then hands the old entry over to its new name by editing the books.
    const edited = (applied.metadata.managedFields ?? []).filter(({ manager }) => manager === "kubectl");
    const migrated = await world.send("PATCH", `${path}/web`, {
      contentType: "application/json-patch+json",
      query: { fieldManager: "kubectl" },
      body: [
        { op: "replace", path: "/metadata/managedFields", value: edited },
        { op: "replace", path: "/metadata/resourceVersion", value: applied.metadata.resourceVersion },
      ],
    });
    expect(managers(migrated)).toEqual(["kubectl Apply"]);
    expect(migrated["spec"]).toEqual(applied["spec"]);
  });

  test("books can be cleared, and what is then there belongs to nobody in particular", async () => {
    await world.send("POST", path, { body: deployment() });
    const cleared = await world.send("PATCH", `${path}/web`, {
      contentType: "application/merge-patch+json",
      body: { metadata: { managedFields: [{}] } },
    });
    expect(cleared.metadata.managedFields).toBeUndefined();
    const refused = await world.refusal("PATCH", `${path}/web`, {
      contentType: "application/apply-patch+yaml",
      query: { fieldManager: "me" },
      body: replicas(5),
    });
    expect(refused.message).toBe('Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1: .spec.replicas');
  });

  test.each([
    ["without a manager", {}, deployment(), "Invalid", /fieldManager: Required value/],
    [
      "with managed fields",
      { fieldManager: "me" },
      deployment({}, { managedFields: [{ manager: "x", operation: "Apply", apiVersion: "v1", fieldsType: "FieldsV1", fieldsV1: {} }] }),
      "BadRequest",
      /managedFields must be nil/,
    ],
    ["with a uid of nothing", { fieldManager: "me" }, deployment({}, { uid: "x" }), "Conflict", /uid mismatch/],
    ["of a field that is none", { fieldManager: "me" }, deployment({ bogus: 1 }), "BadRequest", /\.spec\.bogus: field not declared in schema/],
    [
      "of two elements of one key",
      { fieldManager: "me" },
      deployment({
        template: {
          spec: {
            containers: [
              { name: "c", image: "x" },
              { name: "c", image: "y" },
            ],
          },
        },
      }),
      "BadRequest",
      /Kind=Deployment\): \.spec\.template\.spec\.containers: duplicate entries for key \[name="c"\]$/,
    ],
    [
      "of an element without its key",
      { fieldManager: "me" },
      deployment({ template: { spec: { containers: [{ image: "x" }] } } }),
      "BadRequest",
      /^failed to create typed patch object \(default\/web; apps\/v1, Kind=Deployment\): \.spec\.template\.spec\.containers: element 0: associative list with keys has an element that omits key field "name"/,
    ],
  ])("is refused %s", async (_, query, body, reason, message) => {
    expect(await world.refusal("PATCH", `${path}/web`, { contentType: "application/apply-patch+yaml", query, body })).toMatchObject({
      reason,
      message: expect.stringMatching(message),
    });
  });
});

test("strategic merge patches merge lists of built-in kinds, and are refused for custom ones", async () => {
  await world.send("POST", path, { body: deployment() });
  const body = { spec: { template: { spec: { containers: [{ name: "c", env: [{ name: "A", value: "1" }] }] } } } };
  const patched = await world.send("PATCH", `${path}/web`, { contentType: "application/strategic-merge-patch+json", body });
  expect(patched).toMatchObject({ spec: { template: { spec: { containers: [{ name: "c", image: "x", env: [{ name: "A", value: "1" }] }] } } } });
  const version = {
    name: "v1",
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", "x-kubernetes-preserve-unknown-fields": true } } } },
  };
  await world.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    body: {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "ws.e.com" },
      spec: { group: "e.com", scope: "Namespaced", names: { plural: "ws", kind: "W" }, versions: [version] },
    },
  });
  const custom = "/apis/e.com/v1/namespaces/default/ws";
  await world.apply(`${custom}/w`, { apiVersion: "e.com/v1", kind: "W", metadata: { name: "w" }, spec: { a: 1 } }, "me");
  const refused = await world.refusal("PATCH", `${custom}/w`, { contentType: "application/strategic-merge-patch+json", body: { spec: { a: 2 } } });
  expect(refused.toStatus()).toMatchObject({ code: 415, reason: "UnsupportedMediaType" });
});
