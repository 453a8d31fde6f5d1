import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "@sluice/controller";
import type { ResourceQuota, UnknownObject } from "@sluice/kubernetes";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import type { World } from "../api-server/world.fixture.ts";
import { eventually } from "../controllers/control-plane.fixture.ts";
import { coreObject, openPolicyWorld, podObject } from "./policy-world.fixture.ts";

const home = "/api/v1/namespaces/team";
const pods = `${home}/pods`;
const quotas = `${home}/resourcequotas`;
const quota = (hard: object, more: object = {}, name = "q"): UnknownObject => coreObject("ResourceQuota", name, { spec: { hard, ...more } });
const merge = (body: object): object => ({ contentType: "application/merge-patch+json", body });

async function worldWith(hard: object, more: object = {}, options: Parameters<typeof openPolicyWorld>[0] = {}): Promise<World> {
  const world = await openPolicyWorld(options);
  await world.send("POST", "/api/v1/namespaces", { body: coreObject("Namespace", "team") });
  await world.send("POST", quotas, { body: quota(hard, more) });
  return world;
}
const usedOf = async (world: World, name = "q"): Promise<unknown> =>
  ((await world.send("GET", `${quotas}/${name}`)) as UnknownObject & ResourceQuota).status?.used;
const add = (world: World, object: UnknownObject, query = {}): Promise<UnknownObject> => world.send("POST", pods, { body: object, query });
/** What is told of a pod that is not let in. */
const refusal = async (world: World, object: UnknownObject): Promise<string> => (await world.refusal("POST", pods, { body: object })).message;

test("of many at once exactly as many are let in as there is room for, and the status is committed with them", async () => {
  const world = await worldWith({ pods: "10", "requests.cpu": "1" });
  const all = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => add(world, podObject(`p${i}`, {}, { requests: { cpu: "100m" } }))));
  expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
  expect(await usedOf(world)).toEqual({ pods: "10", "requests.cpu": "1" });
  expect(await refusal(world, podObject("late", {}, { requests: { cpu: "1m" } }))).toBe(
    'pods "late" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=1m, used: pods=10,requests.cpu=1, limited: pods=10,requests.cpu=1',
  );
});

test("the status has risen as soon as the object is there", async () => {
  const world = await worldWith({ pods: "2" });
  await add(world, podObject("a"));
  const [pod, counted] = [
    world.store.get("pods", { namespace: "team", name: "a" }),
    world.store.get("resourcequotas", { namespace: "team", name: "q" }),
  ];
  expect(counted?.["status"]).toMatchObject({ used: { pods: "1" } });
  expect(Number(counted?.metadata.resourceVersion) - Number(pod?.metadata.resourceVersion)).toBe(1);
});

test("a dry run is judged and costs nothing; what fails to be written gives its room back", async () => {
  const world = await worldWith({ pods: "1" });
  await add(world, podObject("a"), { dryRun: "All" });
  await add(world, podObject("a"), { dryRun: "All" });
  await eventually(async () => isDeepStrictEqual(await usedOf(world), { pods: "0" }));
  await add(world, podObject("a"));
  expect((await world.refusal("POST", pods, { body: podObject("b"), query: { dryRun: "All" } })).message).toContain("exceeded quota");

  const small = await worldWith({ configmaps: "1", secrets: "1" }, {}, { maxBytes: 1_200_000 });
  const big = coreObject("ConfigMap", "big", { data: { a: "x".repeat(900_000) } });
  await small.send("POST", "/api/v1/namespaces/default/configmaps", { body: big });
  const full = await small.refusal("POST", `${home}/configmaps`, { body: big });
  expect(full).toMatchObject({ reason: "InternalError" });
  await small.send("POST", `${home}/configmaps`, { body: coreObject("ConfigMap", "little") });
});

