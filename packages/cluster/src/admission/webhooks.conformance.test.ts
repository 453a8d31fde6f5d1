import { ApiError, type UnknownObject } from "@sluice/kubernetes";
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
} from "./webhook-scene.fixture.ts";
import { patching } from "./webhook-server.fixture.ts";
import { HASTE } from "./world.fixture.ts";

let scene: WebhookScene;
beforeEach(async () => {
  scene = await openWebhookScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS = "/apis/example.com/v1/namespaces/default/widgets";

const crd = (versions: object[] = [{ name: "v1", served: true, storage: true, schema: OPEN }]): UnknownObject => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.example.com" },
  spec: { group: "example.com", scope: "Namespaced", names: { plural: "widgets", kind: "Widget" }, versions },
});
const OPEN = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
const CLOSED = { openAPIV3Schema: { type: "object", properties: { data: { type: "object", additionalProperties: { type: "string" } } } } };
const widget = (version: string, data: object): UnknownObject => ({
  apiVersion: `example.com/${version}`,
  kind: "Widget",
  metadata: { name: "w" },
  data,
});
const adding = (key: string, value = "yes"): object => patching({ op: "add", path: `/data/${key}`, value });
const denying = (message: string): object => ({ allowed: false, status: { message } });

describe.each([
  ["mutating", MUTATING, mutating],
  ["validating", VALIDATING, validating],
] as const)("%s webhooks", (type, path, make) => {
  const answer = (): object => (type === "mutating" ? adding("seen") : denying("not here"));
  const isCalled = async (): Promise<boolean> => {
    scene.server.asked.length = 0;
    try {
      await scene.post(MAPS, { ...configMap(""), metadata: { name: "", generateName: "m-" } });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
    return scene.server.asked.length > 0;
  };
  beforeEach(() => scene.server.on("/hook", answer));

  test("can be listed and deleted as a collection, and then are not called any more", async () => {
    for (const name of ["a", "b", "c"]) await scene.post(path, make(name, scene.hook("/hook")));
    const list = await scene.world.send("GET", path, { query: { labelSelector: "suite=e2e" } });
    expect((list["items"] as UnknownObject[]).map(({ metadata }) => metadata.name)).toEqual(["a", "b", "c"]);
    expect(await isCalled()).toBe(true);
    await scene.world.send("DELETE", path, { query: { labelSelector: "suite=e2e" } });
    expect(await isCalled()).toBe(false);
  });

  test("can be updated and patched, and are called as they then say", async () => {
    const created = await scene.post(path, make("a", scene.hook("/hook", { rules: [rule(["configmaps"], ["UPDATE"])] })));
    expect(await isCalled()).toBe(false);
    const changed = { ...created, webhooks: [scene.hook("/hook")] };
    await scene.world.send("PUT", `${path}/a`, { body: changed });
    expect(await isCalled()).toBe(true);
    await scene.world.send("PATCH", `${path}/a`, {
      contentType: "application/json-patch+json",
      body: [{ op: "replace", path: "/webhooks/0/rules/0/operations", value: ["UPDATE"] }],
    });
    expect(await isCalled()).toBe(false);
  });

  test("have defaults", async () => {
    expect((await scene.post(path, make("a", scene.hook("/hook"))))["webhooks"]).toMatchObject([
      { failurePolicy: "Fail", matchPolicy: "Equivalent", namespaceSelector: {}, objectSelector: {}, timeoutSeconds: 10, rules: [{ scope: "*" }] },
    ]);
  });

  test.each<[string, object, string]>([
    [
      "a name of two parts",
      { name: "a.b" },
      'webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots',
    ],
    [
      "an expression that does not compile",
      { matchConditions: [{ name: "c", expression: "... [] bad" }] },
      'webhooks[0].matchConditions[0].expression: Invalid value: "... [] bad": compilation failed: ',
    ],
    ["no address", { clientConfig: {} }, "webhooks[0].clientConfig: Required value: exactly one of url or service is required"],
    ["an address that is not secure", { clientConfig: { url: "http://a/b" } }, "Invalid value: \"http\": 'https' is the only allowed URL scheme"],
    ["a path that is none", { clientConfig: { service: { name: "a", namespace: "b", path: "c" } } }, "must start with a '/'"],
    ["side effects", { sideEffects: "Some" }, 'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
    ["too much patience", { timeoutSeconds: 31 }, "Invalid value: 31: the timeout value must be between 1 and 30 seconds"],
    ["a bad selector", { objectSelector: { matchLabels: { "a b": "c" } } }, "webhooks[0].objectSelector: Invalid value"],
    ["no operation", { rules: [rule(["pods"], [])] }, "webhooks[0].rules[0].operations: Required value"],
    [
      "everything and something",
      { rules: [rule(["*/*", "pods"])] },
      'webhooks[0].rules[0].resources: Invalid value: ["*/*","pods"]: if \'*/*\' is present, must not specify other resources',
    ],
    [
      "no version that is spoken",
      { admissionReviewVersions: ["v2"] },
      'webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1',
    ],
    [
      "too many conditions",
      { matchConditions: Array.from({ length: 65 }, (_, i) => ({ name: `c${i}`, expression: "true" })) },
      "webhooks[0].matchConditions: Too many: 65: must have at most 64 items",
    ],
  ])("are refused with %s", async (_, fault, message) => {
    expect(await scene.refused("POST", path, make("a", scene.hook("/hook", fault)))).toMatchObject({
      code: 422,
      reason: "Invalid",
      message: expect.stringContaining(message),
    });
  });

  test("are refused with a name that is taken", async () => {
    expect(await scene.refused("POST", path, make("a", scene.hook("/hook"), scene.hook("/hook")))).toMatchObject({
      message: expect.stringContaining('webhooks[1].name: Duplicate value: "hook.example.com"'),
    });
  });
});

test("webhook resources are in discovery documents", () => {
  const served = scene.world.api.resources().filter(({ group }) => group === "admissionregistration.k8s.io");
  expect(served.map(({ plural, version }) => `${version}/${plural}`)).toEqual(
    expect.arrayContaining(["v1/mutatingwebhookconfigurations", "v1/validatingwebhookconfigurations"]),
  );
});

describe("requests are denied", () => {
  test("of pods and config maps, but not in a namespace that is exempt", async () => {
    scene.server.on("/deny", ({ object }) =>
      JSON.stringify(object).includes("disallow")
        ? { allowed: false, status: { message: "the object contains unwanted key", code: 403, reason: "Unwanted" } }
        : { allowed: true },
    );
    const namespaceSelector = { matchExpressions: [{ key: "skip", operator: "NotIn", values: ["yes"] }] };
    await scene.post(
      VALIDATING,
      validating("a", scene.hook("/deny", { rules: [rule(["pods", "configmaps"], ["CREATE", "UPDATE"])], namespaceSelector })),
    );
    expect(await scene.refused("POST", PODS, podNamed("p", { disallow: "x" }))).toMatchObject({
      code: 403,
      reason: "Unwanted",
      message: 'admission webhook "deny.example.com" denied the request: the object contains unwanted key',
    });
    expect(await scene.refused("POST", MAPS, configMap("m", { disallow: "x" }))).toMatchObject({ code: 403 });
    await scene.post(MAPS, configMap("m"));
    const before = await scene.world.send("GET", `${MAPS}/m`);
    expect(await scene.refused("PUT", `${MAPS}/m`, configMap("m", { disallow: "x" }))).toMatchObject({ code: 403 });
    expect(await scene.refused("PATCH", `${MAPS}/m`, { data: { disallow: "x" } })).toMatchObject({ code: 403 });
    await expect(scene.world.apply(`${MAPS}/m`, configMap("m", { disallow: "x" }), "me")).rejects.toThrow("unwanted key");
    expect(await scene.world.send("GET", `${MAPS}/m`)).toEqual(before);
    await scene.post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "free", labels: { skip: "yes" } } });
    await scene.post("/api/v1/namespaces/free/configmaps", configMap("m", { disallow: "x" }));
    await scene.world.send("PATCH", "/api/v1/namespaces/free", {
      contentType: "application/merge-patch+json",
      body: { metadata: { labels: { skip: null } } },
    });
    expect(await scene.refused("POST", "/api/v1/namespaces/free/configmaps", configMap("n", { disallow: "x" }))).toMatchObject({ code: 403 });
  });

  test("of connections to pods", async () => {
    await scene.post(PODS, podNamed("p"));
    scene.server.on("/deny-attaching", () => denying("attaching to pod 'to-be-attached-pod' is not allowed"));
    await scene.post(VALIDATING, validating("a", scene.hook("/deny-attaching", { rules: [rule(["pods/attach"], ["CONNECT"])] })));
    await expect(scene.world.connect("p", "attach", { kind: "PodAttachOptions", apiVersion: "v1", stdin: true, container: "c" })).rejects.toThrow(
      "is not allowed",
    );
    expect(scene.server.asked).toMatchObject([
      {
        request: {
          operation: "CONNECT",
          subResource: "attach",
          name: "p",
          namespace: "default",
          kind: { group: "", version: "v1", kind: "PodAttachOptions" },
          resource: { group: "", version: "v1", resource: "pods" },
          object: { kind: "PodAttachOptions", stdin: true, container: "c" },
          oldObject: null,
          options: null,
        },
      },
    ]);
    const exec = { kind: "PodExecOptions", apiVersion: "v1" };
    expect(await scene.world.connect("p", "exec", exec)).toEqual(exec);
  });

  test("of custom resources: creation, update and deletion", async () => {
    await scene.post(CRDS, crd());
    scene.server.on("/deny-widgets", ({ object, oldObject, operation }) => {
      const { data } = (operation === "DELETE" ? oldObject : object) as unknown as { data: Record<string, string> };
      return data["webhook"] === "disallow" ? denying("the custom resource contains unwanted data") : { allowed: true };
    });
    await scene.post(VALIDATING, validating("a", scene.hook("/deny-widgets", { rules: [rule(["widgets"], ["CREATE", "UPDATE", "DELETE"])] })));
    const message = 'admission webhook "deny-widgets.example.com" denied the request: the custom resource contains unwanted data';
    expect(await scene.refused("POST", WIDGETS, widget("v1", { webhook: "disallow" }))).toMatchObject({ code: 400, message });
    await scene.post(WIDGETS, widget("v1", { webhook: "allow" }));
    expect(await scene.refused("PATCH", `${WIDGETS}/w`, { data: { webhook: "disallow" } })).toMatchObject({ message });
    // Somebody has let it through meanwhile.
    await scene.world.store.write("widgets.example.com", { namespace: "default", name: "w" }, (current) =>
      current === undefined ? undefined : { ...current, data: { webhook: "disallow" } },
    );
    expect(await scene.refused("DELETE", `${WIDGETS}/w`)).toMatchObject({ message });
    expect(await scene.refused("DELETE", WIDGETS)).toMatchObject({ message });
    await scene.merge(`${WIDGETS}/w`, { data: { webhook: "allow" } });
    await scene.world.send("DELETE", `${WIDGETS}/w`);
    expect(await scene.refused("GET", `${WIDGETS}/w`)).toMatchObject({ code: 404 });
  });

  test("of custom resource definitions", async () => {
    scene.server.on("/deny-crd", () => denying("the crd contains unwanted label"));
    const objectSelector = { matchLabels: { "webhook-e2e-test": "webhook-disallow" } };
    await scene.post(VALIDATING, validating("a", scene.hook("/deny-crd", { rules: [rule(["customresourcedefinitions"])], objectSelector })));
    const unwanted = { ...crd(), metadata: { name: "widgets.example.com", labels: objectSelector.matchLabels } };
    expect(await scene.refused("POST", CRDS, unwanted)).toMatchObject({ message: expect.stringContaining("unwanted label") });
    await scene.post(CRDS, crd());
    expect(scene.server.asked).toHaveLength(1);
  });

  test("all of them, while a webhook that must be asked cannot be reached", async () => {
    const clientConfig = { service: { namespace: "default", name: "e2e-test-webhook", path: "/configmaps", port: 4434 } };
    await scene.post(VALIDATING, validating("a", scene.hook("/fail-closed", { clientConfig })));
    expect(await scene.refused("POST", MAPS, configMap("m"))).toMatchObject({
      code: 500,
      reason: "InternalError",
      message:
        'Internal error occurred: failed calling webhook "fail-closed.example.com": failed to call webhook: Post "https://e2e-test-webhook.default.svc:4434/configmaps?timeout=10s": services "e2e-test-webhook" not found',
      details: { causes: [{ message: expect.stringContaining("failed calling webhook") }] },
    });
  });
});

