import type { ResourceQuota, UnknownObject } from "@sluice/kubernetes";
import { beforeEach, describe, expect, test } from "vitest";
import type { World } from "../api-server/world.fixture.ts";
import { eventually } from "../controllers/control-plane.fixture.ts";
import { coreObject, openPolicyWorld, podObject } from "./policy-world.fixture.ts";

const home = "/api/v1/namespaces/team";
const quotas = `${home}/resourcequotas`;
let world: World;
beforeEach(async () => {
  world = await openPolicyWorld();
  await world.send("POST", "/api/v1/namespaces", { body: coreObject("Namespace", "team") });
});

const quota = (name: string, hard: object, more: object = {}): UnknownObject => coreObject("ResourceQuota", name, { spec: { hard, ...more } });
const add = (path: string, object: UnknownObject): Promise<UnknownObject> => world.send("POST", path, { body: object });
const remove = (path: string): Promise<UnknownObject> =>
  world.send("DELETE", path, { body: { gracePeriodSeconds: 0, propagationPolicy: "Background" } });
const statusOf = async (name: string): Promise<ResourceQuota["status"]> =>
  ((await world.send("GET", `${quotas}/${name}`)) as UnknownObject & ResourceQuota).status;
const used = (name: string) => async (): Promise<unknown> => (await statusOf(name))?.used;
const SOON = { interval: 1 };

/** What a quota of one says of the life of such objects: when there is none, one, a second, none again, and that second one. */
async function lifeOf(object: (name: string) => UnknownObject, { hard, path }: { readonly hard: string; readonly path: string }): Promise<unknown[]> {
  const usedWhen = (amount: string): Promise<true> => eventually(async () => (await statusOf("q"))?.used?.[hard] === amount, 2000);
  await add(quotas, quota("q", { [hard]: "1" }));
  await usedWhen("0");
  await add(path, object("a"));
  await usedWhen("1");
  const { reason, message } = await world.refusal("POST", path, { body: object("b") });
  await remove(`${path}/a`);
  await usedWhen("0");
  const second = await add(path, object("b"));
  return [reason, message.slice(message.indexOf("exceeded")), second.metadata.name];
}
const life = (hard: string): unknown[] => ["Forbidden", `exceeded quota: q, requested: ${hard}=1, used: ${hard}=1, limited: ${hard}=1`, "b"];

