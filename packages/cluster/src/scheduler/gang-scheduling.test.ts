import type { Client } from "@sluice/client";
import { Event, Pod, type PodSpec } from "@sluice/kubernetes";
import { expect, test } from "vitest";
import { addNode, eventually, nodeObject, quiet, reportPod, startTestCluster, type TestCluster } from "../controllers/control-plane.fixture.ts";
import { PodGroup } from "./pod-group.ts";

const at = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });
const small = (name: string, cpu: string): ReturnType<typeof nodeObject> => nodeObject(name, { cpu, memory: "1Gi", pods: "10" });

async function makeGang(
  client: Client,
  name: string,
  pods: number,
  options: { cpu?: string; minMember?: number; spec?: Partial<PodSpec> } = {},
): Promise<void> {
  const { cpu = "1", minMember = pods, spec = {} } = options;
  await client.create(PodGroup, { apiVersion: "scheduling.x-k8s.io/v1alpha1", kind: "PodGroup", metadata: at(name), spec: { minMember } });
  for (let i = 0; i < pods; i++) await makeMember(client, name, `${name}-${i}`, cpu, spec);
}
const makeMember = (client: Client, group: string, name: string, cpu = "1", spec: Partial<PodSpec> = {}): Promise<Pod> =>
  client.create(Pod, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...at(name), labels: { "scheduling.x-k8s.io/pod-group": group } },
    spec: { containers: [{ name: "main", image: "x", resources: { requests: { cpu } } }], ...spec },
  });
const placed = async ({ client }: TestCluster, group: string): Promise<number> =>
  (await client.list(Pod, { namespace: "default", labelSelector: `scheduling.x-k8s.io/pod-group=${group}` })).items.filter(
    ({ spec }) => (spec.nodeName ?? "") !== "",
  ).length;
const phase = async ({ client }: TestCluster, group: string): Promise<string | undefined> => (await client.get(PodGroup, at(group))).status?.phase;
const untilTold = ({ client }: TestCluster, name: string, message: RegExp): Promise<true> =>
  eventually(async () => {
    const condition = (await client.get(Pod, at(name))).status?.conditions?.find(({ type }) => type === "PodScheduled");
    return condition?.reason === "Unschedulable" && message.test(condition.message ?? "");
  }).then(() => true);

test("a group waits until all of it fits, and starts as one", async () => {
  const cluster = await startTestCluster();
  const { client } = cluster;
  await addNode(client, small("a", "2"));
  await makeGang(client, "g", 3, { spec: { schedulerName: "scheduler-plugins-scheduler" } });
  await untilTold(
    cluster,
    "g-0",
    /^0\/1 nodes are available: 1 Insufficient cpu\. preemption: .*\. PodGroup default\/g gets rejected due to Pod g-\d is unschedulable even after PostFilter: 2 of at least 3 fit$/u,
  );
  expect(await placed(cluster, "g")).toBe(0);
  await eventually(async () => (await phase(cluster, "g")) === "Scheduling");
  await addNode(client, small("b", "1"));
  await eventually(async () => (await placed(cluster, "g")) === 3);
  for (let i = 0; i < 3; i++) await reportPod(client, at(`g-${i}`), "Running");
  await eventually(async () => (await phase(cluster, "g")) === "Running");
  for (let i = 0; i < 3; i++) await reportPod(client, at(`g-${i}`), "Succeeded");
  await eventually(async () => (await phase(cluster, "g")) === "Finished");
  expect((await client.get(PodGroup, at("g"))).status).toMatchObject({ running: 0, succeeded: 3, failed: 0 });
  expect(cluster.errors).toEqual([]);
});

test("a group waits for its pods, and for itself", async () => {
  const cluster = await startTestCluster();
  const { client } = cluster;
  await addNode(client, small("a", "9"));
  await makeMember(client, "g", "g-0");
  await untilTold(cluster, "g-0", /^0\/1 nodes are available: PodGroup not found\./u);
  await client.create(PodGroup, { apiVersion: "scheduling.x-k8s.io/v1alpha1", kind: "PodGroup", metadata: at("g"), spec: { minMember: 2 } });
  await untilTold(cluster, "g-0", /cannot find enough sibling pods, current pods number: 1, minMember of group: 2\./u);
  expect(await phase(cluster, "g")).toBe("Pending");
  await makeMember(client, "g", "g-1");
  await eventually(async () => (await placed(cluster, "g")) === 2);
});

test("of two groups that fit alone but not together one runs and the other waits, and follows", async () => {
  const cluster = await startTestCluster();
  const { client } = cluster;
  for (const name of ["a", "b"]) await addNode(client, small(name, "2"));
  await Promise.all([makeGang(client, "one", 3), makeGang(client, "two", 3)]);
  const first = await eventually(async () => {
    for (const name of ["one", "two"]) if ((await placed(cluster, name)) === 3) return name;
    return undefined;
  });
  const second = first === "one" ? "two" : "one";
  await untilTold(cluster, `${second}-0`, /1 of at least 3 fit/u);
  expect(await placed(cluster, second)).toBe(0);
  for (let i = 0; i < 3; i++) await reportPod(client, at(`${first}-${i}`), "Succeeded");
  await eventually(async () => (await placed(cluster, second)) === 3);
  const told = { fieldSelector: `involvedObject.name=${second}-0,reason=FailedScheduling` };
  await eventually(async () => (await client.list(Event, told)).items.length > 0);
});

test("more than are needed may follow later", async () => {
  const cluster = await startTestCluster();
  await addNode(cluster.client, small("a", "2"));
  await makeGang(cluster.client, "g", 3, { minMember: 2 });
  await eventually(async () => (await placed(cluster, "g")) === 2);
  await addNode(cluster.client, small("b", "1"));
  await eventually(async () => (await placed(cluster, "g")) === 3);
});

test("what a crash left half bound is completed before anything else", async () => {
  let bindings = 0;
  const cluster = await startTestCluster({
    schedulerClient: (real) => ({
      ...real,
      // The program ends when two of four are bound: the others' bindings are never heard of again.
      request: (wish) => (wish.path.endsWith("/binding") && ++bindings > 2 ? new Promise(() => {}) : real.request(wish)),
    }),
  });
  const { client } = cluster;
  await addNode(client, small("a", "4"));
  await makeGang(client, "g", 4);
  await eventually(async () => (await placed(cluster, "g")) === 2);
  for (const name of ["x", "y", "z"])
    await client.create(Pod, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: at(name),
      spec: { priorityClassName: "system-cluster-critical", containers: [{ name: "main", image: "x", resources: { requests: { cpu: "1" } } }] },
    });
  cluster.abandonScheduler();
  await eventually(async () => (await placed(cluster, "g")) === 4);
  await quiet();
  for (const name of ["x", "y", "z"]) expect((await client.get(Pod, at(name))).spec.nodeName).toBeUndefined();
});