describe("a webhook's patience is honoured", () => {
  const slowly = (seconds: number): Promise<object> =>
    new Promise((resolve) => setTimeout(() => resolve({ allowed: true }), (seconds * 1000) / HASTE));

  test.each<[string, object, number, boolean]>([
    ["shorter than the webhook's latency, and failures count", { timeoutSeconds: 1, failurePolicy: "Fail" }, 5, false],
    ["shorter than the webhook's latency, and failures are ignored", { timeoutSeconds: 1, failurePolicy: "Ignore" }, 5, true],
    ["longer than the webhook's latency", { timeoutSeconds: 10, failurePolicy: "Fail" }, 5, true],
    ["empty, which stands for ten seconds", { failurePolicy: "Fail" }, 5, true],
  ])("%s", async (_, more, latency, isLet) => {
    scene.server.on("/slow", () => slowly(latency));
    await scene.post(VALIDATING, validating("a", scene.hook("/slow", more)));
    if (isLet) expect(await scene.post(MAPS, configMap("m"))).toMatchObject({ kind: "ConfigMap" });
    else
      expect(await scene.refused("POST", MAPS, configMap("m"))).toMatchObject({
        message: expect.stringMatching(
          /failed calling webhook "slow.example.com": failed to call webhook: Post "https:.*\?timeout=1s": context deadline exceeded$/u,
        ),
      });
  });
});

