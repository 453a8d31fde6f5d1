import type { Client } from "@sluice/client";
import { FakeClock } from "@sluice/controller/fake-clock";
import { ControllerRevision, Event, PersistentVolumeClaim, Pod, StatefulSet, type StatefulSetSpec } from "@sluice/kubernetes";
import { beforeEach, describe, expect, test } from "vitest";
import { addNode, eventually, gone, nodeObject, quiet, reportPod, startTestCluster, type TestCluster } from "../control-plane.fixture.ts";
import { isReady } from "../pod-state.ts";

let clock: FakeClock;
let cluster: TestCluster;
let client: Client;
beforeEach(async () => {
  clock = new FakeClock();
  cluster = await startTestCluster({ clock });
  ({ client } = cluster);
});

const at = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });
const labels = { app: "db" };
const template = (image: string): StatefulSetSpec["template"] => ({ metadata: { labels }, spec: { containers: [{ name: "main", image }] } });
const create = (spec: Partial<StatefulSetSpec> = {}): Promise<StatefulSet> =>
  client.create(StatefulSet, {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: at("db"),
    spec: { replicas: 3, serviceName: "db", selector: { matchLabels: labels }, template: template("one"), ...spec },
  });
const change = (spec: Partial<StatefulSetSpec>): Promise<StatefulSet> => client.patch(StatefulSet, at("db"), { type: "merge", body: { spec } });
const set = (): Promise<StatefulSet> => client.get(StatefulSet, at("db"));
const pods = async (): Promise<Pod[]> =>
  (await client.list(Pod, { namespace: "default", labelSelector: "app=db" })).items.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
const names = async (): Promise<string> => (await pods()).map(({ metadata }) => metadata.name).join(" ");
const images = async (): Promise<string> => (await pods()).map(({ spec }) => spec.containers[0]?.image).join(" ");
const has = (expected: string): Promise<true> => eventually(async () => (await names()) === expected);
const report = (name: string, phase: "Running" | "Failed" | "Succeeded" = "Running"): Promise<void> =>
  reportPod(client, at(name), phase, { finishedAt: clock.now() / 1000 });
/** Makes every pod ready until none is missing or changes any more, and tells who was replaced in which order. */
async function settleAll(): Promise<string[]> {
  const order: string[] = [];
  for (;;) {
    await quiet();
    const next = (await pods()).find((pod) => !isReady(pod));
    if (next === undefined) return order;
    order.push(next.metadata.name);
    await report(next.metadata.name);
  }
}
const events = async (): Promise<string[]> => {
  await clock.advance(200);
  await quiet();
  return (await client.list(Event, { namespace: "default" })).items
    .filter(({ involvedObject }) => involvedObject.kind === "StatefulSet")
    .map(({ message }) => message ?? "");
};
const claim = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data" },
  spec: { accessModes: ["ReadWriteOnce" as const], resources: { requests: { storage: "1Gi" } } },
};
const claims = async (): Promise<PersistentVolumeClaim[]> => (await client.list(PersistentVolumeClaim, { namespace: "default" })).items;
const revisions = async (): Promise<ControllerRevision[]> =>
  (await client.list(ControllerRevision, { namespace: "default" })).items.toSorted((a, b) => a.revision - b.revision);