test("the books are right again after a restart, whatever the status says", async () => {
  const directory = await mkdtemp(join(tmpdir(), "sluice-quota-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, "cluster.db");
  const before = await worldWith({ pods: "2" }, {}, { path });
  await add(before, podObject("a"));
  // As a version that kept no books may have left it.
  await before.store.write("pods", { namespace: "team", name: "b" }, () => ({ ...podObject("b"), metadata: { name: "b", namespace: "team" } }));
  await before.store.write("resourcequotas", { namespace: "team", name: "q" }, (current) => ({
    ...current,
    ...quota({ pods: "2" }),
    metadata: { name: "q", namespace: "team" },
    status: {},
  }));
  await before.store.close();
  const after = await openPolicyWorld({ path });
  await eventually(async () => isDeepStrictEqual(await usedOf(after), { pods: "2" }));
  expect(await refusal(after, podObject("c"))).toContain("exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2");
});

test("containers must state what a quota bounds", async () => {
  const world = await worldWith({ cpu: "2", "limits.memory": "1Gi", "requests.nvidia.com/gpu": "1" });
  const two = podObject("p", {
    containers: [
      { name: "b", image: "x" },
      { name: "a", image: "x", resources: { requests: { cpu: "1" } } },
    ],
    initContainers: [{ name: "i", image: "x" }],
  });
  expect(await refusal(world, two)).toBe('pods "p" is forbidden: failed quota: q: must specify cpu for: b,i; limits.memory for: a,b,i');
  await add(world, podObject("whole", { resources: { requests: { cpu: "1" }, limits: { memory: "1Gi" } } }));
  expect(await usedOf(world)).toEqual({ cpu: "1", "limits.memory": "1Gi", "requests.nvidia.com/gpu": "0" });
});

test("a pod costs what it needs at its height, and nothing but its name once it is over", async () => {
  const world = await worldWith({ "requests.cpu": "10", "limits.cpu": "10", pods: "5", "count/pods": "5", "hugepages-2Mi": "1Gi" });
  const of = (name: string, cpu: string, more: object = {}): object => ({
    name,
    image: "x",
    resources: { requests: { cpu }, limits: { cpu } },
    ...more,
  });
  const spec = { containers: [of("a", "1"), of("b", "1")], initContainers: [of("s", "500m", { restartPolicy: "Always" }), of("i", "4")] };
  await add(world, podObject("p", spec));
  expect(await usedOf(world)).toEqual({ "requests.cpu": "4500m", "limits.cpu": "4500m", pods: "1", "count/pods": "1", "hugepages-2Mi": "0" });
  await world.send("PATCH", `${pods}/p/status`, merge({ status: { phase: "Succeeded" } }));
  const over = { "requests.cpu": "0", "limits.cpu": "0", pods: "0", "count/pods": "1", "hugepages-2Mi": "0" };
  await eventually(async () => isDeepStrictEqual(await usedOf(world), over));
});

test("a pod whose node does not end it in time costs no more", async () => {
  let now = Date.now();
  const clock: Clock = { now: () => now, sleep: async () => {} };
  const world = await worldWith({ pods: "1" }, {}, { clock });
  await add(world, podObject("a", { nodeName: "lost" }));
  await world.send("DELETE", `${pods}/a`, { body: { gracePeriodSeconds: 10 } });
  expect(await refusal(world, podObject("b"))).toContain("exceeded quota");
  now += 21_000;
  await add(world, podObject("b"));
  expect(await usedOf(world)).toEqual({ pods: "1" });
});

test("claims count by their storage and by their class, and pay for what they grow", async () => {
  const world = await worldWith({
    persistentvolumeclaims: "2",
    "requests.storage": "10Gi",
    "fast.storageclass.storage.k8s.io/requests.storage": "5Gi",
  });
  await world.send("POST", "/apis/storage.k8s.io/v1/storageclasses", {
    body: { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name: "fast" }, provisioner: "x", allowVolumeExpansion: true },
  });
  const claim = (name: string, storage: string): UnknownObject =>
    coreObject("PersistentVolumeClaim", name, {
      spec: { accessModes: ["ReadWriteOnce"], storageClassName: "fast", resources: { requests: { storage } } },
    });
  await world.send("POST", `${home}/persistentvolumeclaims`, { body: claim("a", "3Gi") });
  expect((await world.refusal("POST", `${home}/persistentvolumeclaims`, { body: claim("b", "3Gi") })).message).toContain(
    "exceeded quota: q, requested: fast.storageclass.storage.k8s.io/requests.storage=3Gi, used: fast.storageclass.storage.k8s.io/requests.storage=3Gi, limited: fast.storageclass.storage.k8s.io/requests.storage=5Gi",
  );
  await world.send("PATCH", `${home}/persistentvolumeclaims/a/status`, merge({ status: { phase: "Bound" } }));
  const grow = (storage: string): object => merge({ spec: { resources: { requests: { storage } } } });
  await world.send("PATCH", `${home}/persistentvolumeclaims/a`, grow("5Gi"));
  expect((await world.refusal("PATCH", `${home}/persistentvolumeclaims/a`, grow("6Gi"))).message).toContain(
    "requested: fast.storageclass.storage.k8s.io/requests.storage=1Gi",
  );
  expect(await usedOf(world)).toMatchObject({ "requests.storage": "5Gi", persistentvolumeclaims: "1" });
});

test("scopes choose by priority class and by affinity to other namespaces", async () => {
  const selector = { scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }] } };
  const world = await worldWith({ pods: "0" }, selector);
  await world.send("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {
    body: { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name: "high" }, value: 5 },
  });
  await world.send("POST", quotas, { body: quota({ pods: "0" }, { scopes: ["CrossNamespacePodAffinity"] }, "far") });
  await add(world, podObject("plain"));
  expect(await refusal(world, podObject("a", { priorityClassName: "high" }))).toContain("exceeded quota: q");
  const term = (more: object): object => ({ topologyKey: "x", labelSelector: {}, ...more });
  const affinity = (more: object): object => ({ affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(more)] } } });
  await add(world, podObject("near", affinity({})));
  expect(await refusal(world, podObject("b", affinity({ namespaces: ["other"] })))).toContain("exceeded quota: far");
});

