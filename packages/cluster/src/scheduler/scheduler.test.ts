import type { Client } from "@sluice/client";
import { FakeClock } from "@sluice/controller/fake-clock";
import { ApiError, Event, Node, Pod, PriorityClass, type PodSpec } from "@sluice/kubernetes";
import { beforeEach, expect, test } from "vitest";
import { addNode, eventually, nodeObject, quiet, reportPod, startTestCluster, type TestCluster } from "../controllers/control-plane.fixture.ts";

let cluster: TestCluster;
let client: Client;
beforeEach(() => start());

async function start(options?: Parameters<typeof startTestCluster>[0]): Promise<void> {
  cluster = await startTestCluster(options);
  ({ client } = cluster);
}
const at = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });
const make = (name: string, cpu: string, spec: Partial<PodSpec> = {}): Promise<Pod> =>
  client.create(Pod, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: at(name),
    spec: { containers: [{ name: "main", image: "x", resources: { requests: { cpu } } }], ...spec },
  });
const nodeOf = async (name: string): Promise<string | undefined> => (await client.get(Pod, at(name))).spec.nodeName;
const scheduled = (name: string): Promise<string> => eventually(() => nodeOf(name));
const waiting = (name: string): Promise<string> =>
  eventually(async () => {
    const condition = (await client.get(Pod, at(name))).status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False");
    return condition?.reason === "Unschedulable" ? condition.message?.replace(/ preemption: .*$/u, "") : undefined;
  });
const said = (name: string, reason: string): Promise<string> =>
  eventually(async () => (await client.list(Event, { fieldSelector: `involvedObject.name=${name},reason=${reason}` })).items[0]?.message);

test("a pod gets a node as soon as there is one with room, and says why while it waits", async () => {
  await make("a", "2");
  expect(await waiting("a")).toBe("no nodes available to schedule pods");
  await addNode(client, nodeObject("small", { cpu: "1", memory: "1Gi", pods: "10" }));
  await eventually(async () => (await waiting("a")) === "0/1 nodes are available: 1 Insufficient cpu.");
  expect(await said("a", "FailedScheduling")).toBeDefined();
  await addNode(client, nodeObject("large", { cpu: "3", memory: "1Gi", pods: "10" }));
  expect(await scheduled("a")).toBe("large");
  expect((await client.get(Pod, at("a"))).status?.conditions).toMatchObject([{ type: "PodScheduled", status: "True" }]);
  expect(await said("a", "Scheduled")).toBe("Successfully assigned default/a to large");

  await make("b", "2");
  expect(await waiting("b")).toBe("0/2 nodes are available: 2 Insufficient cpu.");
  await reportPod(client, at("a"), "Succeeded");
  expect(await scheduled("b")).toBe("large");
  await make("c", "2");
  await waiting("c");
  await client.delete(Pod, at("b"), { gracePeriodSeconds: 0 });
  expect(await scheduled("c")).toBe("large");
  expect(cluster.errors).toEqual([]);
});

test("higher priority goes first, then the older; what does not fit holds up nobody", async () => {
  for (const [name, value] of [
    ["low", 1],
    ["high", 100],
    ["highest", 1000],
  ] as const) {
    await client.create(PriorityClass, { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name }, value });
  }
  await make("low", "1", { priorityClassName: "low" });
  await make("huge", "100", { priorityClassName: "highest" });
  await make("high", "1", { priorityClassName: "high" });
  await waiting("high");
  await addNode(client, nodeObject("a", { cpu: "1", memory: "1Gi", pods: "10" }));
  await scheduled("high");
  await quiet();
  expect(await nodeOf("low")).toBeUndefined();
});

