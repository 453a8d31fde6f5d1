import { ApiError, type UnknownObject } from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { patching, startWebhookServer, type WebhookServer } from "./webhook-server.fixture.ts";
import { HASTE, openAdmissionWorld, type AdmissionWorld } from "./world.fixture.ts";

let world: AdmissionWorld;
let server: WebhookServer;
beforeEach(async () => {
  [world, server] = await Promise.all([openAdmissionWorld(), startWebhookServer()]);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";
const MUTATING = `${REGISTRATION}/mutatingwebhookconfigurations`;
const VALIDATING = `${REGISTRATION}/validatingwebhookconfigurations`;
const MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS = "/apis/example.com/v1/namespaces/default/widgets";

const rule = (resources: string[], operations = ["CREATE"], more: object = {}): object => ({
  operations,
  apiGroups: ["*"],
  apiVersions: ["*"],
  resources,
  ...more,
});
const hook = (path: string, more: object = {}): object => ({
  name: `${path.slice(1)}.example.com`,
  clientConfig: server.at(path),
  rules: [rule(["configmaps"])],
  sideEffects: "None",
  admissionReviewVersions: ["v1", "v1beta1"],
  ...more,
});
const mutating = (name: string, ...webhooks: object[]): UnknownObject => configuration("Mutating", name, webhooks);
const validating = (name: string, ...webhooks: object[]): UnknownObject => configuration("Validating", name, webhooks);
const configuration = (type: string, name: string, webhooks: object[]): UnknownObject => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: `${type}WebhookConfiguration`,
  metadata: { name, labels: { suite: "e2e" } },
  webhooks,
});
const post = (path: string, body: UnknownObject): Promise<UnknownObject> => world.send("POST", path, { body });
const merge = (path: string, body: object): Promise<UnknownObject> =>
  world.send("PATCH", path, { contentType: "application/merge-patch+json", body });
const refused = async (method: string, path: string, body?: object): Promise<object> =>
  (
    await world.refusal(method, path, method === "PATCH" ? { contentType: "application/merge-patch+json", body } : body === undefined ? {} : { body })
  ).toStatus();
const map = (name: string, data: object = {}, labels: Record<string, string> = {}): UnknownObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, labels },
  data,
});
const pod = (name: string, labels: Record<string, string> = {}): UnknownObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels },
  spec: { containers: [{ name: "c", image: "x" }] },
});
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
    server.asked.length = 0;
    try {
      await post(MAPS, { ...map(""), metadata: { name: "", generateName: "m-" } });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
    return server.asked.length > 0;
  };
  beforeEach(() => server.on("/hook", answer));

  test("can be listed and deleted as a collection, and then are not called any more", async () => {
    for (const name of ["a", "b", "c"]) await post(path, make(name, hook("/hook")));
    const list = await world.send("GET", path, { query: { labelSelector: "suite=e2e" } });
    expect((list["items"] as UnknownObject[]).map(({ metadata }) => metadata.name)).toEqual(["a", "b", "c"]);
    expect(await isCalled()).toBe(true);
    await world.send("DELETE", path, { query: { labelSelector: "suite=e2e" } });
    expect(await isCalled()).toBe(false);
  });

  test("can be updated and patched, and are called as they then say", async () => {
    const created = await post(path, make("a", hook("/hook", { rules: [rule(["configmaps"], ["UPDATE"])] })));
    expect(await isCalled()).toBe(false);
    const changed = { ...created, webhooks: [hook("/hook")] };
    await world.send("PUT", `${path}/a`, { body: changed });
    expect(await isCalled()).toBe(true);
    await world.send("PATCH", `${path}/a`, {
      contentType: "application/json-patch+json",
      body: [{ op: "replace", path: "/webhooks/0/rules/0/operations", value: ["UPDATE"] }],
    });
    expect(await isCalled()).toBe(false);
  });

  test("have defaults", async () => {
    expect((await post(path, make("a", hook("/hook"))))["webhooks"]).toMatchObject([
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
    expect(await refused("POST", path, make("a", hook("/hook", fault)))).toMatchObject({
      code: 422,
      reason: "Invalid",
      message: expect.stringContaining(message),
    });
  });

  test("are refused with a name that is taken", async () => {
    expect(await refused("POST", path, make("a", hook("/hook"), hook("/hook")))).toMatchObject({
      message: expect.stringContaining('webhooks[1].name: Duplicate value: "hook.example.com"'),
    });
  });
});

