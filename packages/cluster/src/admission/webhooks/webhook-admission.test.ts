import type { UnknownObject } from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  configMap,
  MAPS,
  mutating,
  MUTATING,
  openWebhookScene,
  podNamed,
  PODS,
  rule,
  validating,
  VALIDATING,
  type WebhookScene,
} from "../webhook-scene.fixture.ts";
import { patching, startWebhookServer } from "../webhook-server.fixture.ts";

let scene: WebhookScene;
beforeEach(async () => {
  scene = await openWebhookScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

describe("what is asked and answered", () => {
  test("an AdmissionReview holds the whole request", async () => {
    scene.server.on("/look", () => ({ allowed: true, warnings: ["mind the gap"], auditAnnotations: { key: "value" } }));
    await scene.post(VALIDATING, validating("a", scene.hook("/look", { rules: [rule(["configmaps"], ["*"])] })));
    const as = { username: "jane", uid: "7", groups: ["system:masters"], extra: { scope: ["x"] } };
    const created = await scene.world.respond("POST", MAPS, {
      body: configMap("m", { a: "b" }),
      as,
      query: { fieldManager: "me", fieldValidation: "Strict" },
    });
    expect(created.warnings).toEqual(["mind the gap"]);
    await scene.world.send("PATCH", `${MAPS}/m`, {
      contentType: "application/merge-patch+json",
      body: { data: { a: "c" } },
      query: { dryRun: "All" },
    });
    await scene.world.send("DELETE", `${MAPS}/m`, { body: { propagationPolicy: "Background" } });
    expect(scene.server.asked.map(({ request }) => request)).toMatchObject([
      {
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/u),
        kind: { group: "", version: "v1", kind: "ConfigMap" },
        resource: { group: "", version: "v1", resource: "configmaps" },
        requestKind: { group: "", version: "v1", kind: "ConfigMap" },
        requestResource: { group: "", version: "v1", resource: "configmaps" },
        name: "m",
        namespace: "default",
        operation: "CREATE",
        userInfo: as,
        object: { metadata: { uid: created.object.metadata.uid }, data: { a: "b" } },
        oldObject: null,
        dryRun: false,
        options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1", fieldManager: "me", fieldValidation: "Strict" },
      },
      {
        operation: "UPDATE",
        object: { data: { a: "c" } },
        oldObject: { data: { a: "b" } },
        dryRun: true,
        options: { kind: "UpdateOptions", dryRun: ["All"] },
      },
      { operation: "DELETE", object: null, oldObject: { data: { a: "b" } }, options: { kind: "DeleteOptions", propagationPolicy: "Background" } },
    ]);
    expect(scene.server.connections()).toBe(1);
  });

  test("subresources are matched as such, and with them what they are of", async () => {
    scene.server.on("/look", () => ({ allowed: true }));
    await scene.post(VALIDATING, validating("a", scene.hook("/look", { rules: [rule(["pods/*"], ["*"])] })));
    await scene.post(PODS, podNamed("p"));
    await scene.merge(`${PODS}/p/status`, { status: { phase: "Running" } });
    await scene.post(`${PODS}/p/binding`, { apiVersion: "v1", kind: "Binding", metadata: { name: "p" }, target: { kind: "Node", name: "n" } });
    await scene.post(`${PODS}/p/eviction`, { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "p" } });
    expect(
      scene.server.asked.map(({ request }) => [request["operation"], request["subResource"] ?? "-", request.object?.["kind"]].join(" ")),
    ).toEqual(["CREATE - Pod", "UPDATE status Pod", "CREATE binding Binding", "CREATE eviction Eviction"]);
  });

  test.each<[string, object, string]>([
    ["another uid", { uid: "x", allowed: true }, 'received invalid webhook response: expected response.uid="'],
    ["a patch without type", { allowed: true, patch: "W10=" }, "webhook returned response.patch but not response.patchType"],
    ["a patch that is none", { allowed: true, patchType: "JSONPatch", patch: "e3t7" }, "received undecodable patch in webhook response"],
  ])("an answer with %s is none", async (_, response, message) => {
    scene.server.on("/odd", () => response);
    await scene.post(MUTATING, mutating("a", scene.hook("/odd")));
    expect(await scene.refused("POST", MAPS, configMap("m"))).toMatchObject({ code: 500, message: expect.stringContaining(message) });
    await scene.merge(`${MUTATING}/a`, { webhooks: [scene.hook("/odd", { failurePolicy: "Ignore" })] });
    expect(await scene.post(MAPS, configMap("m"))).toMatchObject({ kind: "ConfigMap" });
  });

  test("a patch that does not fit is an error whatever the policy", async () => {
    scene.server.on("/odd", () => patching({ op: "remove", path: "/data/none" }));
    await scene.post(MUTATING, mutating("a", scene.hook("/odd", { failurePolicy: "Ignore" })));
    expect(await scene.refused("POST", MAPS, configMap("m"))).toMatchObject({ code: 500, reason: "InternalError" });
  });

  test("a refusal without words has some", async () => {
    scene.server.on("/silent", () => ({ allowed: false }));
    await scene.post(VALIDATING, validating("a", scene.hook("/silent")));
    expect(await scene.refused("POST", MAPS, configMap("m"))).toMatchObject({
      code: 400,
      message: 'admission webhook "silent.example.com" denied the request without explanation',
    });
  });

  test("a webhook with side effects takes no part in dry runs", async () => {
    await scene.post(VALIDATING, validating("a", scene.hook("/side")));
    await scene.world.store.write("validatingwebhookconfigurations.admissionregistration.k8s.io", { name: "a" }, (current) =>
      current === undefined ? undefined : { ...current, webhooks: [scene.hook("/side", { sideEffects: "Some", failurePolicy: "Ignore" })] },
    );
    expect((await scene.world.refusal("POST", MAPS, { body: configMap("m"), query: { dryRun: "All" } })).toStatus()).toMatchObject({
      code: 400,
      message: 'admission webhook "side.example.com" does not support dry run',
    });
  });
});

