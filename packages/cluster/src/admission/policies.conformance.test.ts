import type { UnknownObject } from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openAdmissionWorld, type AdmissionWorld } from "./world.fixture.ts";

let world: AdmissionWorld;
let annotations: Map<string, string>;
beforeEach(async () => {
  annotations = new Map();
  world = await openAdmissionWorld({ annotate: (key, value) => annotations.set(key, value) });
});
afterEach(() => world[Symbol.asyncDispose]());

const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";
const POLICIES = `${REGISTRATION}/validatingadmissionpolicies`;
const BINDINGS = `${REGISTRATION}/validatingadmissionpolicybindings`;
const MAPS = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";

const matching = (resources: string[], more: object = {}): object => ({
  resourceRules: [{ operations: ["CREATE", "UPDATE", "DELETE"], apiGroups: ["*"], apiVersions: ["*"], resources, ...more }],
});
const policy = (spec: object, name = "p"): UnknownObject => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicy",
  metadata: { name },
  spec: { matchConstraints: matching(["configmaps"]), ...spec },
});
const binding = (spec: object = {}, name = "b"): UnknownObject => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicyBinding",
  metadata: { name },
  spec: { policyName: "p", validationActions: ["Deny"], ...spec },
});
const map = (name: string, data: object = {}, labels: Record<string, string> = {}): UnknownObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, labels },
  data,
});
const deployment = (replicas: number, labels: Record<string, string> = { app: "x" }): UnknownObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "d" },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "nginx:1" }] } },
  },
});
const post = (path: string, body: UnknownObject): Promise<UnknownObject> => world.send("POST", path, { body });
const refused = async (path: string, body: UnknownObject): Promise<{ message: string }> =>
  (await world.refusal("POST", path, { body })).toStatus() as { message: string };
const merge = (path: string, body: object): Promise<UnknownObject> =>
  world.send("PATCH", path, { contentType: "application/merge-patch+json", body });
/** Creates a policy of these validations, bound to deny. */
const deny = async (...validations: object[]): Promise<void> => {
  await post(POLICIES, policy({ validations }));
  await post(BINDINGS, binding());
};

test("a policy validates Deployments once it is bound, and says why", async () => {
  await post(
    POLICIES,
    policy({
      matchConstraints: matching(["deployments"]),
      validations: [
        { expression: "object.spec.replicas > 1", messageExpression: "'wants replicas > 1, got ' + string(object.spec.replicas)" },
        { expression: "namespaceObject.metadata.name == 'default'", message: "Internal error! Other namespace should not be allowed." },
      ],
    }),
  );
  await post(DEPLOYMENTS, { ...deployment(1), metadata: { name: "early" } });
  await post(BINDINGS, binding());
  expect(await refused(DEPLOYMENTS, deployment(1))).toMatchObject({
    code: 422,
    reason: "Invalid",
    message: `deployments.apps "d" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: wants replicas > 1, got 1`,
    details: { name: "d", group: "apps", kind: "deployments", causes: [{ message: expect.stringContaining("wants replicas") }] },
  });
  await post(DEPLOYMENTS, deployment(2));
  await world.send("DELETE", `${BINDINGS}/b`);
  await post(DEPLOYMENTS, { ...deployment(1), metadata: { name: "late" } });
});

test("expressions can refer to variables, which can refer to those before them", async () => {
  await post(
    POLICIES,
    policy({
      matchConstraints: matching(["deployments"]),
      variables: [
        { name: "replicas", expression: "object.spec.replicas" },
        { name: "oddReplicas", expression: "variables.replicas % 2 == 1" },
        { name: "broken", expression: "1 / (variables.replicas - variables.replicas)" },
      ],
      validations: [
        { expression: "variables.replicas > 1" },
        { expression: "variables.oddReplicas", messageExpression: "string(variables.replicas) + ' is even'" },
        { expression: "variables.replicas < 9 || variables.broken > 0" },
        { expression: "variables.broken > 0 || true" },
      ],
    }),
  );
  await post(BINDINGS, binding());
  const why = async (replicas: number): Promise<string> =>
    (await refused(DEPLOYMENTS, deployment(replicas))).message.split("denied request: ")[1] ?? "";
  expect(await why(1)).toBe("failed expression: variables.replicas > 1");
  expect(await why(4)).toBe("4 is even");
  expect(await why(9)).toContain('composited variable "broken" fails to evaluate: division by zero');
  await post(DEPLOYMENTS, deployment(3));
});

