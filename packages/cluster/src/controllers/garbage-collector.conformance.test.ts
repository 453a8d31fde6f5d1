import type { Client } from "@sluice/client";
import { Deployment, Pod, ReplicaSet, ReplicationController, type KubernetesObject } from "@sluice/kubernetes";
import { beforeEach, describe, expect, test } from "vitest";
import { addNode, eventually, gone, nodeObject, quiet, startTestCluster, type TestCluster } from "./control-plane.fixture.ts";

let cluster: TestCluster;
let client: Client;
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client } = cluster);
});

const REPLICAS = 20;
const at = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });
const spec = { containers: [{ name: "nginx", image: "nginx" }] };
const template = (name: string) => ({ metadata: { labels: { name } }, spec });
const pods = async (): Promise<Pod[]> => (await client.list(Pod, { namespace: "default" })).items;
const sets = async (): Promise<ReplicaSet[]> => (await client.list(ReplicaSet, { namespace: "default" })).items;
const createController = async (name: string, replicas: number): Promise<ReplicationController> => {
  const controller = await client.create(ReplicationController, {
    apiVersion: "v1",
    kind: "ReplicationController",
    metadata: at(name),
    spec: { replicas, selector: { name }, template: template(name) },
  });
  await eventually(async () => (await client.get(ReplicationController, at(name))).status?.replicas === replicas);
  return controller;
};
const createDeployment = async (): Promise<Deployment> => {
  const deployment = await client.create(Deployment, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: at("d"),
    spec: { replicas: 2, selector: { matchLabels: { name: "d" } }, template: template("d") },
  });
  await eventually(async () => (await sets())[0]?.status?.replicas === 2);
  return deployment;
};
const uidOf = ({ metadata }: KubernetesObject): { uid: string } => ({ uid: metadata.uid ?? "" });

describe("Garbage collector", () => {
  test("should delete pods created by rc when not orphaning", async () => {
    const controller = await createController("rc", 2);
    await client.delete(ReplicationController, at("rc"), { propagationPolicy: "Background", preconditions: uidOf(controller) });
    await eventually(async () => (await pods()).length === 0);
    expect(await client.find(ReplicationController, at("rc"))).toBeUndefined();
  });

  test("should orphan pods created by rc if delete options say so", async () => {
    const controller = await createController("rc", REPLICAS);
    await client.delete(ReplicationController, at("rc"), { propagationPolicy: "Orphan", preconditions: uidOf(controller) });
    await gone(client, ReplicationController, at("rc"));
    await quiet();
    expect((await pods()).map(({ metadata }) => metadata.ownerReferences)).toEqual(Array.from({ length: REPLICAS }, () => undefined));
  });

  test("should orphan pods created by rc if deleteOptions.OrphanDependents is nil", async () => {
    const controller = await createController("rc", 2);
    await client.delete(ReplicationController, at("rc"), { preconditions: uidOf(controller) });
    await gone(client, ReplicationController, at("rc"));
    await quiet();
    expect(await pods()).toHaveLength(2);
  });

  test("should delete RS created by deployment when not orphaning", async () => {
    const deployment = await createDeployment();
    await client.delete(Deployment, at("d"), { propagationPolicy: "Background", preconditions: uidOf(deployment) });
    await eventually(async () => (await sets()).length === 0 && (await pods()).length === 0);
    expect(await client.find(Deployment, at("d"))).toBeUndefined();
  });

  test("should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan", async () => {
    const deployment = await createDeployment();
    await client.delete(Deployment, at("d"), { propagationPolicy: "Orphan", preconditions: uidOf(deployment) });
    await gone(client, Deployment, at("d"));
    await quiet();
    expect((await sets()).map(({ metadata }) => metadata.ownerReferences)).toEqual([undefined]);
    expect(await pods()).toHaveLength(2);
  });

  test("should keep the rc around until all its pods are deleted if the deleteOptions says so", async () => {
    await addNode(client, nodeObject("n"));
    const controller = await createController("rc", REPLICAS);
    await eventually(async () => (await pods()).every((pod) => pod.spec.nodeName === "n"));
    await client.delete(ReplicationController, at("rc"), { propagationPolicy: "Foreground", preconditions: uidOf(controller) });
    await eventually(async () => (await pods()).every(({ metadata }) => metadata.deletionTimestamp !== undefined));
    await quiet();
    // The kubelet has not confirmed yet that they have ended.
    expect((await client.get(ReplicationController, at("rc"))).metadata.finalizers).toEqual(["foregroundDeletion"]);
    for (const { metadata } of await pods()) await client.delete(Pod, metadata, { gracePeriodSeconds: 0 });
    await gone(client, ReplicationController, at("rc"));
    expect(await pods()).toEqual([]);
  });

  test("should not delete dependents that have both valid owner and owner that's waiting for dependents to be deleted", async () => {
    const leaving = await createController("leaving", REPLICAS);
    const staying = await createController("staying", 0);
    const half = (await pods()).slice(0, REPLICAS / 2);
    const { name, uid } = staying.metadata;
    const body = { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "ReplicationController", name, uid }] } };
    for (const { metadata } of half) await client.patch(Pod, metadata, { type: "strategic", body });
    await client.delete(ReplicationController, at("leaving"), { propagationPolicy: "Foreground", preconditions: uidOf(leaving) });
    await gone(client, ReplicationController, at("leaving"));
    const left = await pods();
    expect(left.map(({ metadata }) => metadata.name).toSorted()).toEqual(half.map(({ metadata }) => metadata.name).toSorted());
    for (const { metadata } of left) {
      expect(metadata.deletionTimestamp).toBeUndefined();
      expect(metadata.ownerReferences).toEqual([expect.objectContaining({ name: "staying" })]);
    }
  });

  test("should not be blocked by dependency circle", async () => {
    const names = ["pod1", "pod2", "pod3"];
    const made = await Promise.all(names.map((name) => client.create(Pod, { apiVersion: "v1", kind: "Pod", metadata: at(name), spec })));
    for (const [i, name] of names.entries()) {
      const owner = made[(i + 2) % 3]!;
      const { uid } = owner.metadata;
      const reference = { apiVersion: "v1", kind: "Pod", name: owner.metadata.name, uid, controller: true, blockOwnerDeletion: true };
      await client.patch(Pod, at(name), { type: "strategic", body: { metadata: { ownerReferences: [reference] } } });
    }
    await client.delete(Pod, at("pod1"), { propagationPolicy: "Foreground" });
    await eventually(async () => (await pods()).length === 0);
    expect(cluster.errors).toEqual([]);
  });
});

test("a foreground deletion outlasts pods that are made at the same time", async () => {
  for (let round = 0; round < 10; round++) {
    const name = `rc-${round}`;
    await client.create(ReplicationController, {
      apiVersion: "v1",
      kind: "ReplicationController",
      metadata: at(name),
      spec: { replicas: 10, selector: { name }, template: template(name) },
    });
    for (let turn = 0; turn < round; turn++) await new Promise((resolve) => setImmediate(resolve));
    await client.delete(ReplicationController, at(name), { propagationPolicy: "Foreground" });
    await gone(client, ReplicationController, at(name));
    expect((await client.list(Pod, { namespace: "default", labelSelector: `name=${name}` })).items.length, `round ${round}`).toBe(0);
  }
});
