import type { Node, Pod, PodSpec } from "@sluice/kubernetes";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeObject } from "../controllers/control-plane.fixture.ts";
import { ClusterState } from "./cluster-state.ts";
import { demandOf, requestsOf, type PodDemand } from "./pod-demand.ts";
import { describeFailure, schedule, type Placement } from "./schedule.ts";

const container = (requests: Record<string, string> = {}, more: object = {}): PodSpec["containers"][number] => ({
  name: "main",
  image: "x",
  resources: { requests },
  ...more,
});
const pod = (spec: Partial<PodSpec> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "n" },
  spec: { containers: [container()], ...spec },
});
const demand = (spec: Partial<PodSpec> = {}): PodDemand => demandOf(pod(spec));
const NONE = new Map<string, Record<string, string>>();
const stateOf = (...nodes: Node[]): ClusterState => {
  const state = new ClusterState();
  for (const node of nodes) state.setNode(node.metadata.name, node);
  return state;
};
const place = (spec: Partial<PodSpec>, ...nodes: Node[]): Placement => schedule(demand(spec), stateOf(...nodes).nodes, NONE);
/** The node, or why there is none, without what is said of preemption. */
const told = (placement: Placement, nodes = 1): string =>
  "failure" in placement ? describeFailure(placement.failure, nodes).replace(/ preemption: .*$/u, "") : placement.node;
const tainted = (effect: "NoSchedule" | "NoExecute" | "PreferNoSchedule"): Node =>
  nodeObject("a", undefined, { spec: { taints: [{ key: "gpu", value: "yes", effect }] } });

describe("what a pod needs", () => {
  const cpu = (spec: PodSpec): number => requestsOf(spec).get("cpu") ?? 0;
  test.each<[string, Partial<PodSpec>, number]>([
    ["the sum of its containers", { containers: [container({ cpu: "1" }), container({ cpu: "500m" })] }, 1500],
    [
      "the largest init container, if that is more",
      { containers: [container({ cpu: "1" })], initContainers: [container({ cpu: "2" }), container({ cpu: "3" })] },
      3000,
    ],
    [
      "sidecars beside its containers",
      { containers: [container({ cpu: "1" })], initContainers: [container({ cpu: "1" }, { restartPolicy: "Always" })] },
      2000,
    ],
    [
      "init containers beside the sidecars started before them",
      {
        initContainers: [
          container({ cpu: "1" }, { restartPolicy: "Always" }),
          container({ cpu: "3" }),
          container({ cpu: "5" }, { restartPolicy: "Always" }),
        ],
      },
      6000,
    ],
    ["its overhead", { containers: [container({ cpu: "1" })], overhead: { cpu: "250m" } }, 1250],
    ["what is asked for as a whole", { containers: [container({ cpu: "1" })], resources: { requests: { cpu: "4" } } }, 4000],
  ])("%s", (_, spec, expected) => expect(cpu(pod(spec).spec)).toBe(expected));
});

