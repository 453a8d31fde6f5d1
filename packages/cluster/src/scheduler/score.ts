import type { Node } from "@sluice/kubernetes";
import { nodePreference } from "./node-affinity.ts";
import type { SchedulableNode } from "./node-usage.ts";
import type { PodDemand } from "./pod-demand.ts";
import { tolerates } from "./taints.ts";

/** How well a node suits a pod, whatever the others are like: first by soft taints, then by preference, then by what stays free. */
export function scoreOf(demand: PodDemand, candidate: SchedulableNode): number {
  return 3 / (1 + aversion(demand, candidate.node)) + 2 * preference(demand, candidate.node) + freeShare(demand, candidate);
}

/** The share of the pod's preferences that the node satisfies, from 0 to 1. */
function preference({ spec }: PodDemand, node: Node): number {
  const preferred = spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  if (preferred.length === 0) return 0;
  return nodePreference(spec, node) / preferred.reduce((sum, { weight }) => sum + weight, 0);
}

/** How many of the node's taints would rather keep the pod away. */
function aversion({ spec }: PodDemand, node: Node): number {
  const soft = node.spec?.taints?.filter(({ effect }) => effect === "PreferNoSchedule") ?? [];
  return soft.filter((taint) => !(spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint))).length;
}

/** The share of processor and memory that would stay free, from 0 to 1. */
function freeShare(demand: PodDemand, candidate: SchedulableNode): number {
  return (freeOf("cpu", demand, candidate) + freeOf("memory", demand, candidate)) / 2;
}

function freeOf(name: string, { requests }: PodDemand, { allocatable, usage }: SchedulableNode): number {
  const total = allocatable.get(name) ?? 0;
  return total === 0 ? 0 : Math.max(0, 1 - (usage.requested(name) + (requests.get(name) ?? 0)) / total);
}