test("a pod that is given a deadline moves from one scope to the other", async () => {
  const world = await worldWith({ pods: "1" }, { scopes: ["Terminating"] });
  await world.send("POST", quotas, { body: quota({ pods: "2" }, { scopes: ["NotTerminating"] }, "other") });
  await add(world, podObject("a", { activeDeadlineSeconds: 60 }));
  await add(world, podObject("b"));
  expect((await world.refusal("PATCH", `${pods}/b`, merge({ spec: { activeDeadlineSeconds: 60 } }))).message).toContain("exceeded quota: q");
  await world.send("DELETE", `${pods}/a`, { body: { gracePeriodSeconds: 0 } });
  await world.send("PATCH", `${pods}/b`, merge({ spec: { activeDeadlineSeconds: 60 } }));
  expect([await usedOf(world), await usedOf(world, "other")]).toEqual([{ pods: "1" }, { pods: "0" }]);
});

test("custom objects count by their resource and group", async () => {
  const world = await worldWith({ "count/widgets.example.com": "1" });
  const versions = [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }];
  await world.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    body: {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "widgets.example.com" },
      spec: { group: "example.com", scope: "Namespaced", names: { plural: "widgets", kind: "Widget" }, versions },
    },
  });
  const path = "/apis/example.com/v1/namespaces/team/widgets";
  const widget = (name: string): UnknownObject => ({ apiVersion: "example.com/v1", kind: "Widget", metadata: { name } });
  await world.send("POST", path, { body: widget("a") });
  expect((await world.refusal("POST", path, { body: widget("b") })).message).toBe(
    'widgets.example.com "b" is forbidden: exceeded quota: q, requested: count/widgets.example.com=1, used: count/widgets.example.com=1, limited: count/widgets.example.com=1',
  );
});

