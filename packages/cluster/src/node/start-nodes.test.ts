import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@sluice/client";
import { Node, Pod, type PodSpec } from "@sluice/kubernetes";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../controllers/control-plane.fixture.ts";
import { startCluster, type Cluster } from "../start-cluster.ts";
import { untilPhase, untilPod } from "./world.fixture.ts";

const ADMIN = { username: "root", groups: ["system:masters"] };
const GPU = "nvidia.com/gpu";
const NODES = [
  { name: "plain", capacity: { cpu: "1500m", memory: "1Gi" }, taints: [{ key: "slow", effect: "PreferNoSchedule" as const }] },
  { name: "gpu-a", labels: { pool: "gpu" }, annotations: { note: "x" }, capacity: { [GPU]: "2", memory: "2048Mi" } },
  { name: "gpu-b", labels: { pool: "gpu" }, capacity: { [GPU]: "3" } },
];
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-nodes-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const start = (nodes = NODES): Promise<Cluster> => startCluster({ directory, nodes, environment: { PATH: process.env["PATH"] } });
const key = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });

async function make(client: Client, name: string, spec: Partial<PodSpec>, gpus = 0, script = "echo CUDA=$CUDA_VISIBLE_DEVICES"): Promise<void> {
  const resources = gpus === 0 ? {} : { resources: { limits: { [GPU]: String(gpus) } } };
  await client.create(Pod, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...key(name), labels: { app: "x" } },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      containers: [{ name: "main", image: "busybox", command: ["sh", "-c", script], ...resources }],
      ...spec,
    },
  });
}
const apart: Partial<PodSpec> = {
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "x" } } }],
    },
  },
};
async function logOf(client: Client, name: string): Promise<string> {
  let text = "";
  for await (const chunk of client.log(key(name), {})) text += Buffer.from(chunk).toString("utf8");
  return text.trim();
}
async function clear(client: Client, ...names: string[]): Promise<void> {
  for (const name of names) await client.delete(Pod, key(name), { gracePeriodSeconds: 0 });
  for (const name of names) await untilPod(client, name, (pod) => pod === undefined);
}

test("each node is what it is declared, runs its pods, and has its own GPUs, also after a restart", { timeout: 60_000 }, async () => {
  {
    await using cluster = await start();
    const client = cluster.client(ADMIN);
    const plain = await client.get(Node, { name: "plain" });
    expect(plain.status?.allocatable).toMatchObject({ cpu: "1500m", memory: "1Gi", pods: "110" });
    expect(plain.spec?.taints).toEqual([{ key: "slow", effect: "PreferNoSchedule" }]);
    const a = await client.get(Node, { name: "gpu-a" });
    expect(a.status?.capacity).toMatchObject({ [GPU]: "2", memory: "2Gi" });
    expect([a.metadata.labels?.["pool"], a.metadata.annotations?.["note"]]).toEqual(["gpu", "x"]);

    for (const name of ["one", "two", "three"]) await make(client, name, apart);
    const pods = await Promise.all(["one", "two", "three"].map((name) => untilPhase(client, name, "Succeeded")));
    expect(new Set(pods.map(({ spec }) => spec.nodeName))).toEqual(new Set(["gpu-a", "gpu-b", "plain"]));
    for (const { metadata } of pods) expect(await logOf(client, metadata.name)).toBe("CUDA=");
    await clear(client, "one", "two", "three");

    await make(client, "holds", { nodeSelector: { "kubernetes.io/hostname": "gpu-b" } }, 2, "echo CUDA=$CUDA_VISIBLE_DEVICES; exec sleep 600");
    await untilPhase(client, "holds", "Running");
    await eventually(async () => (await logOf(client, "holds")) === "CUDA=2,3");
  }
  await using cluster = await start();
  const client = cluster.client(ADMIN);
  const holds = await client.get(Pod, key("holds"));
  expect([holds.status?.phase, holds.status?.containerStatuses?.[0]?.restartCount]).toEqual(["Running", 0]);
  await make(client, "next", { nodeSelector: { "kubernetes.io/hostname": "gpu-b" } }, 1);
  await untilPhase(client, "next", "Succeeded");
  expect(await logOf(client, "next")).toBe("CUDA=4");
  await make(client, "many", { nodeSelector: { pool: "gpu" } }, 3);
  await untilPod(
    client,
    "many",
    (pod) => pod?.status?.conditions?.some(({ message = "" }) => message.includes("2 Insufficient nvidia.com/gpu")) === true,
  );
  await clear(client, "holds");
  await untilPhase(client, "many", "Succeeded");
  expect(await logOf(client, "many")).toBe("CUDA=2,3,4");
  await clear(client, "next", "many");
});

test("a node that is declared no longer goes", { timeout: 60_000 }, async () => {
  {
    await using cluster = await start();
    const client = cluster.client(ADMIN);
    await make(client, "left", { nodeName: "gpu-b" }, 0, "exec sleep 600");
    await untilPhase(client, "left", "Running");
  }
  await using cluster = await start(NODES.slice(0, 2));
  const client = cluster.client(ADMIN);
  expect((await client.list(Node)).items.map(({ metadata }) => metadata.name)).toEqual(["gpu-a", "plain"]);
});
