import type { UnknownObject } from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openWorld, type World } from "./world.fixture.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const inDefault = (plural: string, group = ""): string => `${group === "" ? "/api/v1" : `/apis/${group}`}/namespaces/default/${plural}`;
const pods = inDefault("pods");
const pod = (spec: object = {}, metadata: object = {}): UnknownObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", ...metadata },
  spec: { containers: [{ name: "c", image: "x" }], ...spec },
});
const post = (path: string, body: UnknownObject): Promise<UnknownObject> => world.send("POST", path, { body });
const merge = (path: string, body: object): Promise<UnknownObject> =>
  world.send("PATCH", path, { contentType: "application/merge-patch+json", body });
const mergeRefused = async (path: string, body: object): Promise<object> =>
  (await world.refusal("PATCH", path, { contentType: "application/merge-patch+json", body })).toStatus();
const tokenMounts = (object: UnknownObject): unknown[] =>
  (object["spec"] as { containers: { volumeMounts?: { mountPath: string }[] }[] }).containers.map(({ volumeMounts = [] }) =>
    volumeMounts.map(({ mountPath }) => mountPath),
  );

describe("namespaces", () => {
  test("bring their default account with them", async () => {
    await post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } });
    expect(await world.send("GET", "/api/v1/namespaces/n/serviceaccounts/default")).toMatchObject({
      kind: "ServiceAccount",
      metadata: { uid: expect.any(String) },
    });
    expect((await post("/api/v1/namespaces/n/pods", pod()))["spec"]).toMatchObject({ serviceAccountName: "default" });
  });

  test.each(["default", "kube-system", "kube-public"])("%s stays", async (name) => {
    expect((await world.refusal("DELETE", `/api/v1/namespaces/${name}`)).toStatus()).toMatchObject({
      code: 403,
      message: `namespaces "${name}" is forbidden: this namespace may not be deleted`,
    });
  });
});