describe("where a pod may go", () => {
  const zone = nodeObject("a", undefined, { metadata: { name: "a", labels: { zone: "z1", size: "5" } } });
  const affine = (operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt", key: string, ...values: string[]): Partial<PodSpec> => ({
    affinity: {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }] } },
    },
  });
  const AFFINITY = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
  test.each<[string, Partial<PodSpec>, Node, string]>([
    ["a node with room", {}, zone, "a"],
    [
      "nowhere with too little of something",
      { containers: [container({ cpu: "9", memory: "17Gi" })] },
      zone,
      "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.",
    ],
    [
      "nowhere without devices",
      { containers: [container({ "nvidia.com/gpu": "1" })] },
      zone,
      "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
    ],
    ["nowhere with too many pods", {}, nodeObject("a", { cpu: "1", pods: "0" }), "0/1 nodes are available: 1 Too many pods."],
    [
      "not to cordoned nodes",
      {},
      nodeObject("a", undefined, { spec: { unschedulable: true } }),
      "0/1 nodes are available: 1 node(s) were unschedulable.",
    ],
    [
      "to cordoned nodes if it tolerates that",
      { tolerations: [{ operator: "Exists" }] },
      nodeObject("a", undefined, { spec: { unschedulable: true } }),
      "a",
    ],
    ["not where a taint keeps it away", {}, tainted("NoSchedule"), "0/1 nodes are available: 1 node(s) had untolerated taint(s)."],
    ["not where it would be evicted", {}, tainted("NoExecute"), "0/1 nodes are available: 1 node(s) had untolerated taint(s)."],
    ["where a taint only asks", {}, tainted("PreferNoSchedule"), "a"],
    ["where it tolerates the taint", { tolerations: [{ key: "gpu", value: "yes", effect: "NoSchedule" }] }, tainted("NoSchedule"), "a"],
    [
      "not with another value",
      { tolerations: [{ key: "gpu", value: "no" }] },
      tainted("NoSchedule"),
      "0/1 nodes are available: 1 node(s) had untolerated taint(s).",
    ],
    ["where its selector says", { nodeSelector: { zone: "z1" } }, zone, "a"],
    ["not elsewhere", { nodeSelector: { zone: "z2" } }, zone, AFFINITY],
    ["In", affine("In", "zone", "z1", "z2"), zone, "a"],
    ["NotIn", affine("NotIn", "zone", "z1"), zone, AFFINITY],
    ["NotIn of an absent label", affine("NotIn", "rack", "r"), zone, "a"],
    ["Exists", affine("Exists", "rack"), zone, AFFINITY],
    ["DoesNotExist", affine("DoesNotExist", "rack"), zone, "a"],
    ["Gt", affine("Gt", "size", "4"), zone, "a"],
    ["Lt", affine("Lt", "size", "5"), zone, AFFINITY],
    [
      "an empty term matches nothing",
      { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{}] } } } },
      zone,
      AFFINITY,
    ],
    [
      "fields",
      {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["a"] }] }],
            },
          },
        },
      },
      zone,
      "a",
    ],
  ])("%s", (_, spec, node, expected) => expect(told(place(spec, node))).toBe(expected));

  test("ports of the node are taken once, unless their addresses differ", () => {
    const ports = (hostIP?: string): Partial<PodSpec> => ({
      containers: [container({}, { ports: [{ containerPort: 80, hostPort: 80, ...(hostIP === undefined ? {} : { hostIP }) }] })],
    });
    const state = stateOf(zone);
    state.assign("1", "a", demand(ports("10.0.0.1")));
    expect(told(schedule(demand(ports("10.0.0.2")), state.nodes, NONE))).toBe("a");
    expect(told(schedule(demand(ports()), state.nodes, NONE))).toBe(
      "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    );
    state.release("1");
    expect(told(schedule(demand(ports()), state.nodes, NONE))).toBe("a");
  });

  test("of several nodes the preferred, then the freest", () => {
    const other = nodeObject("b", undefined, { metadata: { name: "b", labels: { zone: "z2" } } });
    const prefers = {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 10, preference: { matchExpressions: [{ key: "zone", operator: "In" as const, values: ["z2"] }] } },
          ],
        },
      },
    };
    expect(place(prefers, zone, other)).toEqual({ node: "b" });
    const state = stateOf(zone, other);
    state.assign("1", "a", demand({ containers: [container({ cpu: "4" })] }));
    expect(schedule(demand(), state.nodes, NONE)).toEqual({ node: "b" });
    expect(place({}, tainted("PreferNoSchedule"), other)).toEqual({ node: "b" });
  });

  test("reasons are counted over the nodes", () => {
    const small = nodeObject("b", { cpu: "1", memory: "1Gi", pods: "10" });
    expect(told(place({ containers: [container({ cpu: "10" })] }, zone, small, { ...tainted("NoSchedule"), metadata: { name: "c" } }), 3)).toBe(
      "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu.",
    );
    expect(told(place({}), 0)).toBe("no nodes available to schedule pods");
  });
});

