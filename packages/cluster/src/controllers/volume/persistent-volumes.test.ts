import type { Client } from "@sluice/client";
import {
  Event,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
  type PersistentVolumeClaimSpec,
  type PersistentVolumeSpec,
} from "@sluice/kubernetes";
import { beforeEach, describe, expect, test } from "vitest";
import { addNode, eventually, gone, nodeObject, quiet, reportPod, startTestCluster, type TestCluster } from "../control-plane.fixture.ts";

let cluster: TestCluster;
let client: Client;
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client } = cluster);
});

const at = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });
const createClaim = (name: string, spec: Partial<PersistentVolumeClaimSpec> & { size?: string } = {}): Promise<PersistentVolumeClaim> => {
  const { size = "1Gi", ...rest } = spec;
  return client.create(PersistentVolumeClaim, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: at(name),
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: size } }, ...rest },
  });
};
const createVolume = (
  name: string,
  size: string,
  spec: Partial<PersistentVolumeSpec> = {},
  labels: Record<string, string> = {},
): Promise<PersistentVolume> =>
  client.create(PersistentVolume, {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name, labels },
    spec: { capacity: { storage: size }, accessModes: ["ReadWriteOnce"], hostPath: { path: `/data/${name}` }, ...spec },
  });
const createPod = (name: string, claim: string, nodeName?: string): Promise<Pod> =>
  client.create(Pod, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: at(name),
    spec: {
      containers: [{ name: "main", image: "x" }],
      volumes: [{ name: "v", persistentVolumeClaim: { claimName: claim } }],
      ...(nodeName === undefined ? {} : { nodeName }),
    },
  });
const claim = (name: string): Promise<PersistentVolumeClaim> => client.get(PersistentVolumeClaim, at(name));
const volume = (name: string): Promise<PersistentVolume> => client.get(PersistentVolume, { name });
const isBound = (name: string): Promise<PersistentVolumeClaim> =>
  eventually(async () => {
    const now = await claim(name);
    return now.status?.phase === "Bound" && now;
  });
const inPhase = (name: string, phase: string): Promise<PersistentVolume> =>
  eventually(async () => {
    const now = await volume(name);
    return now.status?.phase === phase && now;
  });
const told = (reason: string, message: string): Promise<true> =>
  eventually(async () =>
    (await client.list(Event, { namespace: "default" })).items.some((event) => event.reason === reason && event.message === message),
  );
const addKeeper = (name: string): Promise<void> =>
  addNode(client, nodeObject(name, undefined, { metadata: { name, annotations: { "sluice.dev/volumes": `/home/${name}/volumes` } } }));