describe("API operations", () => {
  test.each([
    ["policies", POLICIES, (name: string) => policy({ validations: [{ expression: "true" }] }, name)],
    ["bindings", BINDINGS, (name: string) => binding({}, name)],
  ] as const)("%s can be created, read, watched, changed and deleted", async (_, path, make) => {
    const created = await post(path, { ...make("x"), metadata: { name: "x", labels: { suite: "e2e" } } });
    expect(created.metadata).toMatchObject({ uid: expect.any(String), generation: 1 });
    for (const name of ["y", "z"]) await post(path, { ...make(name), metadata: { name, labels: { suite: "e2e" } } });
    expect((await world.send("GET", path, { query: { labelSelector: "suite=e2e" } }))["items"]).toHaveLength(3);
    expect(await world.send("GET", `${path}/x`)).toEqual(created);
    expect((await merge(`${path}/x`, { metadata: { annotations: { patched: "true" } } })).metadata.annotations).toEqual({ patched: "true" });
    const { metadata } = await world.send("GET", `${path}/x`);
    expect((await world.send("PUT", `${path}/x`, { body: { ...make("x"), metadata: { ...metadata, labels: { a: "b" } } } })).metadata.labels).toEqual(
      { a: "b" },
    );
    await world.send("DELETE", `${path}/x`);
    await world.send("DELETE", path, { query: { labelSelector: "suite=e2e" } });
    expect((await world.send("GET", path))["items"]).toEqual([]);
  });

  test("the status of a policy is its own", async () => {
    const created = await post(POLICIES, policy({ validations: [{ expression: "true" }] }));
    const conditions = [{ type: "Ready", status: "True", reason: "R", message: "m", lastTransitionTime: "2026-01-01T00:00:00Z" }];
    await merge(`${POLICIES}/p/status`, { status: { conditions } });
    expect(await world.send("GET", `${POLICIES}/p`)).toMatchObject({
      metadata: { generation: 1 },
      spec: created["spec"] as object,
      status: { conditions },
    });
  });

  test("the status of a policy tells which expressions do not fit the kinds that it names, and which generation was looked at", async () => {
    const constraints = matching(["deployments"], { apiGroups: ["apps"], apiVersions: ["v1"] });
    const expressions = ["object.spec.replicas > 1", "object.spec.replicas == 'x'", "object.spec.nonsense > 1"];
    const created = await post(POLICIES, policy({ matchConstraints: constraints, validations: expressions.map((expression) => ({ expression })) }));
    expect(created["status"]).toMatchObject({
      observedGeneration: 1,
      typeChecking: {
        expressionWarnings: [
          { fieldRef: "spec.validations[1].expression", warning: expect.stringContaining("apps/v1, Kind=Deployment: compilation failed: ERROR: ") },
          { fieldRef: "spec.validations[2].expression", warning: expect.stringContaining("undefined field 'nonsense'") },
        ],
      },
    });
    const fixed = await merge(`${POLICIES}/p`, { spec: { validations: [{ expression: "object.spec.replicas > 1" }] } });
    expect(fixed).toMatchObject({ metadata: { generation: 2 }, status: { observedGeneration: 2, typeChecking: {} } });
  });

  test.each<[string, object, string]>([
    [
      "an expression that does not compile",
      { validations: [{ expression: "object.foo +" }] },
      'spec.validations[0].expression: Invalid value: "object.foo +": compilation failed: ',
    ],
    [
      "an expression that says neither yes nor no",
      { validations: [{ expression: "1 + 1" }] },
      'spec.validations[0].expression: Invalid value: "1 + 1": must evaluate to bool but got int',
    ],
    ["parameters that are not declared", { validations: [{ expression: "params.a == 1" }] }, "undeclared reference to 'params'"],
    ["nothing to check", {}, "spec.validations: Required value: validations or auditAnnotations must contain at least one item"],
    ["no constraints", { validations: [{ expression: "true" }], matchConstraints: {} }, "spec.matchConstraints.resourceRules: Required value"],
    [
      "a variable of no name",
      { validations: [{ expression: "true" }], variables: [{ name: "a-b", expression: "1" }] },
      'spec.variables[0].name: Invalid value: "a-b": must be a valid CEL identifier',
    ],
    [
      "a variable that refers to itself",
      { validations: [{ expression: "true" }], variables: [{ name: "a", expression: "variables.a" }] },
      "spec.variables[0].expression: Invalid value",
    ],
    [
      "a reason that is none",
      { validations: [{ expression: "true", reason: "Whim" }] },
      'spec.validations[0].reason: Unsupported value: "Whim": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
    ],
    [
      "a message expression that asks who may do what",
      { validations: [{ expression: "true", messageExpression: "authorizer.group('').resource('pods').check('get').reason()" }] },
      "undeclared reference to 'authorizer'",
    ],
    [
      "a match condition that does not compile",
      { validations: [{ expression: "true" }], matchConditions: [{ name: "c", expression: "variables.a" }] },
      "spec.matchConditions[0].expression: Invalid value",
    ],
    [
      "an annotation of another type",
      { auditAnnotations: [{ key: "k", valueExpression: "1" }] },
      "must evaluate to one of [string null_type] but got int",
    ],
    [
      "a parameter kind that is none",
      { validations: [{ expression: "true" }], paramKind: { apiVersion: "a/b/c", kind: "K" } },
      "unexpected GroupVersion string: a/b/c",
    ],
  ])("a policy is refused with %s", async (_, spec, message) => {
    expect(await refused(POLICIES, policy(spec))).toMatchObject({ code: 422, reason: "Invalid", message: expect.stringContaining(message) });
  });

  test.each<[string, object, string]>([
    ["no policy", { policyName: "" }, "spec.policyName: Required value"],
    ["no actions", { validationActions: [] }, "spec.validationActions: Required value: at least one validation action is required"],
    ["Deny and Warn", { validationActions: ["Deny", "Warn"] }, "must not contain both Deny and Warn"],
    [
      "a parameter by name and selector",
      { paramRef: { name: "a", selector: {}, parameterNotFoundAction: "Deny" } },
      "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
    ],
    [
      "a parameter by neither",
      { paramRef: { parameterNotFoundAction: "Deny" } },
      "spec.paramRef: Required value: one of name or selector must be specified",
    ],
    ["no word on missing parameters", { paramRef: { name: "a" } }, "spec.paramRef.parameterNotFoundAction: Required value"],
  ])("a binding is refused with %s", async (_, spec, message) => {
    expect(await refused(BINDINGS, binding(spec))).toMatchObject({ code: 422, message: expect.stringContaining(message) });
  });
});

