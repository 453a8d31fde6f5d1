import { matchesNode } from "./node-affinity.ts";
import type { SchedulableNode } from "./node-usage.ts";
import type { PodDemand } from "./pod-demand.ts";
import { tolerates, untolerated } from "./taints.ts";

/** Why a node does not take a pod, in Kubernetes' words. */
export interface Refusal {
  readonly reasons: readonly string[];
  /** Whether it would not, either, if all pods left it. */
  readonly isFinal: boolean;
}

/** One more thing that a node must satisfy; undefined if it does. */
export type NodeRule = (candidate: SchedulableNode) => Refusal | undefined;

const CORDON = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" } as const;
const CORDONED = final("node(s) were unschedulable");
const TAINTED = final("node(s) had untolerated taint(s)");
const ELSEWHERE = final("node(s) didn't match Pod's node affinity/selector");
const PORTS: Refusal = { reasons: ["node(s) didn't have free ports for the requested pod ports"], isFinal: false };

/** A refusal that no pod's leaving changes. */
export function final(reason: string): Refusal {
  return { reasons: [reason], isFinal: true };
}

/** What the first objection against a node finds; undefined if it takes the pod. */
export function refusalOf(demand: PodDemand, candidate: SchedulableNode, rules: readonly NodeRule[]): Refusal | undefined {
  const { spec, hostPorts } = demand;
  const { node, usage } = candidate;
  if (node.spec?.unschedulable === true && !(spec.tolerations ?? []).some((one) => tolerates(one, CORDON))) return CORDONED;
  const { taints } = node.spec ?? {};
  if (taints !== undefined && untolerated(taints, spec.tolerations ?? [], ["NoSchedule", "NoExecute"]) !== undefined) return TAINTED;
  if (!matchesNode(spec, node)) return ELSEWHERE;
  if (hostPorts.length > 0 && usage.conflicts(hostPorts)) return PORTS;
  if (!hasRoom(demand, candidate)) return lack(demand, candidate);
  for (const rule of rules) {
    const refused = rule(candidate);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

function hasRoom({ requests }: PodDemand, { allocatable, usage }: SchedulableNode): boolean {
  if (usage.pods.size >= (allocatable.get("pods") ?? 0)) return false;
  for (const [name, amount] of requests) if (amount > 0 && usage.requested(name) + amount > (allocatable.get(name) ?? 0)) return false;
  return true;
}

function lack({ requests }: PodDemand, { allocatable, usage }: SchedulableNode): Refusal {
  const reasons = usage.pods.size >= (allocatable.get("pods") ?? 0) ? ["Too many pods"] : [];
  let isFinal = false;
  for (const [name, amount] of requests) {
    const all = allocatable.get(name) ?? 0;
    if (amount <= 0 || usage.requested(name) + amount <= all) continue;
    reasons.push(`Insufficient ${name}`);
    isFinal ||= amount > all;
  }
  return { reasons, isFinal };
}