describe("claims of the standard class", () => {
  test("wait for their first pod, and get a directory on its node", async () => {
    await addKeeper("n1");
    await addKeeper("n2");
    const created = await createClaim("c");
    expect(created).toMatchObject({
      metadata: { finalizers: ["kubernetes.io/pvc-protection"] },
      spec: { storageClassName: "standard" },
      status: { phase: "Pending" },
    });
    await told("WaitForFirstConsumer", "waiting for first consumer to be created before binding");
    await createPod("p", "c", "n2");
    const bound = await isBound("c");
    const name = `pvc-${created.metadata.uid}`;
    expect(bound).toMatchObject({
      metadata: {
        annotations: {
          "pv.kubernetes.io/bind-completed": "yes",
          "pv.kubernetes.io/bound-by-controller": "yes",
          "volume.kubernetes.io/storage-provisioner": "sluice.dev/directory",
        },
      },
      spec: { volumeName: name },
      status: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" } },
    });
    expect(await inPhase(name, "Bound")).toMatchObject({
      metadata: { finalizers: ["kubernetes.io/pv-protection"], annotations: { "pv.kubernetes.io/provisioned-by": "sluice.dev/directory" } },
      spec: {
        capacity: { storage: "1Gi" },
        persistentVolumeReclaimPolicy: "Delete",
        storageClassName: "standard",
        claimRef: { kind: "PersistentVolumeClaim", namespace: "default", name: "c", uid: created.metadata.uid },
        hostPath: { path: `/home/n2/volumes/${name}`, type: "DirectoryOrCreate" },
        nodeAffinity: {
          required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["n2"] }] }] },
        },
      },
    });
    await told("ProvisioningSucceeded", `Successfully provisioned volume ${name}`);
    expect(cluster.errors).toEqual([]);
  });

  test("go where the scheduler says", async () => {
    await addKeeper("n1");
    await addKeeper("n2");
    await createClaim("c");
    await client.patch(PersistentVolumeClaim, at("c"), {
      type: "merge",
      body: { metadata: { annotations: { "volume.kubernetes.io/selected-node": "n1" } } },
    });
    const { spec } = await isBound("c");
    expect((await volume(spec.volumeName ?? "")).spec.hostPath?.path).toContain("/home/n1/");
  });

  test("stay while pods use them, and release their volume", async () => {
    await addKeeper("n");
    await createClaim("c");
    await createPod("p", "c", "n");
    const { spec } = await isBound("c");
    const name = spec.volumeName ?? "";
    await client.delete(PersistentVolumeClaim, at("c"));
    await quiet();
    expect((await claim("c")).metadata.deletionTimestamp).toBeDefined();
    await reportPod(client, at("p"), "Succeeded");
    await gone(client, PersistentVolumeClaim, at("c"));
    await inPhase(name, "Released");
    // Whoever keeps it takes it away.
    await client.delete(PersistentVolume, { name });
    await gone(client, PersistentVolume, { name });
    expect(cluster.errors).toEqual([]);
  });

  test("can grow, if their class lets them, and never shrink", async () => {
    await addKeeper("n");
    await createClaim("c");
    const resize = (storage: string): Promise<PersistentVolumeClaim> =>
      client.patch(PersistentVolumeClaim, at("c"), { type: "merge", body: { spec: { resources: { requests: { storage } } } } });
    await expect(resize("2Gi")).rejects.toThrow("Only bound persistent volume claims can be expanded");
    await createPod("p", "c", "n");
    const { spec } = await isBound("c");
    await resize("2Gi");
    await eventually(async () => (await claim("c")).status?.capacity?.["storage"] === "2Gi");
    expect((await volume(spec.volumeName ?? "")).spec.capacity).toEqual({ storage: "2Gi" });
    await expect(resize("1Gi")).rejects.toThrow("field can not be less than status.capacity");
  });

  test("are told why there is no volume for them", async () => {
    await addNode(client, nodeObject("bare"));
    await createClaim("block", { volumeMode: "Block" });
    await createPod("p", "block", "bare");
    await told("ProvisioningFailed", 'failed to provision volume with StorageClass "standard": block volume provisioning is not supported');
    await createClaim("c");
    await createPod("q", "c", "bare");
    await told("ProvisioningFailed", 'failed to provision volume with StorageClass "standard": node "bare" keeps no volumes');
    expect((await client.list(PersistentVolume)).items).toEqual([]);
  });
});

describe("claims of other classes", () => {
  const classOf = (name: string, more: Partial<StorageClass>): Promise<StorageClass> =>
    client.create(StorageClass, {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name },
      provisioner: "sluice.dev/directory",
      ...more,
    });

  test("that bind at once need no pod", async () => {
    await classOf("now", { volumeBindingMode: "Immediate", reclaimPolicy: "Retain" });
    await createClaim("c", { storageClassName: "now" });
    await told("ProvisioningFailed", 'failed to provision volume with StorageClass "now": there is no node that keeps volumes');
    await addKeeper("n");
    const { spec } = await isBound("c");
    expect((await volume(spec.volumeName ?? "")).spec.persistentVolumeReclaimPolicy).toBe("Retain");
  });

  test("are left to their provisioners", async () => {
    await classOf("theirs", { provisioner: "example.com/disks", volumeBindingMode: "Immediate" });
    await createClaim("c", { storageClassName: "theirs" });
    await told(
      "ExternalProvisioning",
      "Waiting for a volume to be created either by the external provisioner 'example.com/disks' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
    );
    expect((await claim("c")).metadata.annotations).toMatchObject({ "volume.kubernetes.io/storage-provisioner": "example.com/disks" });
    const { uid = "" } = (await claim("c")).metadata;
    await createVolume("theirs-1", "1Gi", { storageClassName: "theirs", claimRef: { namespace: "default", name: "c", uid } });
    expect((await isBound("c")).spec.volumeName).toBe("theirs-1");
  });

  test("that do not exist are waited for", async () => {
    await addKeeper("n");
    await createClaim("c", { storageClassName: "late" });
    await told("ProvisioningFailed", 'storageclass.storage.k8s.io "late" not found');
    await classOf("late", { volumeBindingMode: "Immediate" });
    expect((await isBound("c")).spec.storageClassName).toBe("late");
  });

  test("that name none get the default one when there is one", async () => {
    await client.delete(StorageClass, { name: "standard" });
    const { spec } = await createClaim("c");
    expect(spec.storageClassName).toBeUndefined();
    await told("FailedBinding", "no persistent volumes available for this claim and no storage class is set");
    await classOf("young", { metadata: { name: "young", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } } });
    await eventually(async () => (await claim("c")).spec.storageClassName === "young");
  });
});