describe("ResourceQuota [Conformance]", () => {
  test("should create a ResourceQuota and ensure its status is promptly calculated", async () => {
    await add(`${home}/configmaps`, coreObject("ConfigMap", "m"));
    await add(quotas, quota("q", { configmaps: "5", pods: "3", "requests.cpu": "1500m", resourcequotas: "1" }));
    await expect.poll(used("q"), SOON).toMatchObject({ configmaps: "1", pods: "0", "requests.cpu": "0", resourcequotas: "1" });
    expect((await statusOf("q"))?.hard).toEqual({ configmaps: "5", pods: "3", "requests.cpu": "1500m", resourcequotas: "1" });
  });

  test("should create a ResourceQuota and capture the life of a service", async () => {
    const service = (name: string, type: string): UnknownObject => coreObject("Service", name, { spec: { type, ports: [{ port: 80 }] } });
    await add(quotas, quota("q", { services: "2", "services.nodeports": "1", "services.loadbalancers": "0" }));
    await add(`${home}/services`, service("cluster-ip", "ClusterIP"));
    await expect.poll(used("q"), SOON).toMatchObject({ services: "1", "services.nodeports": "0" });
    expect((await world.refusal("POST", `${home}/services`, { body: service("lb", "LoadBalancer") })).message).toContain("services.loadbalancers=1");
    await add(`${home}/services`, service("node-port", "NodePort"));
    await expect.poll(used("q"), SOON).toMatchObject({ services: "2", "services.nodeports": "1" });
    await remove(`${home}/services/cluster-ip`);
    await remove(`${home}/services/node-port`);
    await expect.poll(used("q"), SOON).toMatchObject({ services: "0", "services.nodeports": "0" });
  });

  test("should create a ResourceQuota and capture the life of a secret", async () => {
    expect(await lifeOf((name) => coreObject("Secret", name), { hard: "secrets", path: `${home}/secrets` })).toEqual(life("secrets"));
  });

  test("should create a ResourceQuota and capture the life of a pod", async () => {
    const hard = { pods: "5", cpu: "1", memory: "500Mi", "ephemeral-storage": "50Gi", "requests.nvidia.com/gpu": "3" };
    const pods = `${home}/pods`;
    const amounts = { cpu: "500m", memory: "252Mi", "ephemeral-storage": "30Gi", "nvidia.com/gpu": "2" };
    await add(quotas, quota("q", hard));
    await add(pods, podObject("a", {}, { requests: amounts, limits: amounts }));
    const taken = { pods: "1", cpu: "500m", memory: "252Mi", "ephemeral-storage": "30Gi", "requests.nvidia.com/gpu": "2" };
    await expect.poll(used("q"), SOON).toMatchObject(taken);
    const refused = (requests: object): Promise<Error> => world.refusal("POST", pods, { body: podObject("b", {}, { requests, limits: requests }) });
    expect((await refused({ cpu: "600m", memory: "100Mi" })).message).toBe(
      'pods "b" is forbidden: exceeded quota: q, requested: cpu=600m, used: cpu=500m, limited: cpu=1',
    );
    expect((await refused({ cpu: "500m", memory: "100Mi", "nvidia.com/gpu": "2" })).message).toContain(
      "exceeded quota: q, requested: requests.nvidia.com/gpu=2, used: requests.nvidia.com/gpu=2, limited: requests.nvidia.com/gpu=3",
    );
    await expect.poll(used("q"), SOON).toMatchObject(taken);
    await world.send("PATCH", `${pods}/a`, { contentType: "application/merge-patch+json", body: { metadata: { labels: { a: "b" } } } });
    await expect.poll(used("q"), SOON).toMatchObject(taken);
    await remove(`${pods}/a`);
    await expect.poll(used("q"), SOON).toMatchObject({ pods: "0", cpu: "0", memory: "0", "ephemeral-storage": "0", "requests.nvidia.com/gpu": "0" });
  });

  test("should create a ResourceQuota and capture the life of a configMap", async () => {
    expect(await lifeOf((name) => coreObject("ConfigMap", name), { hard: "configmaps", path: `${home}/configmaps` })).toEqual(life("configmaps"));
  });

  const labels = { a: "b" };
  const template = { metadata: { labels }, spec: { containers: [{ name: "c", image: "busybox" }] } };

  test("should create a ResourceQuota and capture the life of a replication controller", async () => {
    const hard = "replicationcontrollers";
    const controller = (name: string): UnknownObject =>
      coreObject("ReplicationController", name, { spec: { replicas: 0, selector: labels, template } });
    expect(await lifeOf(controller, { hard, path: `${home}/${hard}` })).toEqual(life(hard));
  });

  test("should create a ResourceQuota and capture the life of a replica set", async () => {
    const hard = "count/replicasets.apps";
    const spec = { replicas: 0, selector: { matchLabels: labels }, template };
    const set = (name: string): UnknownObject => ({ ...coreObject("ReplicaSet", name, { spec }), apiVersion: "apps/v1" });
    expect(await lifeOf(set, { hard, path: "/apis/apps/v1/namespaces/team/replicasets" })).toEqual(life(hard));
  });

  test("should verify ResourceQuota with terminating scopes", async () => {
    await add(quotas, quota("terminating", { pods: "1" }, { scopes: ["Terminating"] }));
    await add(quotas, quota("not-terminating", { pods: "1" }, { scopes: ["NotTerminating"] }));
    await add(`${home}/pods`, podObject("long"));
    await expect.poll(used("terminating"), SOON).toMatchObject({ pods: "0" });
    await expect.poll(used("not-terminating"), SOON).toMatchObject({ pods: "1" });
    await remove(`${home}/pods/long`);
    await expect.poll(used("not-terminating"), SOON).toMatchObject({ pods: "0" });
    await add(`${home}/pods`, podObject("short", { activeDeadlineSeconds: 3600 }));
    await expect.poll(used("terminating"), SOON).toMatchObject({ pods: "1" });
    await expect.poll(used("not-terminating"), SOON).toMatchObject({ pods: "0" });
    await remove(`${home}/pods/short`);
    await expect.poll(used("terminating"), SOON).toMatchObject({ pods: "0" });
  });

  test("should verify ResourceQuota with best effort scope", async () => {
    await add(quotas, quota("best-effort", { pods: "1" }, { scopes: ["BestEffort"] }));
    await add(quotas, quota("not-best-effort", { pods: "1" }, { scopes: ["NotBestEffort"] }));
    await add(`${home}/pods`, podObject("a"));
    await expect.poll(used("best-effort"), SOON).toMatchObject({ pods: "1" });
    await expect.poll(used("not-best-effort"), SOON).toMatchObject({ pods: "0" });
    await remove(`${home}/pods/a`);
    await add(`${home}/pods`, podObject("b", {}, { requests: { cpu: "1m" } }));
    await expect.poll(used("best-effort"), SOON).toMatchObject({ pods: "0" });
    await expect.poll(used("not-best-effort"), SOON).toMatchObject({ pods: "1" });
  });

  test("should be able to update and delete ResourceQuota", async () => {
    const created = await add(quotas, quota("q", { cpu: "1", memory: "500Mi" }));
    expect(created["spec"]).toEqual({ hard: { cpu: "1", memory: "500Mi" } });
    const { resourceVersion: _, ...metadata } = created.metadata;
    const hard = { cpu: "2", memory: "1Gi" };
    const updated = await world.send("PUT", `${quotas}/q`, { body: { ...created, metadata, spec: { hard } } });
    expect(updated["spec"]).toEqual({ hard });
    await eventually(async () => (await statusOf("q"))?.hard?.["cpu"] === "2");
    await remove(`${quotas}/q`);
    expect(await world.refusal("GET", `${quotas}/q`)).toMatchObject({ reason: "NotFound" });
    await add(`${home}/pods`, podObject("free"));
  });

  test("should manage the lifecycle of a ResourceQuota", async () => {
    await add(quotas, { ...quota("q", { services: "1" }), metadata: { name: "q", labels: { e: "1" } } });
    expect(await world.send("GET", "/api/v1/resourcequotas", { query: { labelSelector: "e=1" } })).toMatchObject({
      items: [{ metadata: { name: "q" } }],
    });
    const body = { metadata: { labels: { e: "patched" } }, spec: { hard: { memory: "750Mi" } } };
    const patched = await world.send("PATCH", `${quotas}/q`, { contentType: "application/merge-patch+json", body });
    expect(patched).toMatchObject({ spec: { hard: { memory: "750Mi", services: "1" } } });
    await world.send("DELETE", quotas, { query: { labelSelector: "e=patched" } });
    expect(await world.send("GET", quotas)).toMatchObject({ items: [] });
  });

  test("should apply changes to a resourcequota status", async () => {
    await add(quotas, quota("q", { cpu: "500m", memory: "500Mi" }));
    await expect.poll(used("q"), SOON).toMatchObject({ cpu: "0" });
    const body = { metadata: { annotations: { a: "b" } }, status: { hard: { cpu: "1", memory: "1Gi" } } };
    const patched = await world.send("PATCH", `${quotas}/q/status`, { contentType: "application/merge-patch+json", body });
    expect(patched).toMatchObject({ status: { hard: { cpu: "1", memory: "1Gi" } }, spec: { hard: { cpu: "500m", memory: "500Mi" } } });
    // It is the quota that says what is allowed, not its status.
    await eventually(async () => (await statusOf("q"))?.hard?.["cpu"] === "500m");
  });
});
