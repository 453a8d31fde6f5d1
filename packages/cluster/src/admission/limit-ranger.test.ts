import type { Pod, UnknownObject } from "@sluice/kubernetes";
import { describe, expect, test } from "vitest";
import type { World } from "../api-server/world.fixture.ts";
import { coreObject, openPolicyWorld, podObject } from "./policy-world.fixture.ts";

const home = "/api/v1/namespaces/default";
const range = (...limits: object[]): UnknownObject => coreObject("LimitRange", "limits", { spec: { limits } });

async function worldWith(...limits: object[]): Promise<World> {
  const world = await openPolicyWorld();
  await world.send("POST", `${home}/limitranges`, { body: range(...limits) });
  return world;
}
const create = async (world: World, pod: UnknownObject): Promise<UnknownObject & Pod> =>
  (await world.send("POST", `${home}/pods`, { body: pod })) as UnknownObject & Pod;
const refusal = async (world: World, pod: UnknownObject): Promise<string> => (await world.refusal("POST", `${home}/pods`, { body: pod })).message;

test("containers get the defaults that they lack, and an annotation says so", async () => {
  const world = await worldWith({ type: "Container", default: { cpu: "500m", memory: "512Mi" }, defaultRequest: { cpu: "100m", memory: "200Mi" } });
  const init = { name: "i", image: "x", resources: { requests: { cpu: "50m" } } };
  const { spec, metadata, status } = await create(world, podObject("p", { initContainers: [init] }));
  expect(spec.containers[0]?.resources).toEqual({ limits: { cpu: "500m", memory: "512Mi" }, requests: { cpu: "100m", memory: "200Mi" } });
  expect(spec.initContainers?.[0]?.resources).toEqual({ limits: { cpu: "500m", memory: "512Mi" }, requests: { cpu: "50m", memory: "200Mi" } });
  expect(metadata.annotations).toEqual({
    "kubernetes.io/limit-ranger":
      "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c; memory request for init container i; cpu, memory limit for init container i",
  });
  expect(status?.qosClass).toBe("Burstable");
  expect(
    (await create(world, podObject("full", {}, { requests: { cpu: "1", memory: "1Mi" }, limits: { cpu: "1", memory: "1Mi" } }))).metadata.annotations,
  ).toBeUndefined();
});

test("a limit range is completed: the most is the default, and the default what is asked for, else the least", async () => {
  const world = await worldWith(
    { type: "Container", max: { cpu: "2" }, min: { memory: "1Mi" }, default: { "ephemeral-storage": "1Gi" } },
    { type: "Pod", max: { cpu: "4" } },
  );
  expect(await world.send("GET", `${home}/limitranges/limits`)).toMatchObject({
    spec: {
      limits: [
        { default: { cpu: "2", "ephemeral-storage": "1Gi" }, defaultRequest: { cpu: "2", "ephemeral-storage": "1Gi", memory: "1Mi" } },
        { type: "Pod", max: { cpu: "4" } },
      ],
    },
  });
  expect((await create(world, podObject("p"))).spec.containers[0]?.resources).toEqual({
    limits: { cpu: "2", "ephemeral-storage": "1Gi" },
    requests: { cpu: "2", "ephemeral-storage": "1Gi", memory: "1Mi" },
  });
});

test.each<[string, object, object, string]>([
  ["more than the most", { type: "Container", max: { cpu: "2" } }, { limits: { cpu: "3" } }, "maximum cpu usage per Container is 2, but limit is 3"],
  ["no limit where there is a most", { type: "Pod", max: { cpu: "2" } }, {}, "maximum cpu usage per Pod is 2.  No limit is specified"],
  [
    "less than the least",
    { type: "Container", min: { memory: "10Mi" } },
    { requests: { memory: "5Mi" } },
    "minimum memory usage per Container is 10Mi, but request is 5Mi",
  ],
  ["no request where there is a least", { type: "Pod", min: { cpu: "1" } }, {}, "minimum cpu usage per Pod is 1.  No request is specified"],
  [
    "a wide gap",
    { type: "Container", maxLimitRequestRatio: { cpu: "1500m" } },
    { requests: { cpu: "1" }, limits: { cpu: "2" } },
    "cpu max limit to request ratio per Container is 1500m, but provided ratio is 2.000000",
  ],
  [
    "a gap of unknown width",
    { type: "Container", maxLimitRequestRatio: { cpu: "2" } },
    { requests: { cpu: "1" } },
    "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0",
  ],
])("refuses a pod with %s", async (_, limit, resources, message) => {
  const world = await worldWith(limit);
  expect(await refusal(world, podObject("p", {}, resources))).toBe(`pods "p" is forbidden: ${message}`);
});