describe("what expressions see", () => {
  test.each<[string, string]>([
    [
      "the request",
      "request.operation == 'CREATE' && request.name == 'm' && request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps'",
    ],
    ["who makes it", "request.userInfo.username == 'admin' && 'system:masters' in request.userInfo.groups"],
    ["its options", "request.options.kind == 'CreateOptions' && !request.dryRun"],
    ["that there was nothing before", "oldObject == null"],
    ["the namespace", "namespaceObject.metadata.labels['kubernetes.io/metadata.name'] == 'default'"],
    ["what the user may do", "authorizer.group('').resource('pods').namespace('default').check('create').allowed()"],
    ["what the user may do with the object", "authorizer.requestResource.check('delete').allowed()"],
    ["the object, with its defaults and identity", "has(object.metadata.uid) && object.data.a == 'b'"],
  ])("%s", async (_, expression) => {
    await deny({ expression });
    await post(MAPS, map("m", { a: "b" }));
    await world.send("DELETE", `${POLICIES}/p`);
    await post(POLICIES, policy({ validations: [{ expression: `!(${expression})` }] }));
    expect(await refused(MAPS, map("m", { a: "b" }))).toMatchObject({ code: 422 });
  });

  test("what was before, and nothing after a deletion", async () => {
    await deny(
      { expression: "request.operation != 'UPDATE' || object.data.a >= oldObject.data.a", message: "a must not shrink" },
      { expression: "request.operation != 'DELETE' || (object == null && oldObject.data.a == 'c')", message: "only c may go" },
    );
    await post(MAPS, map("m", { a: "b" }));
    await expect(merge(`${MAPS}/m`, { data: { a: "a" } })).rejects.toThrow("a must not shrink");
    await expect(world.send("DELETE", `${MAPS}/m`)).rejects.toThrow("only c may go");
    await merge(`${MAPS}/m`, { data: { a: "c" } });
    await world.send("DELETE", `${MAPS}/m`);
  });
});

