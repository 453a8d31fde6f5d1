import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Client } from "@sluice/client";
import { startCluster } from "@sluice/cluster";
import { Lease, Node, Pod } from "@sluice/kubernetes";
import { temporaryDirectory } from "./server.ts";
import { ms, type Measurement } from "./statistics.ts";

const NODES = 5000;
const PODS = 10_000;
const WRITERS = 256;
const ADMIN = { username: "bench", groups: ["system:masters"] };

/** How fast waiting pods are bound, each on disk, to nodes that nobody runs; against writes of the same objects by one client. */
export async function benchScheduler(): Promise<readonly Measurement[]> {
  using directory = temporaryDirectory();
  let writes: number;
  {
    await using cluster = await startCluster({ directory: directory.path, mode: "api-server" });
    const client = cluster.client(ADMIN);
    await inParallel(NODES, (index) => addNode(client, `node-${index}`));
    const started = performance.now();
    await inParallel(PODS, (index) => client.create(Pod, podOf(`pod-${index}`, index)));
    writes = performance.now() - started;
  }
  const delay = monitorEventLoopDelay({ resolution: 5 });
  await using cluster = await startCluster({ directory: directory.path, mode: "control-plane" });
  const times = await untilBound(cluster.client(ADMIN), () => delay.enable());
  delay.disable();
  const [first = 0] = times;
  const elapsed = (times.at(-1) ?? 0) - first;
  const perSecond = (elapsedMs: number): string => `${((PODS / elapsedMs) * 1000).toFixed(0)}/s`;
  return [
    {
      name: `pods bound, ${NODES} nodes`,
      value: perSecond(elapsed),
      against: `creates of the same pods: ${perSecond(writes)}`,
      aim: "≥ 2000/s",
    },
    {
      name: "longest turn meanwhile",
      value: ms(delay.max / 1e6),
      against: "",
      aim: "≤ 50 ms",
    },
  ];
}

/** When each pod was seen bound. */
async function untilBound(client: Client, begin: () => void): Promise<number[]> {
  const bound = new Set<string>();
  const times: number[] = [];
  for await (const event of client.watch(Pod, { sendInitialEvents: true, allowWatchBookmarks: true })) {
    if (event.type === "ERROR") throw new Error(event.object.message);
    if (event.type === "BOOKMARK") continue;
    const { metadata, spec } = event.object;
    if ((spec.nodeName ?? "") === "" || bound.has(metadata.name)) continue;
    if (bound.size === 0) begin();
    bound.add(metadata.name);
    times.push(performance.now());
    if (bound.size === PODS) break;
  }
  return times;
}

async function addNode(client: Client, name: string): Promise<void> {
  const amounts = { cpu: "16", memory: "64Gi", pods: "110", "ephemeral-storage": "100Gi" };
  const status = { capacity: amounts, allocatable: amounts, conditions: [{ type: "Ready", status: "True" as const, reason: "KubeletReady" }] };
  const labels = { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "topology.kubernetes.io/zone": `zone-${name.length}` };
  await client.create(Node, { apiVersion: "v1", kind: "Node", metadata: { name, labels } });
  await client.patch(Node, { name }, { type: "merge", subresource: "status", body: { status } });
  await client.create(Lease, {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name, namespace: "kube-node-lease" },
    spec: { holderIdentity: name, leaseDurationSeconds: 3600, renewTime: new Date(Date.now()).toISOString().replace("Z", "000Z") },
  });
}

/** Pods of a few sizes, as a few Jobs would make them. */
function podOf(name: string, index: number): Pod {
  const requests = { cpu: `${100 * (1 + (index % 4))}m`, memory: "128Mi" };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: `job-${index % 20}` } },
    spec: { containers: [{ name: "main", image: "busybox", resources: { requests } }] },
  };
}

async function inParallel(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await act(index);
  };
  await Promise.all(Array.from({ length: WRITERS }, work));
}