describe("pods", () => {
  test("get an account, its token where nothing is mounted, and its pull secrets", async () => {
    await post(inDefault("serviceaccounts"), {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "robot" },
      imagePullSecrets: [{ name: "s" }],
    });
    const created = await post(
      pods,
      pod({
        serviceAccountName: "robot",
        containers: [
          { name: "c", image: "x" },
          { name: "d", image: "x", volumeMounts: [{ name: "own", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }] },
        ],
        volumes: [{ name: "own", emptyDir: {} }],
      }),
    );
    expect(created["spec"]).toMatchObject({
      serviceAccountName: "robot",
      serviceAccount: "robot",
      imagePullSecrets: [{ name: "s" }],
      volumes: [
        { name: "own" },
        {
          name: expect.stringMatching(/^kube-api-access-[a-z0-9]{5}$/),
          projected: {
            defaultMode: 420,
            sources: [
              { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
              { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
              { downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] } },
            ],
          },
        },
      ],
    });
    expect(tokenMounts(created)).toEqual([["/var/run/secrets/kubernetes.io/serviceaccount"], ["/var/run/secrets/kubernetes.io/serviceaccount"]]);
  });

  test.each<[string, object, object, number]>([
    ["account and pod say nothing", {}, {}, 1],
    ["the account declines", { automountServiceAccountToken: false }, {}, 0],
    ["the pod declines", {}, { automountServiceAccountToken: false }, 0],
    ["the pod overrules the account", { automountServiceAccountToken: false }, { automountServiceAccountToken: true }, 1],
  ])("get a token or none: %s", async (_, account, spec, count) => {
    await merge(`${inDefault("serviceaccounts")}/default`, account);
    expect(tokenMounts(await post(pods, pod(spec)))[0]).toHaveLength(count);
  });

  test.each<[string, object, number, string]>([
    [
      "an account that is none",
      { serviceAccountName: "gone" },
      403,
      'pods "p" is forbidden: error looking up service account default/gone: serviceaccount "gone" not found',
    ],
    ["a priority class that is none", { priorityClassName: "gone" }, 403, 'pods "p" is forbidden: no PriorityClass with name gone was found'],
    [
      "a priority of its own",
      { priority: 7 },
      403,
      'pods "p" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
    ],
    [
      "two containers of one name",
      {
        containers: [
          { name: "c", image: "x" },
          { name: "c", image: "x" },
        ],
      },
      422,
      'Pod "p" is invalid: spec.containers[1].name: Duplicate value: "c"',
    ],
    [
      "a mount of no volume",
      { containers: [{ name: "c", image: "x", volumeMounts: [{ name: "v", mountPath: "/v" }] }] },
      422,
      'Pod "p" is invalid: spec.containers[0].volumeMounts[0].name: Not found: "v"',
    ],
    [
      "a request above its limit",
      { containers: [{ name: "c", image: "x", resources: { limits: { cpu: 1 }, requests: { cpu: "2" } } }] },
      422,
      'Pod "p" is invalid: spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
    [
      "an amount that is none",
      { containers: [{ name: "c", image: "x", resources: { limits: { cpu: "much" } } }] },
      422,
      expect.stringContaining("must be a quantity") as never,
    ],
    [
      "a probe of nothing",
      { containers: [{ name: "c", image: "x", livenessProbe: { periodSeconds: 1 } }] },
      422,
      'Pod "p" is invalid: spec.containers[0].livenessProbe: Required value: must specify a handler type',
    ],
    [
      "a volume of two kinds",
      { volumes: [{ name: "v", emptyDir: {}, hostPath: { path: "/" } }] },
      422,
      'Pod "p" is invalid: spec.volumes[0]: Forbidden: may not specify more than 1 volume type',
    ],
  ])("are refused with %s", async (_, spec, code, message) => {
    expect((await world.refusal("POST", pods, { body: pod(spec) })).toStatus()).toMatchObject({ code, message });
  });

  test("take priority from their class, or from the default one", async () => {
    expect((await post(pods, pod({ priorityClassName: "system-node-critical" })))["spec"]).toMatchObject({
      priority: 2_000_001_000,
      preemptionPolicy: "PreemptLowerPriority",
    });
    await post("/apis/scheduling.k8s.io/v1/priorityclasses", {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name: "polite" },
      value: 5,
      globalDefault: true,
      preemptionPolicy: "Never",
    });
    expect((await post(pods, pod({}, { name: "q" })))["spec"]).toMatchObject({ priority: 5, priorityClassName: "polite", preemptionPolicy: "Never" });
  });

  test.each<[string, object, string]>([
    ["nothing", {}, "BestEffort"],
    ["only extended resources", { limits: { "nvidia.com/gpu": "1" } }, "BestEffort"],
    ["a request", { requests: { cpu: "1" } }, "Burstable"],
    ["limits", { limits: { cpu: "1", memory: "1Gi" } }, "Guaranteed"],
    ["equal amounts in other words", { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1000m", memory: "1024Mi" } }, "Guaranteed"],
  ])("with %s are of a class", async (_, resources, expected) => {
    expect((await post(pods, pod({ containers: [{ name: "c", image: "x", resources }] })))["status"]).toMatchObject({
      qosClass: expected,
      phase: "Pending",
    });
  });

  test("tolerate trouble of their node for a while, unless they say how long", async () => {
    const own = { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 };
    expect((await post(pods, pod({ tolerations: [own] })))["spec"]).toMatchObject({
      tolerations: [own, { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 }],
    });
  });

  test("are bound once, and not while gated", async () => {
    await post(pods, pod({ schedulingGates: [{ name: "g" }] }));
    const binding = { apiVersion: "v1", kind: "Binding", metadata: { name: "p", annotations: { by: "me" } }, target: { kind: "Node", name: "n" } };
    expect(await world.refusal("POST", `${pods}/p/binding`, { body: binding })).toMatchObject({
      reason: "Conflict",
      message: expect.stringContaining("non-empty .spec.schedulingGates"),
    });
    await merge(`${pods}/p`, { spec: { schedulingGates: [] } });
    expect((await world.respond("POST", `${pods}/p/binding`, { body: binding })).status).toBe(201);
    expect(await world.send("GET", `${pods}/p`)).toMatchObject({
      metadata: { annotations: { by: "me" } },
      spec: { nodeName: "n" },
      status: { conditions: [{ type: "PodScheduled", status: "True" }] },
    });
    expect((await world.refusal("POST", `${pods}/p/binding`, { body: binding })).message).toBe(
      'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n"',
    );
  });

  test("are evicted as far as their budget goes", async () => {
    await post(inDefault("poddisruptionbudgets", "policy/v1"), {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "b" },
      spec: { minAvailable: 1, selector: { matchLabels: { a: "b" } } },
    });
    for (const name of ["p", "q"]) {
      await post(pods, pod({ nodeName: "n" }, { name, labels: { a: "b" } }));
      await merge(`${pods}/${name}/status`, { status: { phase: "Running" } });
    }
    const evict = (name: string): Parameters<World["refusal"]> => [
      "POST",
      `${pods}/${name}/eviction`,
      { body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name } } },
    ];
    expect((await world.refusal(...evict("p"))).toStatus()).toMatchObject({ code: 429, details: { retryAfterSeconds: 10 } });
    await merge(`${inDefault("poddisruptionbudgets", "policy/v1")}/b/status`, {
      status: { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 },
    });
    expect((await world.respond(...evict("p"))).status).toBe(201);
    expect(await world.send("GET", `${pods}/p`)).toMatchObject({
      metadata: { deletionTimestamp: expect.any(String) },
      status: { conditions: [{ type: "DisruptionTarget" }] },
    });
    expect((await world.refusal(...evict("q"))).toStatus()).toMatchObject({
      code: 429,
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: { causes: [{ reason: "DisruptionBudget", message: "The disruption budget b needs 1 healthy pods and has 2 currently" }] },
    });
  });
});