describe("what is said of preemption", () => {
  const big = nodeObject("big");
  const full = nodeObject("full", { cpu: "1", memory: "1Gi", pods: "0" });
  const wants = (cpu: string, spec: Partial<PodSpec> = {}): string => {
    const placement = place({ containers: [container({ cpu })], ...spec }, full, { ...tainted("NoSchedule"), metadata: { name: "t" } });
    return "failure" in placement ? describeFailure(placement.failure, 2, spec.preemptionPolicy) : "";
  };
  test("it would help on some nodes, but nobody is put out", () =>
    expect(wants("1")).toBe(
      "0/2 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint(s). preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.",
    ));
  test("it helps nowhere", () =>
    expect(wants("9")).toBe(
      "0/2 nodes are available: 1 Insufficient cpu, 1 Too many pods, 1 node(s) had untolerated taint(s). preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
    ));
  test("the pod does not want it", () =>
    expect(wants("1", { preemptionPolicy: "Never" })).toBe(
      "0/2 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint(s). preemption: not eligible due to preemptionPolicy=Never.",
    ));
  test("what keeps it from all nodes alike", () =>
    expect(describeFailure({ blocked: "pod has unbound immediate PersistentVolumeClaims" }, stateOf(big, full).nodes.length)).toBe(
      "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
    ));
});

test("nodes are never overcommitted, nothing is refused that fits, and the books balance", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("place" as const), cpu: fc.integer({ min: 0, max: 5 }), gpu: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ do: fc.constant("free" as const), nth: fc.nat(20) }),
  );
  fc.assert(
    fc.property(
      fc.array(fc.record({ cpu: fc.integer({ min: 0, max: 8 }), gpu: fc.integer({ min: 0, max: 2 }), pods: fc.integer({ min: 0, max: 4 }) }), {
        maxLength: 4,
      }),
      fc.array(step, { maxLength: 40 }),
      (sizes, steps) => {
        const state = stateOf(
          ...sizes.map(({ cpu, gpu, pods }, i) => nodeObject(`n${i}`, { cpu: `${cpu}`, "nvidia.com/gpu": `${gpu}`, pods: `${pods}` })),
        );
        const placed = new Map<string, { node: number; cpu: number; gpu: number }>();
        const taken = (node: number): { cpu: number; gpu: number; pods: number } =>
          [...placed.values()]
            .filter((one) => one.node === node)
            .reduce((sum, one) => ({ cpu: sum.cpu + one.cpu, gpu: sum.gpu + one.gpu, pods: sum.pods + 1 }), { cpu: 0, gpu: 0, pods: 0 });
        for (const [serial, one] of steps.entries()) {
          if (one.do === "free") {
            const uid = [...placed.keys()][one.nth];
            if (uid === undefined) continue;
            placed.delete(uid);
            state.release(uid);
            continue;
          }
          const wanted = demand({ containers: [container({ cpu: `${one.cpu}`, "nvidia.com/gpu": `${one.gpu}` })] });
          const fits = sizes.some((size, i) => taken(i).cpu + one.cpu <= size.cpu && taken(i).gpu + one.gpu <= size.gpu && taken(i).pods < size.pods);
          const placement = schedule(wanted, state.nodes, NONE);
          expect("node" in placement).toBe(fits);
          if (!("node" in placement)) continue;
          placed.set(`${serial}`, { node: Number(placement.node.slice(1)), cpu: one.cpu, gpu: one.gpu });
          state.assign(`${serial}`, placement.node, wanted);
          for (const [i, size] of sizes.entries()) {
            expect(taken(i).cpu).toBeLessThanOrEqual(size.cpu);
            expect(taken(i).gpu).toBeLessThanOrEqual(size.gpu);
            expect(taken(i).pods).toBeLessThanOrEqual(size.pods);
          }
        }
        for (const { node, usage } of state.nodes) {
          const { cpu, gpu, pods } = taken(Number(node.metadata.name.slice(1)));
          expect([usage.requested("cpu"), usage.requested("nvidia.com/gpu"), usage.pods.size]).toEqual([cpu * 1000, gpu, pods]);
        }
      },
    ),
    { numRuns: 200 },
  );
});
