import type { Node, Pod, PodAffinityTerm, PodSpec } from "@sluice/kubernetes";
import { describe, expect, test } from "vitest";
import { nodeObject } from "../controllers/control-plane.fixture.ts";
import { ClusterState } from "./cluster-state.ts";
import { demandOf, type PodDemand } from "./pod-demand.ts";
import { describeFailure, schedule } from "./schedule.ts";

const zoned = (name: string, zone: string): Node => nodeObject(name, undefined, { metadata: { name, labels: { zone } } });
const demand = (app: string, spec: Partial<PodSpec> = {}, namespace = "n"): PodDemand => {
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace, labels: { app } },
    spec: { containers: [{ name: "main", image: "x" }], ...spec },
  };
  return demandOf(pod);
};
const term = (app: string, more: Partial<PodAffinityTerm> = {}): PodAffinityTerm => ({
  topologyKey: "zone",
  labelSelector: { matchLabels: { app } },
  ...more,
});
const near = (...terms: PodAffinityTerm[]): Partial<PodSpec> => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const apart = (...terms: PodAffinityTerm[]): Partial<PodSpec> => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});

/** A message without what it says of preemption. */
const causeIn = (message: string): string => message.replace(/ preemption: .*$/u, "");

/** Two zones, the first with two nodes, and pods on some of them. */
const world = (...pods: [node: string, PodDemand][]): ClusterState => {
  const state = new ClusterState();
  for (const node of [zoned("a1", "a"), zoned("a2", "a"), zoned("b1", "b")]) state.setNode(node.metadata.name, node);
  state.setNamespace("n", {});
  state.setNamespace("other", { team: "red" });
  for (const [i, [node, pod]] of pods.entries()) state.assign(`${i}`, node, pod);
  return state;
};
const place = (state: ClusterState, pod: PodDemand): string => {
  const placement = schedule(pod, state.nodes, state.namespaces);
  return "node" in placement ? placement.node : causeIn(describeFailure(placement.failure, state.nodes.length));
};

describe("affinity to pods", () => {
  test("goes where they are, in the same domain", () => expect(place(world(["b1", demand("db")]), demand("web", near(term("db"))))).toBe("b1"));
  test("nowhere, if they are nowhere", () =>
    expect(place(world(), demand("web", near(term("db"))))).toBe("0/3 nodes are available: 3 node(s) didn't match pod affinity rules."));
  test("the first of a group starts anywhere", () => expect(place(world(), demand("web", near(term("web"))))).toBe("a1"));
  test("nodes without the label are in no domain", () =>
    expect(place(world(), demand("web", near(term("web", { topologyKey: "rack" }))))).toContain("didn't match pod affinity rules"));
  test("other namespaces count if named or selected", () => {
    const state = world(["b1", demand("db", {}, "other")]);
    expect(place(state, demand("web", near(term("db"))))).toContain("affinity rules");
    expect(place(state, demand("web", near(term("db", { namespaces: ["other"] }))))).toBe("b1");
    expect(place(state, demand("web", near(term("db", { namespaceSelector: {} }))))).toBe("b1");
    expect(place(state, demand("web", near(term("db", { namespaceSelector: { matchLabels: { team: "blue" } } }))))).toContain("affinity rules");
  });
  test("a preference decides between nodes that are both fit", () => {
    const prefers = { affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term("db") }] } } };
    expect(place(world(["b1", demand("db")]), demand("web", prefers))).toBe("b1");
  });
});

describe("anti-affinity", () => {
  test("keeps away from them", () => expect(place(world(["a1", demand("web")]), demand("web", apart(term("web"))))).toBe("b1"));
  test("nowhere, if they are everywhere", () => {
    expect(place(world(["a1", demand("web")], ["b1", demand("web")]), demand("web", apart(term("web"))))).toBe(
      "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.",
    );
  });
  test("of pods that are there counts too", () => {
    const state = world(["a1", demand("db", apart(term("web")))]);
    expect(place(state, demand("web"))).toBe("b1");
    state.setNode("b1", undefined);
    expect(place(state, demand("web"))).toBe("0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules.");
    expect(place(state, demand("cache"))).toBe("a2");
    state.release("0");
    expect(place(state, demand("web"))).toBe("a1");
  });
});

describe("spreading", () => {
  const even = (maxSkew = 1): Partial<PodSpec> => ({
    topologySpreadConstraints: [{ maxSkew, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: { matchLabels: { app: "web" } } }],
  });
  test("goes where there are fewest", () => expect(place(world(["a1", demand("web")], ["a2", demand("db")]), demand("web", even()))).toBe("b1"));
  test("allows as much skew as it says", () => {
    const state = world(["a1", demand("web")]);
    state.setNode("b1", { ...zoned("b1", "b"), spec: { unschedulable: true } });
    expect(place(state, demand("web", even(2)))).toBe("a2");
  });
  test("nodes without the label are out", () => {
    const state = new ClusterState();
    state.setNode("c", nodeObject("c"));
    expect(place(state, demand("web", even()))).toBe(
      "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).",
    );
  });
  test("refuses what would be uneven", () => {
    const state = world(["a1", demand("web")]);
    state.setNode("b1", { ...zoned("b1", "b"), spec: { unschedulable: true } });
    expect(place(state, demand("web", even()))).toBe(
      "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match pod topology spread constraints.",
    );
  });
});