describe("what is decided", () => {
  test("the reason is the validation's", async () => {
    await deny({ expression: "false", reason: "Forbidden" });
    expect(await refused(MAPS, map("m"))).toMatchObject({ code: 403, reason: "Forbidden" });
  });

  test("Warn warns, Audit annotates, and neither denies", async () => {
    await post(POLICIES, policy({ validations: [{ expression: "false", message: "hmm" }] }));
    await post(BINDINGS, binding({ validationActions: ["Warn", "Audit"] }));
    const { warnings, status } = await world.respond("POST", MAPS, { body: map("m") });
    expect([status, warnings]).toEqual([201, ["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': hmm"]]);
    expect(JSON.parse(annotations.get("validation.policy.admission.k8s.io/validation_failure") ?? "")).toEqual([
      { message: "hmm", policy: "p", binding: "b", expressionIndex: 0, validationActions: ["Warn", "Audit"] },
    ]);
  });

  test("audit annotations tell what their expressions say", async () => {
    await post(
      POLICIES,
      policy({
        auditAnnotations: [
          { key: "name", valueExpression: "'created ' + object.metadata.name" },
          { key: "none", valueExpression: "null" },
        ],
      }),
    );
    await post(BINDINGS, binding());
    await post(MAPS, map("m"));
    expect([...annotations]).toEqual([["p/name", "created m"]]);
  });

  test("an expression that fails denies, unless failures are ignored", async () => {
    const failing = { validations: [{ expression: "object.data.absent == 'x'" }] };
    await post(POLICIES, policy(failing));
    await post(BINDINGS, binding());
    expect((await refused(MAPS, map("m"))).message).toMatch(
      /denied request: expression 'object.data.absent == 'x'' resulted in error: no such key: absent$/u,
    );
    await merge(`${POLICIES}/p`, { spec: { failurePolicy: "Ignore" } });
    await post(MAPS, map("m"));
  });

  test("what costs too much is a failure", async () => {
    const items = `[${Array.from({ length: 100 }, (_, i) => i).join(",")}]`;
    await deny({ expression: `${items}.all(a, ${items}.all(b, ${items}.all(c, ${items}.all(d, a + b + c + d >= 0))))` });
    expect((await refused(MAPS, map("m"))).message).toMatch(/cost (limit|budget)/u);
  });

  test("match conditions exempt requests", async () => {
    await post(
      POLICIES,
      policy({ validations: [{ expression: "false" }], matchConditions: [{ name: "c", expression: "object.metadata.name != 'free'" }] }),
    );
    await post(BINDINGS, binding());
    await post(MAPS, map("free"));
    expect(await refused(MAPS, map("m"))).toMatchObject({ code: 422 });
  });
});

