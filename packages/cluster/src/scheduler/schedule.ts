import type { Node } from "@sluice/kubernetes";
import { matchesNode, nodePreference } from "./node-affinity.ts";
import type { SchedulableNode } from "./node-usage.ts";
import type { PodDemand } from "./pod-demand.ts";
import { podPreference, topologyRules, type NamespaceLabels, type TopologyRule } from "./pod-topology.ts";
import { tolerates, untolerated } from "./taints.ts";

/** Where a pod goes, or how many nodes refused it for which reason. */
export type Placement = { readonly node: string } | { readonly reasons: ReadonlyMap<string, number> };

/** Finds the node for a pod: of those that have room and that it may use, the one it prefers and that is least taken. */
export function schedule(demand: PodDemand, nodes: readonly SchedulableNode[], namespaces: NamespaceLabels): Placement {
  const reasons = new Map<string, number>();
  const rules = topologyRules(demand, nodes, namespaces);
  const feasible = nodes.filter((candidate) => {
    const refused = refusals(demand, candidate, rules);
    for (const reason of refused) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    return refused.length === 0;
  });
  const [first, ...others] = feasible;
  if (first === undefined) return { reasons };
  if (others.length === 0) return { node: first.node.metadata.name };
  return { node: best(demand, feasible, nodes, namespaces) };
}

/** Why a pod cannot be placed, in Kubernetes' words. */
export function describeReasons(reasons: ReadonlyMap<string, number>, nodeCount: number): string {
  if (nodeCount === 0) return "no nodes available to schedule pods";
  const counted = [...reasons].map(([reason, count]) => `${count} ${reason}`).toSorted();
  return `0/${nodeCount} nodes are available: ${counted.join(", ")}.`;
}

/** Why a node does not take a pod: what the first objection finds. */
function refusals({ spec, requests, hostPorts }: PodDemand, candidate: SchedulableNode, rules: readonly TopologyRule[]): string[] {
  const { node, allocatable, usage } = candidate;
  const tolerations = spec.tolerations ?? [];
  const cordon = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" } as const;
  if (node.spec?.unschedulable === true && !tolerations.some((one) => tolerates(one, cordon))) return ["node(s) were unschedulable"];
  const taint = untolerated(node.spec?.taints ?? [], tolerations, ["NoSchedule", "NoExecute"]);
  if (taint !== undefined) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`];
  if (!matchesNode(spec, node)) return ["node(s) didn't match Pod's node affinity/selector"];
  if (usage.conflicts(hostPorts)) return ["node(s) didn't have free ports for the requested pod ports"];
  const lacking = BigInt(usage.pods.size + 1) * 1_000_000_000n > (allocatable.get("pods") ?? 0n) ? ["Too many pods"] : [];
  for (const [name, amount] of requests) {
    if (amount > 0n && usage.requested(name) + amount > (allocatable.get(name) ?? 0n)) lacking.push(`Insufficient ${name}`);
  }
  if (lacking.length > 0) return lacking;
  for (const rule of rules) {
    const refused = rule(candidate);
    if (refused !== undefined) return [refused];
  }
  return [];
}

/** The name of the best of several feasible nodes; of equals the one with fewer pods, then the first. */
function best(demand: PodDemand, nodes: readonly SchedulableNode[], all: readonly SchedulableNode[], namespaces: NamespaceLabels): string {
  const company = shares(nodes.map((node) => podPreference(demand, node, all, namespaces)));
  const preferences = nodes.map(({ node }) => nodePreference(demand.spec, node));
  const aversions = nodes.map(({ node }) => aversion(demand, node));
  const most = Math.max(1, ...preferences);
  const worst = Math.max(1, ...aversions);
  let winner: { readonly name: string; readonly score: number; readonly pods: number } | undefined;
  for (const [i, candidate] of nodes.entries()) {
    const score = 3 * (1 - (aversions[i] ?? 0) / worst) + (2 * (preferences[i] ?? 0)) / most + 2 * (company[i] ?? 0) + freeShare(demand, candidate);
    const pods = candidate.usage.pods.size;
    if (winner === undefined || score > winner.score || (score === winner.score && pods < winner.pods))
      winner = { name: candidate.node.metadata.name, score, pods };
  }
  return winner?.name ?? "";
}

/** Values as shares of their range, from 0 to 1. */
function shares(values: readonly number[]): number[] {
  const least = Math.min(...values);
  const range = Math.max(...values) - least;
  return values.map((value) => (range === 0 ? 0 : (value - least) / range));
}

/** How many of the node's taints would rather keep the pod away. */
function aversion({ spec }: PodDemand, node: Node): number {
  const soft = (node.spec?.taints ?? []).filter(({ effect }) => effect === "PreferNoSchedule");
  return soft.filter((taint) => !(spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint))).length;
}

/** The share of processor and memory that would stay free, from 0 to 1. */
function freeShare({ requests }: PodDemand, { allocatable, usage }: SchedulableNode): number {
  const shares = ["cpu", "memory"].map((name) => {
    const total = allocatable.get(name) ?? 0n;
    return total === 0n ? 0 : Math.max(0, 1 - Number(usage.requested(name) + (requests.get(name) ?? 0n)) / Number(total));
  });
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}
