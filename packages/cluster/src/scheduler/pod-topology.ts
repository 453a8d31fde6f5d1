import { labelSelectorFrom, type LabelSelectorSpec, type Node, type PodAffinityTerm, type TopologySpreadConstraint } from "@sluice/kubernetes";
import { matchesNode } from "./node-affinity.ts";
import type { SchedulableNode } from "./node-usage.ts";
import type { PodDemand } from "./pod-demand.ts";

/** The labels of every namespace. */
export type NamespaceLabels = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** Why a node is refused for the pods that are near it; undefined if it is not. */
export type TopologyRule = (candidate: SchedulableNode) => string | undefined;

/**
 * What affinity to other pods, theirs to this one, and even spreading demand. Only pods that ask for such look at the
 * other pods; for all others this costs nothing, unless somebody keeps them away.
 */
export function topologyRules(demand: PodDemand, nodes: readonly SchedulableNode[], namespaces: NamespaceLabels): readonly TopologyRule[] {
  const { affinity, topologySpreadConstraints = [] } = demand.spec;
  const attract = affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const repel = affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  return [
    ...topologySpreadConstraints
      .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === "DoNotSchedule")
      .map((constraint) => spreadRule(constraint, demand, nodes)),
    ...existingRules(demand, nodes, namespaces),
    ...(attract.length === 0 ? [] : [attractionRule(attract, demand, nodes, namespaces)]),
    ...repel.map((term): TopologyRule => {
      const counts = countByDomain(nodes, term.topologyKey, matcherOf(term, demand, namespaces));
      return ({ node }) =>
        (counts.get(domainOf(node, term.topologyKey) ?? "") ?? 0) > 0 ? "node(s) didn't match pod anti-affinity rules" : undefined;
    }),
  ];
}

/** How much a pod would rather, or rather not, be near those on the node. */
export function podPreference(demand: PodDemand, candidate: SchedulableNode, nodes: readonly SchedulableNode[], namespaces: NamespaceLabels): number {
  const { podAffinity, podAntiAffinity } = demand.spec.affinity ?? {};
  const weigh = (terms: readonly { readonly weight: number; readonly podAffinityTerm: PodAffinityTerm }[] = []): number =>
    terms.reduce((sum, { weight, podAffinityTerm: term }) => {
      const counts = countByDomain(nodes, term.topologyKey, matcherOf(term, demand, namespaces));
      return sum + weight * (counts.get(domainOf(candidate.node, term.topologyKey) ?? "") ?? 0);
    }, 0);
  return (
    weigh(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution) - weigh(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution)
  );
}

type Matcher = (pod: PodDemand) => boolean;

/** Every term must find a pod in the node's domain; the first of a group that is to stay together has nobody to find. */
function attractionRule(
  terms: readonly PodAffinityTerm[],
  demand: PodDemand,
  nodes: readonly SchedulableNode[],
  namespaces: NamespaceLabels,
): TopologyRule {
  const all = terms.map((term) => ({ key: term.topologyKey, matches: matcherOf(term, demand, namespaces) }));
  const counted = all.map(({ key, matches }) => ({ key, counts: countByDomain(nodes, key, matches) }));
  const isFirst = counted.every(({ counts }) => counts.size === 0) && all.every(({ matches }) => matches(demand));
  return ({ node }) => {
    const isMatch = counted.every(({ key, counts }) => {
      const domain = domainOf(node, key);
      return domain !== undefined && (isFirst || (counts.get(domain) ?? 0) > 0);
    });
    return isMatch ? undefined : "node(s) didn't match pod affinity rules";
  };
}

/** Domains that pods which are there keep to themselves. */
function existingRules(demand: PodDemand, nodes: readonly SchedulableNode[], namespaces: NamespaceLabels): TopologyRule[] {
  const closed = new Map<string, Set<string>>();
  for (const { node, usage } of nodes) {
    for (const other of usage.repelling) {
      for (const term of other.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
        const domain = domainOf(node, term.topologyKey);
        if (domain !== undefined && matcherOf(term, other, namespaces)(demand))
          closed.set(term.topologyKey, (closed.get(term.topologyKey) ?? new Set<string>()).add(domain));
      }
    }
  }
  if (closed.size === 0) return [];
  const isClosed = (node: Node): boolean => [...closed].some(([key, domains]) => domains.has(domainOf(node, key) ?? ""));
  return [({ node }) => (isClosed(node) ? "node(s) didn't satisfy existing pods anti-affinity rules" : undefined)];
}

function spreadRule(
  { maxSkew, topologyKey, labelSelector, minDomains = 1, matchLabelKeys }: TopologySpreadConstraint,
  demand: PodDemand,
  nodes: readonly SchedulableNode[],
): TopologyRule {
  const matches = (pod: PodDemand): boolean => pod.namespace === demand.namespace && matchesLabels(labelSelector, matchLabelKeys, demand, pod);
  const eligible = nodes.filter(({ node }) => domainOf(node, topologyKey) !== undefined && matchesNode(demand.spec, node));
  const counts = countByDomain(eligible, topologyKey, matches);
  const domains = new Set(eligible.map(({ node }) => domainOf(node, topologyKey) ?? ""));
  const least = domains.size < minDomains ? 0 : Math.min(...[...domains].map((domain) => counts.get(domain) ?? 0));
  const itself = matches(demand) ? 1 : 0;
  return ({ node }) => {
    const domain = domainOf(node, topologyKey);
    if (domain === undefined) return "node(s) didn't match pod topology spread constraints (missing required label)";
    return (counts.get(domain) ?? 0) + itself - least > maxSkew ? "node(s) didn't match pod topology spread constraints" : undefined;
  };
}

/** Which pods a term of `owner` speaks of. */
function matcherOf(
  { labelSelector, namespaces = [], namespaceSelector, matchLabelKeys }: PodAffinityTerm,
  owner: PodDemand,
  labels: NamespaceLabels,
): Matcher {
  const selector = namespaceSelector === undefined ? undefined : labelSelectorFrom(namespaceSelector);
  const isOwn = namespaces.length === 0 && selector === undefined;
  const isNear = (namespace: string): boolean =>
    isOwn ? namespace === owner.namespace : namespaces.includes(namespace) || selector?.matches(labels.get(namespace)) === true;
  return (pod) => isNear(pod.namespace) && matchesLabels(labelSelector, matchLabelKeys, owner, pod);
}

function matchesLabels(selector: LabelSelectorSpec | undefined, keys: readonly string[] = [], owner: PodDemand, pod: PodDemand): boolean {
  if (selector === undefined) return false;
  return (
    labelSelectorFrom(selector).matches(pod.labels) && keys.every((key) => owner.labels[key] === undefined || owner.labels[key] === pod.labels[key])
  );
}

function countByDomain(nodes: readonly SchedulableNode[], key: string, matches: Matcher): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { node, usage } of nodes) {
    const domain = domainOf(node, key);
    if (domain === undefined) continue;
    for (const pod of usage.pods) if (matches(pod)) counts.set(domain, (counts.get(domain) ?? 0) + 1);
  }
  return counts;
}

function domainOf({ metadata }: Node, key: string): string | undefined {
  return metadata.labels?.[key];
}