describe("refuses a quota", () => {
  test.each<[string, object, string]>([
    [
      "of something unknown",
      { hard: { apples: "1" } },
      'spec.hard[apples]: Invalid value: "apples": must be a standard resource type or fully qualified',
    ],
    ["of a resource that is for volumes only", { hard: { storage: "1" } }, "must be a standard resource for quota"],
    ["below nothing", { hard: { pods: "-1" } }, "must be greater than or equal to 0"],
    ["of half a pod", { hard: { pods: "500m" } }, "must be an integer"],
    ["of half a GPU", { hard: { "nvidia.com/gpu": "500m" } }, "must be an integer"],
    ["with scopes that exclude each other", { hard: { pods: "1" }, scopes: ["BestEffort", "NotBestEffort"] }, "conflicting scopes"],
    ["with a scope that its resources are not in", { hard: { cpu: "1" }, scopes: ["BestEffort"] }, "unsupported scope applied to resource"],
    [
      "with an operator that its scope does not know",
      selector({ scopeName: "Terminating", operator: "In", values: ["a"] }),
      "must be 'Exists' when scope is any of",
    ],
    ["with an operator that lacks values", selector({ scopeName: "PriorityClass", operator: "In" }), "must be at least one value"],
    ["with an operator that takes no values", selector({ scopeName: "PriorityClass", operator: "Exists", values: ["a"] }), "must be no value"],
  ])("%s", async (_, spec, message) => {
    const world = await openPolicyWorld();
    const error = await world.refusal("POST", "/api/v1/namespaces/default/resourcequotas", { body: coreObject("ResourceQuota", "q", { spec }) });
    expect(error).toMatchObject({ reason: "Invalid", message: expect.stringContaining(message) });
  });

  function selector(requirement: object): object {
    return { hard: { pods: "1" }, scopeSelector: { matchExpressions: [requirement] } };
  }

  test("whose scopes are not what they were", async () => {
    const world = await worldWith({ pods: "1" }, { scopes: ["Terminating"] });
    const error = await world.refusal("PATCH", `${quotas}/q`, merge({ spec: { scopes: ["NotTerminating"] } }));
    expect(error.message).toContain('spec.scopes: Invalid value: ["NotTerminating"]: field is immutable');
  });
});

type Step = { readonly kind: "create" | "delete" | "finish" | "limit"; readonly n: number };

test("whatever happens at once, no more is there than is allowed, and the books are right", async () => {
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom("create", "create", "delete", "finish", "limit"),
    n: fc.integer({ min: 0, max: 7 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 6 }), async (turns) => {
      const world = await worldWith({ pods: "3", "requests.cpu": "2" });
      let [mostPods, mostCpu] = [3, 2];
      for (const turn of turns) {
        await Promise.allSettled(
          turn.map(({ kind, n }) => {
            switch (kind) {
              case "create":
                return add(world, podObject(`p${n}`, {}, { requests: { cpu: `${n * 200}m` } }));
              case "delete":
                return world.send("DELETE", `${pods}/p${n}`, { body: { gracePeriodSeconds: 0 } });
              case "finish":
                return world.send("PATCH", `${pods}/p${n}/status`, merge({ status: { phase: "Failed" } }));
              case "limit":
                [mostPods, mostCpu] = [Math.max(mostPods, n), Math.max(mostCpu, 2)];
                return world.send("PATCH", `${quotas}/q`, merge({ spec: { hard: { pods: String(n) } } }));
            }
          }),
        );
        const live = world.store.list("pods", { namespace: "team" }).items.filter(({ status }) => (status as { phase?: string }).phase !== "Failed");
        const cpu = live.reduce((sum, { metadata: { name } }) => sum + Number(name.slice(1)) * 200, 0);
        expect(live.length).toBeLessThanOrEqual(mostPods);
        expect(cpu).toBeLessThanOrEqual(mostCpu * 1000);
        await new Promise((resolve) => setImmediate(resolve));
        expect(await usedOf(world)).toEqual({
          pods: String(live.length),
          "requests.cpu": cpu === 0 ? "0" : cpu % 1000 === 0 ? String(cpu / 1000) : `${cpu}m`,
        });
      }
    }),
    { numRuns: 40 },
  );
});