test("webhook resources are in discovery documents", () => {
  const served = world.api.resources().filter(({ group }) => group === "admissionregistration.k8s.io");
  expect(served.map(({ plural, version }) => `${version}/${plural}`)).toEqual(
    expect.arrayContaining(["v1/mutatingwebhookconfigurations", "v1/validatingwebhookconfigurations"]),
  );
});

describe("requests are denied", () => {
  test("of pods and config maps, but not in a namespace that is exempt", async () => {
    server.on("/deny", ({ object }) =>
      JSON.stringify(object).includes("disallow")
        ? { allowed: false, status: { message: "the object contains unwanted key", code: 403, reason: "Unwanted" } }
        : { allowed: true },
    );
    const namespaceSelector = { matchExpressions: [{ key: "skip", operator: "NotIn", values: ["yes"] }] };
    await post(VALIDATING, validating("a", hook("/deny", { rules: [rule(["pods", "configmaps"], ["CREATE", "UPDATE"])], namespaceSelector })));
    expect(await refused("POST", PODS, pod("p", { disallow: "x" }))).toMatchObject({
      code: 403,
      reason: "Unwanted",
      message: 'admission webhook "deny.example.com" denied the request: the object contains unwanted key',
    });
    expect(await refused("POST", MAPS, map("m", { disallow: "x" }))).toMatchObject({ code: 403 });
    await post(MAPS, map("m"));
    const before = await world.send("GET", `${MAPS}/m`);
    expect(await refused("PUT", `${MAPS}/m`, map("m", { disallow: "x" }))).toMatchObject({ code: 403 });
    expect(await refused("PATCH", `${MAPS}/m`, { data: { disallow: "x" } })).toMatchObject({ code: 403 });
    await expect(world.apply(`${MAPS}/m`, map("m", { disallow: "x" }), "me")).rejects.toThrow("unwanted key");
    expect(await world.send("GET", `${MAPS}/m`)).toEqual(before);
    await post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "free", labels: { skip: "yes" } } });
    await post("/api/v1/namespaces/free/configmaps", map("m", { disallow: "x" }));
    await world.send("PATCH", "/api/v1/namespaces/free", {
      contentType: "application/merge-patch+json",
      body: { metadata: { labels: { skip: null } } },
    });
    expect(await refused("POST", "/api/v1/namespaces/free/configmaps", map("n", { disallow: "x" }))).toMatchObject({ code: 403 });
  });

  test("of connections to pods", async () => {
    await post(PODS, pod("p"));
    server.on("/deny-attaching", () => denying("attaching to pod 'to-be-attached-pod' is not allowed"));
    await post(VALIDATING, validating("a", hook("/deny-attaching", { rules: [rule(["pods/attach"], ["CONNECT"])] })));
    await expect(world.connect("p", "attach", { kind: "PodAttachOptions", apiVersion: "v1", stdin: true, container: "c" })).rejects.toThrow(
      "is not allowed",
    );
    expect(server.asked).toMatchObject([
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
    expect(await world.connect("p", "exec", exec)).toEqual(exec);
  });

  test("of custom resources: creation, update and deletion", async () => {
    await post(CRDS, crd());
    server.on("/deny-widgets", ({ object, oldObject, operation }) => {
      const { data } = (operation === "DELETE" ? oldObject : object) as unknown as { data: Record<string, string> };
      return data["webhook"] === "disallow" ? denying("the custom resource contains unwanted data") : { allowed: true };
    });
    await post(VALIDATING, validating("a", hook("/deny-widgets", { rules: [rule(["widgets"], ["CREATE", "UPDATE", "DELETE"])] })));
    const message = 'admission webhook "deny-widgets.example.com" denied the request: the custom resource contains unwanted data';
    expect(await refused("POST", WIDGETS, widget("v1", { webhook: "disallow" }))).toMatchObject({ code: 400, message });
    await post(WIDGETS, widget("v1", { webhook: "allow" }));
    expect(await refused("PATCH", `${WIDGETS}/w`, { data: { webhook: "disallow" } })).toMatchObject({ message });
    // Somebody has let it through meanwhile.
    await world.store.write("widgets.example.com", { namespace: "default", name: "w" }, (current) =>
      current === undefined ? undefined : { ...current, data: { webhook: "disallow" } },
    );
    expect(await refused("DELETE", `${WIDGETS}/w`)).toMatchObject({ message });
    expect(await refused("DELETE", WIDGETS)).toMatchObject({ message });
    await merge(`${WIDGETS}/w`, { data: { webhook: "allow" } });
    await world.send("DELETE", `${WIDGETS}/w`);
    expect(await refused("GET", `${WIDGETS}/w`)).toMatchObject({ code: 404 });
  });

  test("of custom resource definitions", async () => {
    server.on("/deny-crd", () => denying("the crd contains unwanted label"));
    const objectSelector = { matchLabels: { "webhook-e2e-test": "webhook-disallow" } };
    await post(VALIDATING, validating("a", hook("/deny-crd", { rules: [rule(["customresourcedefinitions"])], objectSelector })));
    const unwanted = { ...crd(), metadata: { name: "widgets.example.com", labels: objectSelector.matchLabels } };
    expect(await refused("POST", CRDS, unwanted)).toMatchObject({ message: expect.stringContaining("unwanted label") });
    await post(CRDS, crd());
    expect(server.asked).toHaveLength(1);
  });

  test("all of them, while a webhook that must be asked cannot be reached", async () => {
    const clientConfig = { service: { namespace: "default", name: "e2e-test-webhook", path: "/configmaps", port: 4434 } };
    await post(VALIDATING, validating("a", hook("/fail-closed", { clientConfig })));
    expect(await refused("POST", MAPS, map("m"))).toMatchObject({
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
    server.on("/slow", () => slowly(latency));
    await post(VALIDATING, validating("a", hook("/slow", more)));
    if (isLet) expect(await post(MAPS, map("m"))).toMatchObject({ kind: "ConfigMap" });
    else
      expect(await refused("POST", MAPS, map("m"))).toMatchObject({
        message: expect.stringMatching(
          /failed calling webhook "slow.example.com": failed to call webhook: Post "https:.*\?timeout=1s": context deadline exceeded$/u,
        ),
      });
  });
});

describe("requests are changed", () => {
  test("config maps, by one after the other", async () => {
    server.on("/one", ({ object }) => ("mutation-start" in dataOf(object) ? adding("stage-1") : { allowed: true }));
    server.on("/two", ({ object }) => ("stage-1" in dataOf(object) ? adding("stage-2") : { allowed: true }));
    await post(MUTATING, mutating("b", hook("/two")));
    await post(MUTATING, mutating("a", hook("/one")));
    expect((await post(MAPS, map("m", { "mutation-start": "yes" })))["data"]).toEqual({
      "mutation-start": "yes",
      "stage-1": "yes",
      "stage-2": "yes",
    });
    expect(server.asked.map(({ path }) => path)).toEqual(["/one", "/two"]);
  });

  test("those that want it are asked again once others have changed the object", async () => {
    server.on("/again", ({ object }) => adding("count", `${Number(dataOf(object)["count"] ?? 0) + 1}`));
    server.on("/once", () => adding("once"));
    await post(MUTATING, mutating("a", hook("/again", { reinvocationPolicy: "IfNeeded" }), hook("/once")));
    expect((await post(MAPS, map("m", {})))["data"]).toEqual({ count: "2", once: "yes" });
    server.on("/once", () => ({ allowed: true }));
    expect((await post(MAPS, map("n", {})))["data"]).toEqual({ count: "1" });
  });

  test("pods, which have their defaults then", async () => {
    const container = { name: "webhook-added-init-container", image: "webhook-added-image" };
    server.on("/pods", () => patching({ op: "add", path: "/spec/initContainers", value: [container] }));
    await post(MUTATING, mutating("a", hook("/pods", { rules: [rule(["pods"])] })));
    const { spec } = (await post(PODS, pod("p"))) as unknown as { spec: { initContainers: object[] } };
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
    await post(CRDS, crd([{ name: "v1", served: true, storage: true, schema }]));
    server.on("/widgets", () => adding("mutation-stage-1"));
    await post(MUTATING, mutating("a", hook("/widgets", { rules: [rule(["widgets"])] })));
    expect((await post(WIDGETS, widget("v1", { "mutation-start": "yes" })))["data"]).toEqual(data);
  });

  test("custom resources of another version than is stored, or than the webhook knows", async () => {
    await post(CRDS, crd([version("v1", true), version("v2", false)]));
    server.on("/widgets", ({ object }) => patching({ op: "add", path: "/data/seen", value: object?.["apiVersion"] }));
    const rules = [{ operations: ["CREATE", "UPDATE"], apiGroups: ["example.com"], apiVersions: ["v1"], resources: ["widgets"] }];
    await post(MUTATING, mutating("a", hook("/widgets", { rules })));
    await post(WIDGETS, widget("v1", { a: "b" }));
    await merge(`${CRDS}/widgets.example.com`, { spec: { versions: [version("v1", false), version("v2", true)] } });
    expect(await merge(`${WIDGETS}/w`, { data: { a: "c" } })).toMatchObject({
      apiVersion: "example.com/v1",
      data: { a: "c", seen: "example.com/v1" },
    });
    expect(await merge(`${WIDGETS.replace("v1", "v2")}/w`, { data: { a: "d" } })).toMatchObject({
      apiVersion: "example.com/v2",
      data: { a: "d", seen: "example.com/v1" },
    });
    expect(server.asked.at(-1)?.request).toMatchObject({
      kind: { group: "example.com", version: "v1", kind: "Widget" },
      resource: { group: "example.com", version: "v1", resource: "widgets" },
      requestKind: { group: "example.com", version: "v2", kind: "Widget" },
      requestResource: { group: "example.com", version: "v2", resource: "widgets" },
      oldObject: { apiVersion: "example.com/v1" },
    });
    const asked = server.asked.length;
    await merge(`${MUTATING}/a`, { webhooks: [hook("/widgets", { rules, matchPolicy: "Exact" })] });
    await merge(`${WIDGETS.replace("v1", "v2")}/w`, { data: { a: "e" } });
    expect(server.asked).toHaveLength(asked);
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
  beforeEach(() => server.on("/hook", answer));

  test("are asked about what meets them all: everything except 'skip-me'", async () => {
    await post(path, make("a", hook("/hook", conditions("object.metadata.name != 'skip-me'", "request.userInfo.username == 'admin'"))));
    await post(MAPS, map("skip-me"));
    await world.send("POST", MAPS, { body: map("m"), as: { username: "other", groups: ["system:masters"] } });
    expect(server.asked).toEqual([]);
    await post(MAPS, map("n"));
    expect(server.asked).toMatchObject([{ request: { name: "n" } }]);
    await merge(`${path}/a`, {
      webhooks: [hook("/hook", conditions("authorizer.requestResource.check('create').allowed() && object.data.a == 'b'"))],
    });
    await post(MAPS, map("o", { a: "b" }));
    expect(server.asked).toHaveLength(2);
  });

  test("are not asked where the conditions fail, which counts as the policy says", async () => {
    await post(path, make("a", hook("/hook", conditions("object.data.absent == 'x'"))));
    expect(await refused("POST", MAPS, map("m"))).toMatchObject({
      code: 403,
      message: `configmaps "m" is forbidden: expression 'object.data.absent == 'x'' resulted in error: no such key: absent`,
    });
    await merge(`${path}/a`, { webhooks: [hook("/hook", { ...conditions("object.data.absent == 'x'"), failurePolicy: "Ignore" })] });
    await post(MAPS, map("m"));
    await merge(`${path}/a`, { webhooks: [hook("/hook", conditions("object.data.absent == 'x'", "false"))] });
    await post(MAPS, map("n"));
    expect(server.asked).toEqual([]);
  });
});

test("webhook configurations themselves are neither changed nor kept from being deleted", async () => {
  server.on("/deny", () => denying("no configuration may be deleted"));
  server.on("/change", () => patching({ op: "add", path: "/metadata/labels/changed", value: "yes" }));
  const rules = [rule(["validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies"], ["*"])];
  await post(VALIDATING, validating("a", hook("/deny", { rules })));
  await post(MUTATING, mutating("b", hook("/change", { rules })));
  for (const [path, make] of [
    [VALIDATING, validating],
    [MUTATING, mutating],
  ] as const) {
    expect((await post(path, make("dummy", hook("/deny")))).metadata.labels).toEqual({ suite: "e2e" });
    await world.send("DELETE", `${path}/dummy`);
  }
  expect(server.asked).toEqual([]);
});

describe("what is asked and answered", () => {
  test("an AdmissionReview holds the whole request", async () => {
    server.on("/look", () => ({ allowed: true, warnings: ["mind the gap"], auditAnnotations: { key: "value" } }));
    await post(VALIDATING, validating("a", hook("/look", { rules: [rule(["configmaps"], ["*"])] })));
    const as = { username: "jane", uid: "7", groups: ["system:masters"], extra: { scope: ["x"] } };
    const created = await world.respond("POST", MAPS, { body: map("m", { a: "b" }), as, query: { fieldManager: "me", fieldValidation: "Strict" } });
    expect(created.warnings).toEqual(["mind the gap"]);
    await world.send("PATCH", `${MAPS}/m`, { contentType: "application/merge-patch+json", body: { data: { a: "c" } }, query: { dryRun: "All" } });
    await world.send("DELETE", `${MAPS}/m`, { body: { propagationPolicy: "Background" } });
    expect(server.asked.map(({ request }) => request)).toMatchObject([
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
    expect(server.connections()).toBe(1);
  });

  test("subresources are matched as such, and with them what they are of", async () => {
    server.on("/look", () => ({ allowed: true }));
    await post(VALIDATING, validating("a", hook("/look", { rules: [rule(["pods/*"], ["*"])] })));
    await post(PODS, pod("p"));
    await merge(`${PODS}/p/status`, { status: { phase: "Running" } });
    await post(`${PODS}/p/binding`, { apiVersion: "v1", kind: "Binding", metadata: { name: "p" }, target: { kind: "Node", name: "n" } });
    await post(`${PODS}/p/eviction`, { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "p" } });
    expect(server.asked.map(({ request }) => [request["operation"], request["subResource"] ?? "-", request.object?.["kind"]].join(" "))).toEqual([
      "CREATE - Pod",
      "UPDATE status Pod",
      "CREATE binding Binding",
      "CREATE eviction Eviction",
    ]);
  });

  test.each<[string, object, string]>([
    ["another uid", { uid: "x", allowed: true }, 'received invalid webhook response: expected response.uid="'],
    ["a patch without type", { allowed: true, patch: "W10=" }, "webhook returned response.patch but not response.patchType"],
    ["a patch that is none", { allowed: true, patchType: "JSONPatch", patch: "e3t7" }, "received undecodable patch in webhook response"],
  ])("an answer with %s is none", async (_, response, message) => {
    server.on("/odd", () => response);
    await post(MUTATING, mutating("a", hook("/odd")));
    expect(await refused("POST", MAPS, map("m"))).toMatchObject({ code: 500, message: expect.stringContaining(message) });
    await merge(`${MUTATING}/a`, { webhooks: [hook("/odd", { failurePolicy: "Ignore" })] });
    expect(await post(MAPS, map("m"))).toMatchObject({ kind: "ConfigMap" });
  });

  test("a patch that does not fit is an error whatever the policy", async () => {
    server.on("/odd", () => patching({ op: "remove", path: "/data/none" }));
    await post(MUTATING, mutating("a", hook("/odd", { failurePolicy: "Ignore" })));
    expect(await refused("POST", MAPS, map("m"))).toMatchObject({ code: 500, reason: "InternalError" });
  });

  test("a refusal without words has some", async () => {
    server.on("/silent", () => ({ allowed: false }));
    await post(VALIDATING, validating("a", hook("/silent")));
    expect(await refused("POST", MAPS, map("m"))).toMatchObject({
      code: 400,
      message: 'admission webhook "silent.example.com" denied the request without explanation',
    });
  });

  test("a webhook with side effects takes no part in dry runs", async () => {
    await post(VALIDATING, validating("a", hook("/side")));
    await world.store.write("validatingwebhookconfigurations.admissionregistration.k8s.io", { name: "a" }, (current) =>
      current === undefined ? undefined : { ...current, webhooks: [hook("/side", { sideEffects: "Some", failurePolicy: "Ignore" })] },
    );
    expect((await world.refusal("POST", MAPS, { body: map("m"), query: { dryRun: "All" } })).toStatus()).toMatchObject({
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
  const at = (path: string, caBundle = server.caBundle): object => ({ caBundle, service: { namespace: "default", name: "hook", path } });
  const SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

  test("by a service without selector, whose certificate must name it", async () => {
    server.on("/look", () => ({ allowed: true }));
    await post("/api/v1/namespaces/default/services", service({ ports: [{ name: "https", port: 443 }] }));
    await post(VALIDATING, validating("a", hook("/look", { clientConfig: at("/look") })));
    const fails = async (): Promise<string> => ((await refused("POST", MAPS, map("m"))) as { message: string }).message;
    expect(await fails()).toContain('no endpoints available for service "hook"');
    await post(SLICES, slice(server.port, false));
    expect(await fails()).toContain('no endpoints available for service "hook"');
    await merge(`${SLICES}/hook-1`, { endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }] });
    await post(MAPS, map("m"));
    expect(server.asked).toHaveLength(1);

    await using stranger = await startWebhookServer(["other.default.svc"]);
    await merge(`${VALIDATING}/a`, { webhooks: [hook("/look", { clientConfig: at("/look", stranger.caBundle) })] });
    expect(await fails()).toContain("tls: failed to verify certificate: x509: certificate signed by unknown authority");
    await merge(`${SLICES}/hook-1`, { ports: [{ name: "https", port: stranger.port }] });
    expect(await fails()).toContain("tls: failed to verify certificate: x509: certificate is not valid for hook.default.svc");
    await merge(`${VALIDATING}/a`, { webhooks: [hook("/look", { clientConfig: { service: { namespace: "default", name: "hook", port: 444 } } })] });
    expect(await fails()).toContain('no service port 444 found for service "hook"');
  });

  test("by a name elsewhere", async () => {
    server.on("/look", () => ({ allowed: true }));
    await post("/api/v1/namespaces/default/services", service({ type: "ExternalName", externalName: "localhost" }));
    const clientConfig = { caBundle: server.caBundle, service: { namespace: "default", name: "hook", path: "/look", port: server.port } };
    await post(VALIDATING, validating("a", hook("/look", { clientConfig })));
    await post(MAPS, map("m"));
    expect(server.asked).toHaveLength(1);
  });

  test("again after they were gone", async () => {
    const other = await startWebhookServer();
    await post(VALIDATING, validating("a", hook("/look", { clientConfig: other.at("/look") })));
    other.on("/look", () => ({ allowed: true }));
    await post(MAPS, map("m"));
    await other[Symbol.asyncDispose]();
    expect(await refused("POST", MAPS, map("n"))).toMatchObject({
      message: expect.stringMatching(/dial tcp 127.0.0.1:\d+: connect: connection refused$/u),
    });
  });
});

function dataOf(object: Record<string, unknown> | null): Record<string, string> {
  return { ...(object?.["data"] as Record<string, string> | undefined) };
}