describe("pods", () => {
  test("come one after the other, each with its name, and go in reverse", async () => {
    await create();
    await has("db-0");
    await quiet();
    const [first] = await pods();
    expect(first).toMatchObject({
      metadata: {
        labels: {
          app: "db",
          "statefulset.kubernetes.io/pod-name": "db-0",
          "apps.kubernetes.io/pod-index": "0",
          "controller-revision-hash": (await set()).status?.updateRevision,
        },
        ownerReferences: [{ kind: "StatefulSet", name: "db", controller: true, blockOwnerDeletion: true }],
      },
      spec: { hostname: "db-0", subdomain: "db" },
    });
    expect(await names()).toBe("db-0");
    expect(await settleAll()).toEqual(["db-0", "db-1", "db-2"]);
    await eventually(async () => (await set()).status?.availableReplicas === 3);
    const { status } = await set();
    expect(status).toMatchObject({ observedGeneration: 1, replicas: 3, readyReplicas: 3, currentReplicas: 3, updatedReplicas: 3, collisionCount: 0 });
    expect(status?.currentRevision).toBe(status?.updateRevision);
    expect(await events()).toContain("Create Pod db-2 in StatefulSet db successful");

    await change({ replicas: 1 });
    await has("db-0");
    expect(await events()).toEqual(
      expect.arrayContaining(["Delete Pod db-2 in StatefulSet db successful", "Delete Pod db-1 in StatefulSet db successful"]),
    );
    expect(cluster.errors).toEqual([]);
  });

  test("come all at once if the set says so", async () => {
    await create({ podManagementPolicy: "Parallel", ordinals: { start: 5 } });
    await has("db-5 db-6 db-7");
    await change({ replicas: 1 });
    await has("db-5");
    expect((await pods())[0]?.metadata.labels).toMatchObject({ "apps.kubernetes.io/pod-index": "5" });
  });

  test("wait for each other for as long as they must be ready", async () => {
    await create({ replicas: 2, minReadySeconds: 30 });
    await has("db-0");
    const conditions = [{ type: "Ready", status: "True", lastTransitionTime: "1970-01-01T00:00:00Z" }];
    await client.patch(Pod, at("db-0"), { type: "merge", subresource: "status", body: { status: { phase: "Running", conditions } } });
    await quiet();
    expect([await names(), (await set()).status?.readyReplicas, (await set()).status?.availableReplicas]).toEqual(["db-0", 1, 0]);
    await clock.advance(30_000);
    await has("db-0 db-1");
  });

  test("are made anew when they end or go", async () => {
    await create({ replicas: 2 });
    await settleAll();
    const [, before] = await pods();
    await report("db-1", "Failed");
    await eventually(async () => {
      const now = (await pods())[1];
      return now !== undefined && now.metadata.uid !== before?.metadata.uid;
    });
    await client.delete(Pod, at("db-0"));
    await settleAll();
    expect(await names()).toBe("db-0 db-1");
    expect(cluster.errors).toEqual([]);
  });

  test("are not replaced before they are gone", async () => {
    await addNode(client, nodeObject("n"));
    await create({ replicas: 1 });
    await eventually(async () => (await pods())[0]?.spec.nodeName === "n");
    await settleAll();
    const uid = (await pods())[0]?.metadata.uid;
    await client.delete(Pod, at("db-0"));
    await quiet();
    expect((await pods()).map(({ metadata }) => metadata.uid)).toEqual([uid]);
    await client.delete(Pod, at("db-0"), { gracePeriodSeconds: 0 });
    await eventually(async () => (await pods())[0] !== undefined && (await pods())[0]?.metadata.uid !== uid);
  });

  test("of nobody are adopted, those that lose their labels let go", async () => {
    await client.create(Pod, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...at("db-0"), labels },
      spec: { containers: [{ name: "main", image: "old" }] },
    });
    await create({ replicas: 1, updateStrategy: { type: "OnDelete" } });
    await eventually(async () => (await client.get(Pod, at("db-0"))).metadata.ownerReferences?.[0]?.name === "db");
    await report("db-0");
    await eventually(async () => (await client.get(Pod, at("db-0"))).metadata.labels?.["apps.kubernetes.io/pod-index"] === "0");
    await client.patch(Pod, at("db-0"), { type: "merge", body: { metadata: { labels: { app: "mine" } } } });
    await eventually(async () => (await client.get(Pod, at("db-0"))).metadata.ownerReferences === undefined);
  });

  test("stay when the set goes without them", async () => {
    await create({ podManagementPolicy: "Parallel", replicas: 2 });
    await has("db-0 db-1");
    await client.delete(StatefulSet, at("db"), { propagationPolicy: "Orphan" });
    await gone(client, StatefulSet, at("db"));
    await quiet();
    expect((await pods()).map(({ metadata }) => metadata.ownerReferences)).toEqual([undefined, undefined]);
  });
});