test("tells several problems at once, and adds containers up for the pod", async () => {
  const world = await worldWith({ type: "Pod", max: { cpu: "2", memory: "1Gi" } });
  const one = (name: string): object => ({ name, image: "x", resources: { limits: { cpu: "1500m", memory: "1Gi" } } });
  expect(await refusal(world, podObject("p", { containers: [one("a"), one("b")] }))).toBe(
    'pods "p" is forbidden: [maximum cpu usage per Pod is 2, but limit is 3, maximum memory usage per Pod is 1Gi, but limit is 2Gi]',
  );
});

test("a pod's limit may be below the least though its request is not", async () => {
  const world = await worldWith({ type: "Pod", min: { memory: "10Mi" } });
  const containers = [
    { name: "a", image: "x", resources: { requests: { memory: "10Mi" } } },
    { name: "b", image: "x", resources: { limits: { memory: "5Mi" } } },
  ];
  expect(await refusal(world, podObject("p", { containers }))).toBe('pods "p" is forbidden: minimum memory usage per Pod is 10Mi, but limit is 5Mi');
});

test("claims are held to their bounds, also when they grow", async () => {
  const world = await worldWith({ type: "PersistentVolumeClaim", min: { storage: "1Gi" }, max: { storage: "5Gi" } });
  const claim = (storage: string): UnknownObject =>
    coreObject("PersistentVolumeClaim", "v", {
      spec: { accessModes: ["ReadWriteOnce"], storageClassName: "grows", resources: { requests: { storage } } },
    });
  await world.send("POST", "/apis/storage.k8s.io/v1/storageclasses", {
    body: { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name: "grows" }, provisioner: "x", allowVolumeExpansion: true },
  });
  expect((await world.refusal("POST", `${home}/persistentvolumeclaims`, { body: claim("500Mi") })).message).toBe(
    'persistentvolumeclaims "v" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi',
  );
  await world.send("POST", `${home}/persistentvolumeclaims`, { body: claim("2Gi") });
  const bound = { contentType: "application/merge-patch+json", body: { status: { phase: "Bound" } } };
  await world.send("PATCH", `${home}/persistentvolumeclaims/v/status`, bound);
  const body = { spec: { resources: { requests: { storage: "6Gi" } } } };
  expect((await world.refusal("PATCH", `${home}/persistentvolumeclaims/v`, { contentType: "application/merge-patch+json", body })).message).toContain(
    "maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 6Gi",
  );
});

describe("refuses a limit range", () => {
  test.each<[string, object[], string]>([
    ["of an unknown type", [{ type: "Node" }], 'spec.limits[0].type: Invalid value: "Node": must be a standard limit type or fully qualified'],
    ["with one type twice", [{ type: "Pod" }, { type: "Pod" }], 'spec.limits[1].type: Duplicate value: "Pod"'],
    [
      "with defaults for pods",
      [{ type: "Pod", default: { cpu: "1" } }],
      "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
    ],
    ["that is empty", [{ type: "Container", min: { cpu: "2" }, max: { cpu: "1" } }], "min value 2 is greater than max value 1"],
    ["whose default is too much", [{ type: "Container", default: { cpu: "2" }, max: { cpu: "1" } }], "default value 2 is greater than max value 1"],
    [
      "whose default request is more than its default",
      [{ type: "Container", default: { cpu: "1" }, defaultRequest: { cpu: "2" } }],
      "default request value 2 is greater than default limit value 1",
    ],
    ["with a ratio below one", [{ type: "Container", maxLimitRequestRatio: { cpu: "500m" } }], "ratio 500m is less than 1"],
    [
      "with a ratio that cannot be",
      [{ type: "Container", min: { cpu: "1" }, max: { cpu: "2" }, maxLimitRequestRatio: { cpu: "3" } }],
      "ratio 3 is greater than max/min = 2.000000",
    ],
    ["of something that is no resource", [{ type: "Container", max: { pods: "1" } }], "must be a standard resource for containers"],
    ["of claims without bounds", [{ type: "PersistentVolumeClaim" }], "either minimum or maximum storage value is required"],
  ])("%s", async (_, limits, message) => {
    const world = await openPolicyWorld();
    const error = await world.refusal("POST", `${home}/limitranges`, { body: range(...limits) });
    expect(error).toMatchObject({ reason: "Invalid", message: expect.stringContaining(message) });
  });
});