describe("requests are changed", () => {
  test("config maps, by one after the other", async () => {
    scene.server.on("/one", ({ object }) => ("mutation-start" in dataOf(object) ? adding("stage-1") : { allowed: true }));
    scene.server.on("/two", ({ object }) => ("stage-1" in dataOf(object) ? adding("stage-2") : { allowed: true }));
    await scene.post(MUTATING, mutating("b", scene.hook("/two")));
    await scene.post(MUTATING, mutating("a", scene.hook("/one")));
    expect((await scene.post(MAPS, configMap("m", { "mutation-start": "yes" })))["data"]).toEqual({
      "mutation-start": "yes",
      "stage-1": "yes",
      "stage-2": "yes",
    });
    expect(scene.server.asked.map(({ path }) => path)).toEqual(["/one", "/two"]);
  });

  test("those that want it are asked again once others have changed the object", async () => {
    scene.server.on("/again", ({ object }) => adding("count", `${Number(dataOf(object)["count"] ?? 0) + 1}`));
    scene.server.on("/once", () => adding("once"));
    await scene.post(MUTATING, mutating("a", scene.hook("/again", { reinvocationPolicy: "IfNeeded" }), scene.hook("/once")));
    expect((await scene.post(MAPS, configMap("m", {})))["data"]).toEqual({ count: "2", once: "yes" });
    scene.server.on("/once", () => ({ allowed: true }));
    expect((await scene.post(MAPS, configMap("n", {})))["data"]).toEqual({ count: "1" });
  });

  test("pods, which have their defaults then", async () => {
    const container = { name: "webhook-added-init-container", image: "webhook-added-image" };
    scene.server.on("/pods", () => patching({ op: "add", path: "/spec/initContainers", value: [container] }));
    await scene.post(MUTATING, mutating("a", scene.hook("/pods", { rules: [rule(["pods"])] })));
    const { spec } = (await scene.post(PODS, podNamed("p"))) as unknown as { spec: { initContainers: object[] } };
    expect(spec.initContainers).toMatchObject([
      {
        ...container,
        terminationMessagePolicy: "File",
        imagePullPolicy: "Always",
        volumeMounts: [{ mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }],
      },
    ]);
  });

  test.each([
    ["that keep what they do not know", OPEN, { "mutation-start": "yes", "mutation-stage-1": "yes" }],
    [
      "that prune",
      { openAPIV3Schema: { type: "object", properties: { data: { type: "object", properties: { "mutation-start": { type: "string" } } } } } },
      { "mutation-start": "yes" },
    ],
  ])("custom resources %s", async (_, schema, data) => {
    await scene.post(CRDS, crd([{ name: "v1", served: true, storage: true, schema }]));
    scene.server.on("/widgets", () => adding("mutation-stage-1"));
    await scene.post(MUTATING, mutating("a", scene.hook("/widgets", { rules: [rule(["widgets"])] })));
    expect((await scene.post(WIDGETS, widget("v1", { "mutation-start": "yes" })))["data"]).toEqual(data);
  });

  test("custom resources of another version than is stored, or than the webhook knows", async () => {
    await scene.post(CRDS, crd([version("v1", true), version("v2", false)]));
    scene.server.on("/widgets", ({ object }) => patching({ op: "add", path: "/data/seen", value: object?.["apiVersion"] }));
    const rules = [{ operations: ["CREATE", "UPDATE"], apiGroups: ["example.com"], apiVersions: ["v1"], resources: ["widgets"] }];
    await scene.post(MUTATING, mutating("a", scene.hook("/widgets", { rules })));
    await scene.post(WIDGETS, widget("v1", { a: "b" }));
    await scene.merge(`${CRDS}/widgets.example.com`, { spec: { versions: [version("v1", false), version("v2", true)] } });
    expect(await scene.merge(`${WIDGETS}/w`, { data: { a: "c" } })).toMatchObject({
      apiVersion: "example.com/v1",
      data: { a: "c", seen: "example.com/v1" },
    });
    expect(await scene.merge(`${WIDGETS.replace("v1", "v2")}/w`, { data: { a: "d" } })).toMatchObject({
      apiVersion: "example.com/v2",
      data: { a: "d", seen: "example.com/v1" },
    });
    expect(scene.server.asked.at(-1)?.request).toMatchObject({
      kind: { group: "example.com", version: "v1", kind: "Widget" },
      resource: { group: "example.com", version: "v1", resource: "widgets" },
      requestKind: { group: "example.com", version: "v2", kind: "Widget" },
      requestResource: { group: "example.com", version: "v2", resource: "widgets" },
      oldObject: { apiVersion: "example.com/v1" },
    });
    const asked = scene.server.asked.length;
    await scene.merge(`${MUTATING}/a`, { webhooks: [scene.hook("/widgets", { rules, matchPolicy: "Exact" })] });
    await scene.merge(`${WIDGETS.replace("v1", "v2")}/w`, { data: { a: "e" } });
    expect(scene.server.asked).toHaveLength(asked);
  });

  function version(name: string, storage: boolean): object {
    return { name, served: true, storage, schema: CLOSED };
  }
});