describe("webhooks are reached", () => {
  const service = (spec: object): UnknownObject => ({ apiVersion: "v1", kind: "Service", metadata: { name: "hook" }, spec });
  const slice = (port: number, ready = true): UnknownObject => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "hook-1", labels: { "kubernetes.io/service-name": "hook" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready } }],
    ports: [{ name: "https", port }],
  });
  const at = (path: string, caBundle = scene.server.caBundle): object => ({ caBundle, service: { namespace: "default", name: "hook", path } });
  const SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

  test("by a service without selector, whose certificate must name it", async () => {
    scene.server.on("/look", () => ({ allowed: true }));
    await scene.post("/api/v1/namespaces/default/services", service({ ports: [{ name: "https", port: 443 }] }));
    await scene.post(VALIDATING, validating("a", scene.hook("/look", { clientConfig: at("/look") })));
    const fails = async (): Promise<string> => ((await scene.refused("POST", MAPS, configMap("m"))) as { message: string }).message;
    expect(await fails()).toContain('no endpoints available for service "hook"');
    await scene.post(SLICES, slice(scene.server.port, false));
    expect(await fails()).toContain('no endpoints available for service "hook"');
    await scene.merge(`${SLICES}/hook-1`, { endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }] });
    await scene.post(MAPS, configMap("m"));
    expect(scene.server.asked).toHaveLength(1);

    await using stranger = await startWebhookServer(["other.default.svc"]);
    await scene.merge(`${VALIDATING}/a`, { webhooks: [scene.hook("/look", { clientConfig: at("/look", stranger.caBundle) })] });
    expect(await fails()).toContain("tls: failed to verify certificate: x509: certificate signed by unknown authority");
    await scene.merge(`${SLICES}/hook-1`, { ports: [{ name: "https", port: stranger.port }] });
    expect(await fails()).toContain("tls: failed to verify certificate: x509: certificate is not valid for hook.default.svc");
    await scene.merge(`${VALIDATING}/a`, {
      webhooks: [scene.hook("/look", { clientConfig: { service: { namespace: "default", name: "hook", port: 444 } } })],
    });
    expect(await fails()).toContain('no service port 444 found for service "hook"');
  });

  test("by a name elsewhere", async () => {
    scene.server.on("/look", () => ({ allowed: true }));
    await scene.post("/api/v1/namespaces/default/services", service({ type: "ExternalName", externalName: "localhost" }));
    const clientConfig = { caBundle: scene.server.caBundle, service: { namespace: "default", name: "hook", path: "/look", port: scene.server.port } };
    await scene.post(VALIDATING, validating("a", scene.hook("/look", { clientConfig })));
    await scene.post(MAPS, configMap("m"));
    expect(scene.server.asked).toHaveLength(1);
  });

  test("again after they were gone", async () => {
    const other = await startWebhookServer();
    await scene.post(VALIDATING, validating("a", scene.hook("/look", { clientConfig: other.at("/look") })));
    other.on("/look", () => ({ allowed: true }));
    await scene.post(MAPS, configMap("m"));
    await other[Symbol.asyncDispose]();
    expect(await scene.refused("POST", MAPS, configMap("n"))).toMatchObject({
      message: expect.stringMatching(/dial tcp 127.0.0.1:\d+: connect: connection refused$/u),
    });
  });
});