describe("volumes that are there", () => {
  test("serve the claims that they fit best", async () => {
    await createVolume("large", "100Gi");
    await createVolume("small", "5Gi");
    await createVolume("tiny", "1Mi");
    await createVolume("shared", "5Gi", { accessModes: ["ReadWriteMany"] });
    await createVolume("marked", "50Gi", {}, { disk: "ssd" });
    await inPhase("small", "Available");
    await createClaim("a", { storageClassName: "", size: "2Gi" });
    expect((await isBound("a")).spec.volumeName).toBe("small");
    expect((await isBound("a")).status?.capacity).toEqual({ storage: "5Gi" });
    await createClaim("b", { storageClassName: "", accessModes: ["ReadWriteMany"] });
    expect((await isBound("b")).spec.volumeName).toBe("shared");
    await createClaim("c", { storageClassName: "", selector: { matchLabels: { disk: "ssd" } } });
    expect((await isBound("c")).spec.volumeName).toBe("marked");
    expect((await volume("tiny")).status?.phase).toBe("Available");
    expect((await volume("small")).metadata.annotations).toEqual({ "pv.kubernetes.io/bound-by-controller": "yes" });
  });

  test("can be named, by claims and the other way round", async () => {
    await createVolume("v", "1Gi");
    await createClaim("big", { storageClassName: "", volumeName: "v", size: "2Gi" });
    await told("VolumeMismatch", 'Cannot bind to requested volume "v": requested PV is too small');
    await createClaim("c", { storageClassName: "", volumeName: "v" });
    await isBound("c");
    await createClaim("d", { storageClassName: "", volumeName: "v" });
    await told("FailedBinding", 'volume "v" already bound to a different claim.');
    await createVolume("reserved", "1Gi", { claimRef: { namespace: "default", name: "e" } });
    await inPhase("reserved", "Available");
    await createVolume("other", "1Gi");
    await createClaim("e", { storageClassName: "" });
    expect((await isBound("e")).spec.volumeName).toBe("reserved");
  });

  test("are kept after their claim, or fail to be deleted by nobody", async () => {
    await createVolume("kept", "1Gi");
    await createClaim("a", { storageClassName: "", volumeName: "kept" });
    await isBound("a");
    await createVolume("lost", "1Gi", { persistentVolumeReclaimPolicy: "Delete" });
    await createClaim("b", { storageClassName: "", volumeName: "lost" });
    await isBound("b");
    await client.delete(PersistentVolume, { name: "kept" });
    await quiet();
    expect((await volume("kept")).metadata.deletionTimestamp).toBeDefined();
    await client.delete(PersistentVolumeClaim, at("a"));
    await client.delete(PersistentVolumeClaim, at("b"));
    await gone(client, PersistentVolume, { name: "kept" });
    expect((await inPhase("lost", "Failed")).status?.message).toBe(
      'error getting deleter volume plugin for volume "lost": no deletable volume plugin matched',
    );
    // Who makes it available again gets it back.
    await client.patch(PersistentVolume, { name: "lost" }, { type: "merge", body: { spec: { claimRef: null } } });
    await inPhase("lost", "Available");
  });

  test("that go leave their claims lost", async () => {
    await createVolume("v", "1Gi");
    await createClaim("c", { storageClassName: "", volumeName: "v" });
    await isBound("c");
    await client.patch(PersistentVolume, { name: "v" }, { type: "merge", body: { metadata: { finalizers: null } } });
    await client.delete(PersistentVolume, { name: "v" });
    await eventually(async () => (await claim("c")).status?.phase === "Lost");
    await told("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
  });

  test("out of reach of the pod's node are not taken", async () => {
    const on = (node: string): NonNullable<PersistentVolumeSpec["nodeAffinity"]> => ({
      required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] }] },
    });
    await client.create(StorageClass, {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: "local" },
      provisioner: "kubernetes.io/no-provisioner",
      volumeBindingMode: "WaitForFirstConsumer",
    });
    await createVolume("on-a", "1Gi", { storageClassName: "local", nodeAffinity: on("a") });
    await createVolume("on-b", "1Gi", { storageClassName: "local", nodeAffinity: on("b") });
    await addNode(client, nodeObject("a"));
    await addNode(client, nodeObject("b"));
    await createClaim("c", { storageClassName: "local" });
    await quiet();
    expect((await claim("c")).status?.phase).toBe("Pending");
    await createPod("p", "c", "b");
    expect((await isBound("c")).spec.volumeName).toBe("on-b");
  });
});
