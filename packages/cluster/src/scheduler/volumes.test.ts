import type { Client } from "@sluice/client";
import { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from "@sluice/kubernetes";
import { beforeEach, expect, test } from "vitest";
import { addNode, eventually, nodeObject, startTestCluster, type TestCluster } from "../controllers/control-plane.fixture.ts";

let cluster: TestCluster;
let client: Client;
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client } = cluster);
  for (const name of ["a", "b"]) await addNode(client, nodeObject(name));
  for (const mode of ["Immediate", "WaitForFirstConsumer"] as const)
    await client.create(StorageClass, {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: mode.toLowerCase() },
      provisioner: "example.com/none",
      volumeBindingMode: mode,
    });
});
const at = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });
const makeClaim = (name: string, storageClassName: string): Promise<PersistentVolumeClaim> =>
  client.create(PersistentVolumeClaim, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: at(name),
    spec: { storageClassName, accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  });
const makePod = (name: string, claimName: string): Promise<Pod> =>
  client.create(Pod, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: at(name),
    spec: { containers: [{ name: "main", image: "x" }], volumes: [{ name: "data", persistentVolumeClaim: { claimName } }] },
  });
const untilTold = (name: string, message: string): Promise<unknown> =>
  eventually(async () => (await client.get(Pod, at(name))).status?.conditions?.some((one) => one.message?.startsWith(message) === true));
const nodeOf = (name: string): Promise<string> => eventually(async () => (await client.get(Pod, at(name))).spec.nodeName);
/** Makes a volume that an immediate claim is then bound to. */
async function bind(claim: string, volume: string, node: string): Promise<void> {
  await client.create(PersistentVolume, {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: volume },
    spec: {
      capacity: { storage: "1Gi" },
      storageClassName: "immediate",
      accessModes: ["ReadWriteOnce"],
      hostPath: { path: "/data" },
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] }] },
      },
    },
  });
  await eventually(async () => (await client.get(PersistentVolumeClaim, at(claim))).status?.phase === "Bound");
}

test("a pod waits for its claim to exist, then to be bound, then goes where its volume is", async () => {
  await makePod("p", "data");
  await untilTold("p", '0/2 nodes are available: persistentvolumeclaim "data" not found. preemption: 0/2 nodes are available: 2 Preemption');
  await makeClaim("data", "immediate");
  await untilTold("p", "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.");
  await bind("data", "v", "b");
  expect(await nodeOf("p")).toBe("b");
  await client.patch(PersistentVolume, { name: "v" }, { type: "merge", body: { metadata: { finalizers: null } } });
  await client.delete(PersistentVolume, { name: "v" });
  await eventually(async () => (await client.get(PersistentVolumeClaim, at("data"))).status?.phase === "Lost");
  await makePod("q", "data");
  await untilTold("q", '0/2 nodes are available: persistentvolumeclaim "data" bound to non-existent persistentvolume "v".');
  expect(cluster.errors).toEqual([]);
});

test("a claim that waits for its first consumer is told the node, and others of it follow there", async () => {
  await makeClaim("data", "waitforfirstconsumer");
  await makePod("p", "data");
  const node = await nodeOf("p");
  await eventually(
    async () => (await client.get(PersistentVolumeClaim, at("data"))).metadata.annotations?.["volume.kubernetes.io/selected-node"] === node,
  );
  await makeClaim("common", "waitforfirstconsumer");
  const together = ["x", "y", "z"];
  await Promise.all(together.map((name) => makePod(name, "common")));
  expect(new Set(await Promise.all(together.map(nodeOf))).size).toBe(1);
  for (const name of ["q", "r"]) await makePod(name, "data");
  expect(await nodeOf("q")).toBe(node);
  expect(await nodeOf("r")).toBe(node);
});

test("a volume on no node that is there", async () => {
  await makeClaim("data", "immediate");
  await bind("data", "v", "elsewhere");
  await makePod("p", "data");
  expect(await untilTold("p", "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity. preemption:")).toBe(true);
});