describe("updates", () => {
  test("go from the last to the first, one at a time", async () => {
    await create();
    await settleAll();
    await change({ template: template("two") });
    expect(await settleAll()).toEqual(["db-2", "db-1", "db-0"]);
    expect(await images()).toBe("two two two");
    await eventually(async () => (await set()).status?.currentRevision === (await set()).status?.updateRevision);
    expect((await set()).status).toMatchObject({ currentReplicas: 3, updatedReplicas: 3 });
  });

  test("stop at the partition, below which also new pods are old", async () => {
    await create({ updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } } });
    await settleAll();
    await change({ template: template("two") });
    await settleAll();
    expect(await images()).toBe("one one two");
    await eventually(async () => (await set()).status?.updatedReplicas === 1);
    expect((await set()).status).toMatchObject({ currentReplicas: 2, updatedReplicas: 1 });
    await client.delete(Pod, at("db-0"));
    await settleAll();
    expect(await images()).toBe("one one two");
    await change({ updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } } });
    await settleAll();
    expect(await images()).toBe("two two two");
  });

  test("may replace several pods at a time", async () => {
    await create({
      replicas: 4,
      podManagementPolicy: "Parallel",
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0, maxUnavailable: 2 } },
    });
    await settleAll();
    await change({ template: template("two") });
    await quiet();
    expect((await pods()).map((pod) => (isReady(pod) ? "ready" : "new")).join(" ")).toBe("ready ready new new");
    await settleAll();
    expect(await images()).toBe("two two two two");
  });

  test("wait for somebody to delete the pods if the set says so", async () => {
    await create({ replicas: 2, updateStrategy: { type: "OnDelete" } });
    await settleAll();
    await change({ template: template("two") });
    await settleAll();
    expect(await images()).toBe("one one");
    await client.delete(Pod, at("db-1"));
    await settleAll();
    expect(await images()).toBe("one two");
  });

  test("can be taken back, and are remembered as long as they may be", async () => {
    await create({ replicas: 1, revisionHistoryLimit: 1 });
    await settleAll();
    const [first] = await revisions();
    expect(first).toMatchObject({ revision: 1, data: { spec: { template: { $patch: "replace" } } }, metadata: { labels: { app: "db" } } });
    await client.patch(StatefulSet, at("db"), {
      type: "merge",
      body: { metadata: { annotations: { "kubernetes.io/change-cause": "better" } }, spec: { template: template("two") } },
    });
    await settleAll();
    expect((await revisions())[1]?.metadata.annotations).toEqual({ "kubernetes.io/change-cause": "better" });
    // As kubectl does it.
    await client.patch(StatefulSet, at("db"), { type: "strategic", body: first?.data });
    await settleAll();
    expect(await images()).toBe("one");
    await eventually(async () => (await revisions()).map(({ revision }) => revision).join() === "2,3");
    expect((await revisions())[1]?.metadata.name).toBe(first?.metadata.name);
    for (const image of ["three", "four"]) {
      await change({ template: template(image) });
      await settleAll();
    }
    await eventually(async () => (await revisions()).map(({ revision }) => revision).join() === "4,5");
    expect(cluster.errors).toEqual([]);
  });
});

describe("claims", () => {
  test("are made for each pod, and stay", async () => {
    const mounting = {
      metadata: { labels },
      spec: { containers: [{ name: "main", image: "one", volumeMounts: [{ name: "data", mountPath: "/data" }] }] },
    };
    await create({ replicas: 2, volumeClaimTemplates: [claim], template: mounting });
    await settleAll();
    expect((await pods())[1]?.spec.volumes).toContainEqual({ name: "data", persistentVolumeClaim: { claimName: "data-db-1" } });
    expect((await claims()).map(({ metadata }) => [metadata.name, metadata.labels, metadata.ownerReferences])).toEqual([
      ["data-db-0", labels, undefined],
      ["data-db-1", labels, undefined],
    ]);
    expect(await events()).toContain("Create Claim data-db-1 Pod db-1 in StatefulSet db success");
    await change({ replicas: 0 });
    await has("");
    await client.delete(StatefulSet, at("db"));
    await quiet();
    expect(await claims()).toHaveLength(2);
  });

  test("go with the pods, or with the set, if the set says so", async () => {
    await create({
      replicas: 2,
      volumeClaimTemplates: [claim],
      persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete", whenDeleted: "Delete" },
    });
    await settleAll();
    await eventually(async () => (await claims()).every(({ metadata }) => metadata.ownerReferences?.[0]?.kind === "StatefulSet"));
    await change({ replicas: 1 });
    await eventually(async () => (await claims()).map(({ metadata }) => metadata.name).join() === "data-db-0");
    await client.delete(StatefulSet, at("db"));
    await eventually(async () => (await claims()).length === 0);
    expect(cluster.errors).toEqual([]);
  });

  test("that are lost come back for pods that wait for them", async () => {
    await create({ replicas: 1, volumeClaimTemplates: [claim] });
    const [first] = await eventually(async () => (await claims()).length === 1 && (await claims()));
    await has("db-0");
    await client.patch(PersistentVolumeClaim, at("data-db-0"), { type: "merge", body: { metadata: { finalizers: null } } });
    await client.delete(PersistentVolumeClaim, at("data-db-0"));
    await eventually(async () => {
      const [now] = await claims();
      return now !== undefined && now.metadata.uid !== first?.metadata.uid;
    });
  });
});
