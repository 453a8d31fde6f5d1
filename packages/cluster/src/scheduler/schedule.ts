import type { SchedulableNode } from "./node-usage.ts";
import type { PodDemand } from "./pod-demand.ts";
import { podPreferences, topologyRules, type NamespaceLabels } from "./pod-topology.ts";
import { refusalOf, type NodeRule } from "./refusal.ts";
import { scoreOf } from "./score.ts";

/** Where a pod goes, or why nowhere. */
export type Placement = { readonly node: string } | { readonly failure: Failure };

/** Why a pod cannot be placed: what keeps it from all nodes alike, or how many nodes refused it for which reason. */
export type Failure =
  | { readonly blocked: string }
  | {
      readonly reasons: ReadonlyMap<string, number>;
      /** On how many of the nodes it would help if others left. */
      readonly hopeful: number;
    };

/** How a placement is found. */
export interface ScheduleOptions {
  /** What nodes must satisfy besides what the pod's spec says. */
  readonly rules?: readonly NodeRule[];
  /** The node with which to begin. */
  readonly start?: number;
}

/** Finds the node for a pod: of those that have room and that it may use, the one it prefers and that is least taken. */
export function schedule(
  demand: PodDemand,
  nodes: readonly SchedulableNode[],
  namespaces: NamespaceLabels,
  options: ScheduleOptions = {},
): Placement {
  const rules = [...(options.rules ?? []), ...topologyRules(demand, nodes, namespaces)];
  const found = findFeasible(demand, nodes, { ...options, rules });
  if ("failure" in found) return found;
  const company = shares(podPreferences(demand, found.feasible, nodes, namespaces));
  const scores = found.feasible.map((candidate, i) => scoreOf(demand, candidate) + 2 * (company[i] ?? 0));
  const best = found.feasible[bestOf(scores, found.feasible)];
  if (best === undefined) throw new Error("there is a feasible node, but none is the best");
  return { node: best.node.metadata.name };
}

/** The nodes that take a pod, or enough of them to choose from; or why none does. */
export function findFeasible(
  demand: PodDemand,
  nodes: readonly SchedulableNode[],
  options: ScheduleOptions,
): { readonly feasible: SchedulableNode[] } | { readonly failure: Failure } {
  const { rules = [], start = 0 } = options;
  const feasible: SchedulableNode[] = [];
  const reasons = new Map<string, number>();
  let hopeful = 0;
  const enough = enoughOf(nodes.length);
  for (let i = 0; i < nodes.length && feasible.length < enough; i++) {
    const candidate = nodes[(start + i) % nodes.length];
    if (candidate === undefined) continue;
    const refusal = refusalOf(demand, candidate, rules);
    if (refusal === undefined) {
      feasible.push(candidate);
      continue;
    }
    if (!refusal.isFinal) hopeful++;
    for (const reason of refusal.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  return feasible.length > 0 ? { feasible } : { failure: { reasons, hopeful } };
}

/** The place of the highest score; of equal ones the node with fewer pods, then the first. */
export function bestOf(scores: readonly number[], nodes: readonly SchedulableNode[]): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) {
    const difference = (scores[i] ?? 0) - (scores[best] ?? 0);
    if (difference > 0 || (difference === 0 && (nodes[i]?.usage.pods.size ?? 0) < (nodes[best]?.usage.pods.size ?? 0))) best = i;
  }
  return best;
}

/** As upstream: all of up to 100 nodes, of more a share that falls from a half to a twentieth. */
function enoughOf(nodes: number): number {
  if (nodes < 100) return nodes;
  return Math.max(100, Math.floor((nodes * Math.max(5, 50 - Math.floor(nodes / 125))) / 100));
}

/** Why a pod cannot be placed, in Kubernetes' words; nobody is ever put out for it. */
export function describeFailure(failure: Failure, nodes: number, preemptionPolicy?: string): string {
  if (nodes === 0 && !("blocked" in failure)) return "no nodes available to schedule pods";
  const all = `0/${nodes} nodes are available:`;
  const cause = "blocked" in failure ? failure.blocked : counted(failure.reasons);
  if (preemptionPolicy === "Never") return `${all} ${cause}. preemption: not eligible due to preemptionPolicy=Never.`;
  const hopeful = "blocked" in failure ? 0 : failure.hopeful;
  const verdicts = new Map([
    ["No preemption victims found for incoming pod", hopeful],
    ["Preemption is not helpful for scheduling", nodes - hopeful],
  ]);
  return `${all} ${cause}. preemption: ${all} ${counted(verdicts)}.`;
}

function counted(reasons: ReadonlyMap<string, number>): string {
  return [...reasons]
    .flatMap(([reason, count]) => (count > 0 ? [`${count} ${reason}`] : []))
    .toSorted()
    .join(", ");
}

/** Values as shares of their range, from 0 to 1. */
function shares(values: readonly number[]): number[] {
  const least = values.reduce((a, b) => Math.min(a, b), Infinity);
  const range = values.reduce((a, b) => Math.max(a, b), -Infinity) - least;
  return values.map((value) => (range === 0 ? 0 : (value - least) / range));
}