describe.each([
  ["mutating", MUTATING, mutating],
  ["validating", VALIDATING, validating],
] as const)("%s webhooks with match conditions", (type, path, make) => {
  const answer = (): object => (type === "mutating" ? adding("seen") : { allowed: true });
  const conditions = (...expressions: string[]): object => ({ matchConditions: expressions.map((expression, i) => ({ name: `c${i}`, expression })) });
  beforeEach(() => scene.server.on("/hook", answer));

  test("are asked about what meets them all: everything except 'skip-me'", async () => {
    await scene.post(path, make("a", scene.hook("/hook", conditions("object.metadata.name != 'skip-me'", "request.userInfo.username == 'admin'"))));
    await scene.post(MAPS, configMap("skip-me"));
    await scene.world.send("POST", MAPS, { body: configMap("m"), as: { username: "other", groups: ["system:masters"] } });
    expect(scene.server.asked).toEqual([]);
    await scene.post(MAPS, configMap("n"));
    expect(scene.server.asked).toMatchObject([{ request: { name: "n" } }]);
    await scene.merge(`${path}/a`, {
      webhooks: [scene.hook("/hook", conditions("authorizer.requestResource.check('create').allowed() && object.data.a == 'b'"))],
    });
    await scene.post(MAPS, configMap("o", { a: "b" }));
    expect(scene.server.asked).toHaveLength(2);
  });

  test("are not asked where the conditions fail, which counts as the policy says", async () => {
    await scene.post(path, make("a", scene.hook("/hook", conditions("object.data.absent == 'x'"))));
    expect(await scene.refused("POST", MAPS, configMap("m"))).toMatchObject({
      code: 403,
      message: `configmaps "m" is forbidden: expression 'object.data.absent == 'x'' resulted in error: no such key: absent`,
    });
    await scene.merge(`${path}/a`, { webhooks: [scene.hook("/hook", { ...conditions("object.data.absent == 'x'"), failurePolicy: "Ignore" })] });
    await scene.post(MAPS, configMap("m"));
    await scene.merge(`${path}/a`, { webhooks: [scene.hook("/hook", conditions("object.data.absent == 'x'", "false"))] });
    await scene.post(MAPS, configMap("n"));
    expect(scene.server.asked).toEqual([]);
  });
});

test("webhook configurations themselves are neither changed nor kept from being deleted", async () => {
  scene.server.on("/deny", () => denying("no configuration may be deleted"));
  scene.server.on("/change", () => patching({ op: "add", path: "/metadata/labels/changed", value: "yes" }));
  const rules = [rule(["validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies"], ["*"])];
  await scene.post(VALIDATING, validating("a", scene.hook("/deny", { rules })));
  await scene.post(MUTATING, mutating("b", scene.hook("/change", { rules })));
  for (const [path, make] of [
    [VALIDATING, validating],
    [MUTATING, mutating],
  ] as const) {
    expect((await scene.post(path, make("dummy", scene.hook("/deny")))).metadata.labels).toEqual({ suite: "e2e" });
    await scene.world.send("DELETE", `${path}/dummy`);
  }
  expect(scene.server.asked).toEqual([]);
});

function dataOf(object: Record<string, unknown> | null): Record<string, string> {
  return { ...(object?.["data"] as Record<string, string> | undefined) };
}