test("leaves alone what is gated, of another scheduler, or placed already", async () => {
  await addNode(client, nodeObject("a", { cpu: "4", memory: "1Gi", pods: "10" }));
  await make("gated", "1", { schedulingGates: [{ name: "example.com/wait" }] });
  await make("foreign", "1", { schedulerName: "other" });
  await make("placed", "3", { nodeName: "a" });
  await make("rest", "2");
  expect(await waiting("rest")).toBe("0/1 nodes are available: 1 Insufficient cpu.");
  expect(await nodeOf("gated")).toBeUndefined();
  expect(await nodeOf("foreign")).toBeUndefined();
  await client.patch(Pod, at("gated"), { type: "merge", body: { spec: { schedulingGates: null } } });
  expect(await scheduled("gated")).toBe("a");
});

test("a node that becomes usable is used", async () => {
  await addNode(client, nodeObject("a", undefined, { spec: { unschedulable: true } }));
  await make("p", "1");
  expect(await waiting("p")).toBe("0/1 nodes are available: 1 node(s) were unschedulable.");
  await client.patch(Node, { name: "a" }, { type: "merge", body: { spec: { unschedulable: null } } });
  expect(await scheduled("p")).toBe("a");
});

test("a pod follows the one that it wants to be near", async () => {
  await addNode(client, nodeObject("a"));
  const labelSelector = { matchLabels: { app: "leader" } };
  await make("follower", "1", {
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "kubernetes.io/hostname", labelSelector }] } },
  });
  expect(await waiting("follower")).toBe("0/1 nodes are available: 1 node(s) didn't match pod affinity rules.");
  await client.create(Pod, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...at("leader"), labels: { app: "leader" } },
    spec: { containers: [{ name: "main", image: "x" }] },
  });
  expect(await scheduled("follower")).toBe("a");
});

test("a pod whose request is no quantity holds up nobody", async () => {
  await addNode(client, nodeObject("a"));
  await make("bad", "plenty").catch(() => undefined);
  await make("good", "1");
  expect(await scheduled("good")).toBe("a");
});

test("a binding that fails is tried again, and takes nothing meanwhile", async () => {
  const clock = new FakeClock();
  let failures = 1;
  const request =
    (real: Client): Client["request"] =>
    (wish) => {
      if (failures-- > 0) throw new ApiError("ServiceUnavailable", "not now");
      return real.request(wish);
    };
  await start({ clock, schedulerClient: (real) => ({ ...real, request: request(real) }) });
  await addNode(client, nodeObject("a", { cpu: "1", memory: "1Gi", pods: "10" }));
  await make("p", "1");
  await quiet();
  expect(await nodeOf("p")).toBeUndefined();
  await clock.advance(1000);
  expect(await scheduled("p")).toBe("a");
});

test("a pod that somebody else places first counts where it is", async () => {
  await start({
    schedulerClient: (real) => ({
      ...real,
      async request(wish) {
        const body = { apiVersion: "v1", kind: "Binding", metadata: {}, target: { kind: "Node", name: "b" } };
        if (wish.path.includes("/contested/")) await real.request({ ...wish, body });
        await quiet();
        return real.request(wish);
      },
    }),
  });
  for (const name of ["a", "b"]) await addNode(client, nodeObject(name, { cpu: "4", memory: "1Gi", pods: "10" }));
  await make("contested", "4");
  expect(await scheduled("contested")).toBe("b");
  await quiet();
  await make("one", "4");
  expect(await scheduled("one")).toBe("a");
  await make("two", "1");
  expect(await waiting("two")).toBe("0/2 nodes are available: 2 Insufficient cpu.");
});

test("places 1,500 pods on ten nodes", { timeout: 60_000 }, async () => {
  const names = Array.from({ length: 1500 }, (_, i) => `p${i}`);
  await Promise.all(names.map((name, i) => make(name, `${(i % 7) + 1}m`)));
  await eventually(async () => (await client.list(Pod, { namespace: "default" })).items.every(({ status }) => status?.conditions?.length === 1));
  for (let i = 0; i < 10; i++) await addNode(client, nodeObject(`n${i}`, { cpu: "64", memory: "64Gi", pods: "1000" }));
  await eventually(async () => (await client.list(Pod, { namespace: "default" })).items.every(({ spec }) => spec.nodeName !== undefined));
  expect(cluster.errors).toEqual([]);
});