describe("where policies apply", () => {
  test("by names, exclusions, labels of objects and of namespaces", async () => {
    await post(
      POLICIES,
      policy({
        matchConstraints: {
          ...matching(["configmaps"]),
          excludeResourceRules: [{ operations: ["*"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], resourceNames: ["free"] }],
          objectSelector: { matchExpressions: [{ key: "exempt", operator: "DoesNotExist" }] },
        },
        validations: [{ expression: "false" }],
      }),
    );
    await post(BINDINGS, binding({ matchResources: { namespaceSelector: { matchLabels: { strict: "yes" } } } }));
    await post(MAPS, map("m"));
    await merge("/api/v1/namespaces/default", { metadata: { labels: { strict: "yes" } } });
    await refused(MAPS, map("n"));
    await post(MAPS, map("free"));
    await post(MAPS, map("o", {}, { exempt: "" }));
    await merge(`${BINDINGS}/b`, {
      spec: { matchResources: { resourceRules: [{ operations: ["DELETE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }] } },
    });
    await post(MAPS, map("n"));
    await expect(world.send("DELETE", `${MAPS}/n`)).rejects.toThrow("denied request");
  });

  test("to configurations of admission never", async () => {
    await post(POLICIES, policy({ matchConstraints: matching(["*"]), validations: [{ expression: "false" }] }));
    await post(BINDINGS, binding());
    await post(POLICIES, policy({ validations: [{ expression: "true" }] }, "q"));
    expect(await refused(MAPS, map("m"))).toMatchObject({ code: 422 });
    await world.send("DELETE", `${BINDINGS}/b`);
    await post(MAPS, map("m"));
  });
});

describe("parameters", () => {
  const limits = (max: number): UnknownObject => ({ ...map("limits", { max: String(max) }, { role: "limits" }) });
  const withParams = (failurePolicy = "Fail"): UnknownObject =>
    policy({
      failurePolicy,
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      matchConstraints: matching(["deployments"]),
      validations: [{ expression: "object.spec.replicas <= int(params.data.max)", messageExpression: "'at most ' + params.data.max" }],
    });

  test("are found by name, in a namespace or in that of the request", async () => {
    await post(POLICIES, withParams());
    await post(BINDINGS, binding({ paramRef: { name: "limits", parameterNotFoundAction: "Deny" } }));
    expect((await refused(DEPLOYMENTS, deployment(2))).message).toContain(
      "denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
    );
    await post(MAPS, limits(3));
    expect((await refused(DEPLOYMENTS, deployment(4))).message).toContain("at most 3");
    await post(DEPLOYMENTS, deployment(3));
    await post("/api/v1/namespaces/kube-public/configmaps", limits(1));
    await merge(`${BINDINGS}/b`, { spec: { paramRef: { namespace: "kube-public" } } });
    await expect(merge(`${DEPLOYMENTS}/d`, { spec: { replicas: 2 } })).rejects.toThrow("at most 1");
  });

  test("are found by labels, and each counts", async () => {
    await post(POLICIES, withParams());
    await post(BINDINGS, binding({ paramRef: { selector: { matchLabels: { role: "limits" } }, parameterNotFoundAction: "Allow" } }));
    await post(DEPLOYMENTS, { ...deployment(9), metadata: { name: "free" } });
    await post(MAPS, { ...limits(5), metadata: { name: "a", labels: { role: "limits" } } });
    await post(MAPS, { ...limits(2), metadata: { name: "b", labels: { role: "limits" } } });
    expect((await refused(DEPLOYMENTS, deployment(4))).message).toContain("at most 2");
    await post(DEPLOYMENTS, deployment(2));
  });

  test("may be custom resources, once there are such", async () => {
    const spec = { ...(withParams()["spec"] as object), paramKind: { apiVersion: "example.com/v1", kind: "Limit" } };
    await post(POLICIES, { ...withParams(), spec });
    await post(BINDINGS, binding({ paramRef: { name: "l", parameterNotFoundAction: "Deny" } }));
    expect((await refused(DEPLOYMENTS, deployment(2))).message).toContain(
      "ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'example.com/v1, Kind=Limit'",
    );
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    await post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "limits.example.com" },
      spec: {
        group: "example.com",
        scope: "Cluster",
        names: { plural: "limits", kind: "Limit" },
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    });
    await post("/apis/example.com/v1/limits", { apiVersion: "example.com/v1", kind: "Limit", metadata: { name: "l" }, data: { max: "1" } });
    expect((await refused(DEPLOYMENTS, deployment(2))).message).toContain("at most 1");
    await merge(`${BINDINGS}/b`, { spec: { paramRef: { namespace: "default" } } });
    expect((await refused(DEPLOYMENTS, deployment(1))).message).toContain("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
  });
});
