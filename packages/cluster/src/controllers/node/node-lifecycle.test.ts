import type { Client } from "@sluice/client";
import { FakeClock } from "@sluice/controller/fake-clock";
import { Lease, Node, Pod } from "@sluice/kubernetes";
import { beforeEach, expect, test } from "vitest";
import { addNode, eventually, gone, nodeObject, quiet, reportPod, startTestCluster, type TestCluster } from "../control-plane.fixture.ts";
import { evictionTime } from "./taint-eviction.ts";

let clock: FakeClock;
let cluster: TestCluster;
let client: Client;
beforeEach(async () => {
  clock = new FakeClock();
  cluster = await startTestCluster({ clock });
  ({ client } = cluster);
});

const at = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });
const make = (name: string): Promise<Pod> =>
  client.create(Pod, { apiVersion: "v1", kind: "Pod", metadata: at(name), spec: { nodeName: "a", containers: [{ name: "main", image: "x" }] } });
const renew = async (): Promise<void> => {
  const key = { namespace: "kube-node-lease", name: "a" };
  const renewTime = new Date(clock.now()).toISOString().replace("Z", "000Z");
  const lease = await client.find(Lease, key);
  if (lease === undefined) await client.create(Lease, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: key, spec: { renewTime } });
  else await client.update(Lease, { ...lease, spec: { renewTime } });
  await quiet();
};
const ready = async (): Promise<string | undefined> =>
  (await client.get(Node, { name: "a" })).status?.conditions?.find(({ type }) => type === "Ready")?.status;
const taints = async (): Promise<string[]> =>
  ((await client.get(Node, { name: "a" })).spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);
/** As a minute of a live node's, in steps. */
const pass = async (seconds: number): Promise<void> => {
  for (let rest = seconds; rest > 0; rest -= 10) {
    await clock.advance(Math.min(10, rest) * 1000);
    await quiet();
  }
};

test("a node that falls silent is unknown after 40 s, tainted, and its pods go after as long as they tolerate it", async () => {
  await addNode(client, nodeObject("a"));
  await renew();
  await make("p");
  for (let beat = 0; beat < 6; beat++) {
    await pass(10);
    await renew();
  }
  expect(await ready()).toBe("True");
  expect(await taints()).toEqual([]);
  await pass(39);
  expect(await ready()).toBe("True");
  await pass(1);
  await eventually(async () => (await ready()) === "Unknown");
  await eventually(async () => (await taints()).length === 2);
  expect(await taints()).toEqual(["node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"]);
  await pass(290);
  expect((await client.get(Pod, at("p"))).metadata.deletionTimestamp).toBeUndefined();
  await pass(20);
  const evicted = await eventually(async () => {
    const pod = await client.get(Pod, at("p"));
    return pod.metadata.deletionTimestamp !== undefined && pod;
  });
  expect(evicted.status?.conditions).toMatchObject([{ type: "DisruptionTarget", reason: "DeletionByTaintManager" }]);
  expect(cluster.errors).toEqual([]);
});

test("a node that speaks again is trusted again", async () => {
  await addNode(client, nodeObject("a"));
  await renew();
  await pass(50);
  await eventually(async () => (await taints()).length === 2);
  const node = await client.get(Node, { name: "a" });
  const conditions = [{ type: "Ready", status: "True", lastHeartbeatTime: new Date(clock.now()).toISOString() }];
  await client.patch(Node, { name: "a" }, { type: "merge", subresource: "status", body: { status: { conditions } } });
  await renew();
  await eventually(async () => (await taints()).length === 0);
  expect(node.spec?.taints?.[1]?.timeAdded).toBeDefined();
});

test("whoever slept does not judge", async () => {
  await addNode(client, nodeObject("a"));
  await renew();
  clock.jump(3_600_000);
  await pass(10);
  expect(await ready()).toBe("True");
  await renew();
  await pass(30);
  expect(await ready()).toBe("True");
});

test("conditions and cordons taint, and other taints stay", async () => {
  await addNode(client, nodeObject("a", undefined, { spec: { unschedulable: true, taints: [{ key: "mine", effect: "NoSchedule" }] } }));
  await eventually(async () => (await taints()).length === 2);
  await client.patch(
    Node,
    { name: "a" },
    {
      type: "merge",
      subresource: "status",
      body: {
        status: {
          conditions: [
            { type: "Ready", status: "False" },
            { type: "MemoryPressure", status: "True" },
          ],
        },
      },
    },
  );
  await eventually(async () => (await taints()).length === 5);
  expect((await taints()).toSorted()).toEqual([
    "mine:NoSchedule",
    "node.kubernetes.io/memory-pressure:NoSchedule",
    "node.kubernetes.io/not-ready:NoExecute",
    "node.kubernetes.io/not-ready:NoSchedule",
    "node.kubernetes.io/unschedulable:NoSchedule",
  ]);
});

test("pods of a node that is gone are given up after 40 s", async () => {
  await addNode(client, nodeObject("a"));
  await make("p");
  await client.patch(Pod, at("p"), { type: "merge", body: { metadata: { finalizers: ["example.com/hold"] } } });
  await reportPod(client, at("p"), "Running");
  await client.delete(Node, { name: "a" });
  await quiet();
  await pass(39);
  expect((await client.get(Pod, at("p"))).metadata.deletionTimestamp).toBeUndefined();
  await pass(1);
  const lost = await eventually(async () => {
    const pod = await client.get(Pod, at("p"));
    return pod.metadata.deletionTimestamp !== undefined && pod;
  });
  expect(lost.status).toMatchObject({ phase: "Failed", conditions: [{}, { type: "DisruptionTarget", reason: "DeletionByPodGC" }] });
  await client.patch(Pod, at("p"), { type: "merge", body: { metadata: { finalizers: null } } });
  await gone(client, Pod, at("p"));
});

test.each<[string, Parameters<typeof evictionTime>[1], number]>([
  ["no toleration", [], 100_000],
  ["for ever", [{ operator: "Exists" }], Infinity],
  ["for a while", [{ key: "k", operator: "Exists", tolerationSeconds: 30 }], 40_000],
  ["the shortest of several counts", [{ operator: "Exists" }, { key: "k", operator: "Exists", tolerationSeconds: 5 }], 15_000],
  ["another taint", [{ key: "other", operator: "Exists" }], 100_000],
])("eviction: %s", (_, tolerations, expected) => {
  const taint = { key: "k", effect: "NoExecute" as const, timeAdded: new Date(10_000).toISOString() };
  expect(evictionTime([taint], tolerations, 100_000)).toBe(expected);
});