describe("what is made stays as it was made", () => {
  const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "x" }] } };
  const selected = { selector: { matchLabels: { a: "b" } }, template };
  const apps = (kind: string, spec: object = {}): UnknownObject => ({
    apiVersion: "apps/v1",
    kind,
    metadata: { name: "w" },
    spec: { ...selected, ...spec },
  });
  const rbac = "rbac.authorization.k8s.io";

  test.each<[string, string, UnknownObject, object, string]>([
    ["a pod's spec", pods, pod({}, { name: "w" }), { spec: { hostname: "h" } }, "Forbidden: pod updates may not change fields other than"],
    [
      "a deployment's selector",
      inDefault("deployments", "apps/v1"),
      apps("Deployment"),
      { spec: { selector: { matchLabels: { c: "d" } }, template: { metadata: { labels: { c: "d" } } } } },
      "spec.selector: Invalid value",
    ],
    [
      "a stateful set's service",
      inDefault("statefulsets", "apps/v1"),
      apps("StatefulSet"),
      { spec: { serviceName: "x" } },
      "spec: Forbidden: updates to statefulset spec for fields other than",
    ],
    [
      "a job's template",
      inDefault("jobs", "batch/v1"),
      {
        apiVersion: "batch/v1",
        kind: "Job",
        metadata: { name: "w" },
        spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x" }] } } },
      },
      { spec: { template: { spec: { hostname: "h" } } } },
      "field is immutable",
    ],
    [
      "a binding's role",
      inDefault("rolebindings", `${rbac}/v1`),
      { apiVersion: `${rbac}/v1`, kind: "RoleBinding", metadata: { name: "w" }, roleRef: { apiGroup: rbac, kind: "Role", name: "r" } },
      { roleRef: { name: "s" } },
      'roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"s"}: cannot change roleRef',
    ],
    [
      "a claim",
      inDefault("persistentvolumeclaims"),
      {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "w" },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
      },
      { spec: { accessModes: ["ReadWriteMany"] } },
      "spec: Forbidden: spec is immutable after creation",
    ],
    [
      "a secret's type",
      inDefault("secrets"),
      { apiVersion: "v1", kind: "Secret", metadata: { name: "w" } },
      { type: "x" },
      'type: Invalid value: "x": field is immutable',
    ],
    [
      "an immutable config map",
      inDefault("configmaps"),
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "w" }, immutable: true },
      { data: { a: "b" } },
      "data: Forbidden: field is immutable when `immutable` is set",
    ],
  ])("%s", async (_, path, object, change, message) => {
    await post(path, object);
    expect(await mergeRefused(`${path}/w`, change)).toMatchObject({ code: 422, reason: "Invalid", message: expect.stringContaining(message) });
  });

  test("except what may change: a suspended job's placement, a claim's volume, a pod's image", async () => {
    const jobs = inDefault("jobs", "batch/v1");
    await post(jobs, {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "w" },
      spec: { suspend: true, template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x" }] } } },
    });
    await merge(`${jobs}/w`, { spec: { suspend: false, template: { metadata: { labels: { k: "v" } }, spec: { nodeSelector: { a: "b" } } } } });
    const claims = inDefault("persistentvolumeclaims");
    await post(claims, {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "w" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    });
    await merge(`${claims}/w`, { spec: { volumeName: "v" } });
    await post(pods, pod());
    await merge(`${pods}/p`, { spec: { containers: [{ name: "c", image: "y" }] } }).catch(() => undefined);
    const patched = await world.send("PATCH", `${pods}/p`, {
      contentType: "application/strategic-merge-patch+json",
      body: { spec: { containers: [{ name: "c", image: "y" }] } },
    });
    expect(patched).toMatchObject({ metadata: { generation: 2 }, spec: { containers: [{ image: "y" }] } });
  });

  test("a selector must choose what its template makes", async () => {
    expect(
      (await world.refusal("POST", inDefault("deployments", "apps/v1"), { body: apps("Deployment", { selector: { matchLabels: { c: "d" } } }) }))
        .message,
    ).toContain("`selector` does not match template `labels`");
  });

  test("templates are judged as their pods will be", async () => {
    const body = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "w" },
      spec: {
        template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x", volumeMounts: [{ name: "v", mountPath: "/v" }] }] } },
      },
    };
    expect((await world.refusal("POST", inDefault("jobs", "batch/v1"), { body })).message).toBe(
      'Job.batch "w" is invalid: spec.template.spec.containers[0].volumeMounts[0].name: Not found: "v"',
    );
  });

  test("env and ports may repeat themselves, as ever", async () => {
    const twice = {
      name: "c",
      image: "x",
      env: [
        { name: "A", value: "1" },
        { name: "A", value: "2" },
      ],
      ports: [{ containerPort: 80 }, { containerPort: 80 }],
    };
    const created = await post(pods, pod({ containers: [twice] }));
    const applied = await world.apply(`${pods}/p`, { apiVersion: "v1", kind: "Pod", metadata: { name: "p", labels: { a: "b" } } }, "me");
    expect(applied["spec"]).toEqual(created["spec"]);
  });

  test("system priority classes", async () => {
    const path = "/apis/scheduling.k8s.io/v1/priorityclasses";
    expect(await world.refusal("DELETE", `${path}/system-node-critical`)).toMatchObject({ reason: "Forbidden" });
    expect(await mergeRefused(`${path}/system-node-critical`, { value: 1 })).toMatchObject({ code: 422 });
    const body = { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name: "high" }, value: 1_000_000_001 };
    expect(await world.refusal("POST", path, { body })).toMatchObject({ reason: "Invalid" });
  });
});

