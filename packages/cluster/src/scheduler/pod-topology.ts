import { labelSelectorFrom, type LabelSelectorSpec, type Node, type PodAffinityTerm, type TopologySpreadConstraint } from "@sluice/kubernetes";
import { matchesNode } from "./node-affinity.ts";
import type { SchedulableNode } from "./node-usage.ts";
import type { PodDemand } from "./pod-demand.ts";
import { final, type NodeRule, type Refusal } from "./refusal.ts";
import { untolerated } from "./taints.ts";

/** The labels of every namespace. */
export type NamespaceLabels = ReadonlyMap<string, Readonly<Record<string, string>>>;

const APART = transient("node(s) didn't match pod anti-affinity rules");
const TOGETHER = final("node(s) didn't match pod affinity rules");
const CLOSED = transient("node(s) didn't satisfy existing pods anti-affinity rules");
const UNEVEN = transient("node(s) didn't match pod topology spread constraints");
const UNLABELLED = final("node(s) didn't match pod topology spread constraints (missing required label)");

/**
 * What affinity to other pods, theirs to this one, and even spreading demand. Only pods that ask for such look at the
 * other pods; for all others this costs nothing, unless somebody keeps them away.
 */
export function topologyRules(demand: PodDemand, nodes: readonly SchedulableNode[], namespaces: NamespaceLabels): readonly NodeRule[] {
  const { affinity, topologySpreadConstraints = [] } = demand.spec;
  const attract = affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const repel = affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  return [
    ...topologySpreadConstraints
      .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === "DoNotSchedule")
      .map((constraint) => spreadRule(constraint, demand, nodes)),
    ...(attract.length === 0 ? [] : [attractionRule(attract, demand, nodes, namespaces)]),
    ...repel.map((term): NodeRule => {
      const counts = countByDomain(nodes, term.topologyKey, matcherOf(term, demand, namespaces));
      return ({ node }) => ((counts.get(domainOf(node, term.topologyKey) ?? "") ?? 0) > 0 ? APART : undefined);
    }),
    ...existingRules(demand, nodes, namespaces),
  ];
}

/** How much a pod would rather, or rather not, be near those on each of the candidates; unevenness that it bears counts against them. */
export function podPreferences(
  demand: PodDemand,
  candidates: readonly SchedulableNode[],
  nodes: readonly SchedulableNode[],
  namespaces: NamespaceLabels,
): number[] {
  const { affinity, topologySpreadConstraints = [] } = demand.spec;
  const totals = candidates.map(() => 0);
  const weigh = (topologyKey: string, weight: number, matches: Matcher): void => {
    const counts = countByDomain(nodes, topologyKey, matches);
    for (const [i, { node }] of candidates.entries()) totals[i] = (totals[i] ?? 0) + weight * (counts.get(domainOf(node, topologyKey) ?? "") ?? 0);
  };
  for (const { weight, podAffinityTerm: term } of affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    weigh(term.topologyKey, weight, matcherOf(term, demand, namespaces));
  for (const { weight, podAffinityTerm: term } of affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    weigh(term.topologyKey, -weight, matcherOf(term, demand, namespaces));
  for (const { topologyKey, whenUnsatisfiable, labelSelector, matchLabelKeys } of topologySpreadConstraints)
    if (whenUnsatisfiable === "ScheduleAnyway") weigh(topologyKey, -1, peersOf(demand, labelSelector, matchLabelKeys));
  return totals;
}

type Matcher = (pod: PodDemand) => boolean;

/** Every term must find a pod in the node's domain; the first of a group that is to stay together has nobody to find. */
function attractionRule(
  terms: readonly PodAffinityTerm[],
  demand: PodDemand,
  nodes: readonly SchedulableNode[],
  namespaces: NamespaceLabels,
): NodeRule {
  const all = terms.map((term) => ({ key: term.topologyKey, matches: matcherOf(term, demand, namespaces) }));
  const counted = all.map(({ key, matches }) => ({ key, counts: countByDomain(nodes, key, matches) }));
  const isFirst = counted.every(({ counts }) => counts.size === 0) && all.every(({ matches }) => matches(demand));
  return ({ node }) => {
    const isMatch = counted.every(({ key, counts }) => {
      const domain = domainOf(node, key);
      return domain !== undefined && (isFirst || (counts.get(domain) ?? 0) > 0);
    });
    return isMatch ? undefined : TOGETHER;
  };
}

/** Domains that pods which are there keep to themselves. */
function existingRules(demand: PodDemand, nodes: readonly SchedulableNode[], namespaces: NamespaceLabels): NodeRule[] {
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
  return [({ node }) => (isClosed(node) ? CLOSED : undefined)];
}

function spreadRule(constraint: TopologySpreadConstraint, demand: PodDemand, nodes: readonly SchedulableNode[]): NodeRule {
  const { maxSkew, topologyKey, labelSelector, minDomains = 1, matchLabelKeys, nodeAffinityPolicy, nodeTaintsPolicy } = constraint;
  const matches = peersOf(demand, labelSelector, matchLabelKeys);
  const isWelcome = ({ spec }: Node): boolean =>
    untolerated(spec?.taints ?? [], demand.spec.tolerations ?? [], ["NoSchedule", "NoExecute"]) === undefined;
  const eligible = nodes.filter(
    ({ node }) =>
      domainOf(node, topologyKey) !== undefined &&
      (nodeAffinityPolicy === "Ignore" || matchesNode(demand.spec, node)) &&
      (nodeTaintsPolicy !== "Honor" || isWelcome(node)),
  );
  const counts = countByDomain(eligible, topologyKey, matches);
  const domains = new Set(eligible.map(({ node }) => domainOf(node, topologyKey) ?? ""));
  const least = domains.size < minDomains ? 0 : [...domains].reduce((fewest, domain) => Math.min(fewest, counts.get(domain) ?? 0), Infinity);
  const itself = matches(demand) ? 1 : 0;
  return ({ node }) => {
    const domain = domainOf(node, topologyKey);
    if (domain === undefined) return UNLABELLED;
    return (counts.get(domain) ?? 0) + itself - least > maxSkew ? UNEVEN : undefined;
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
  const isAlike = labelMatcher(labelSelector, matchLabelKeys, owner);
  return (pod) => isNear(pod.namespace) && isAlike(pod);
}

/** The pods of the same namespace that a constraint on spreading counts. */
function peersOf(owner: PodDemand, selector: LabelSelectorSpec | undefined, keys: readonly string[] | undefined): Matcher {
  const isAlike = labelMatcher(selector, keys, owner);
  return (pod) => pod.namespace === owner.namespace && isAlike(pod);
}

function labelMatcher(spec: LabelSelectorSpec | undefined, keys: readonly string[] = [], owner: PodDemand): Matcher {
  if (spec === undefined) return () => false;
  const selector = labelSelectorFrom(spec);
  return (pod) => selector.matches(pod.labels) && keys.every((key) => owner.labels[key] === undefined || owner.labels[key] === pod.labels[key]);
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

/** A refusal that ends when others leave. */
function transient(reason: string): Refusal {
  return { reasons: [reason], isFinal: false };
}