test("scale: every patch type, its selector, its own books", async () => {
  const path = inDefault("deployments", "apps/v1");
  await post(path, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "w" },
    spec: {
      selector: { matchLabels: { a: "b" }, matchExpressions: [{ key: "c", operator: "DoesNotExist" }] },
      template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "x" }] } },
    },
  });
  const scale = `${path}/w/scale`;
  expect(await world.send("GET", scale)).toMatchObject({
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    spec: { replicas: 1 },
    status: { replicas: 0, selector: "a=b,!c" },
  });
  expect(
    await world.send("PATCH", scale, { contentType: "application/json-patch+json", body: [{ op: "replace", path: "/spec/replicas", value: 2 }] }),
  ).toMatchObject({ spec: { replicas: 2 } });
  expect(
    await world.refusal("PATCH", scale, {
      contentType: "application/apply-patch+yaml",
      query: { fieldManager: "hpa" },
      body: { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name: "w" }, spec: { replicas: 3 } },
    }),
  ).toMatchObject({ reason: "Conflict" });
  await world.apply(scale, { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name: "w" }, spec: { replicas: 3 } }, "hpa", { force: "true" });
  const { metadata, spec } = await world.send("GET", `${path}/w`);
  expect(spec).toMatchObject({ replicas: 3 });
  expect(metadata.managedFields?.find(({ manager }) => manager === "hpa")).toMatchObject({
    operation: "Apply",
    subresource: "scale",
    fieldsV1: { "f:spec": { "f:replicas": {} } },
  });
  expect(await world.refusal("PUT", scale, { body: { metadata: { name: "w" }, spec: { replicas: -1 } } })).toMatchObject({ reason: "Invalid" });
});

test("a name is taken until its object is gone, and a PUT of another object is no creation", async () => {
  const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", finalizers: ["example.com/x"] } };
  await post(inDefault("configmaps"), configMap);
  await world.send("DELETE", `${inDefault("configmaps")}/c`);
  expect((await world.refusal("POST", inDefault("configmaps"), { body: configMap })).message).toBe(
    'object is being deleted: configmaps "c" already exists',
  );
  const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "l", uid: "gone" }, spec: {} };
  const path = `${inDefault("leases", "coordination.k8s.io/v1")}/l`;
  expect(await world.refusal("PUT", path, { body: lease })).toMatchObject({ reason: "Conflict" });
  expect((await world.respond("PUT", path, { body: { ...lease, metadata: { name: "l" } } })).status).toBe(201);
});
