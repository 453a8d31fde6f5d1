import type { Node } from "@sluice/kubernetes";
import { NodeUsage, type SchedulableNode } from "./node-usage.ts";
import { amountsOf, type Amounts, type PodDemand } from "./pod-demand.ts";
import type { NamespaceLabels } from "./pod-topology.ts";

/** The nodes and what their pods take, as the scheduler knows and expects it. */
export class ClusterState {
  readonly #nodes = new Map<string, { readonly node: Node; readonly allocatable: Amounts }>();
  readonly #usages = new Map<string, NodeUsage>();
  readonly #assigned = new Map<string, { readonly node: string; readonly demand: PodDemand }>();
  readonly #namespaces = new Map<string, Readonly<Record<string, string>>>();
  #schedulable: readonly SchedulableNode[] | undefined;

  /** The nodes, by name. */
  get nodes(): readonly SchedulableNode[] {
    this.#schedulable ??= [...this.#nodes.values()]
      .toSorted((a, b) => (a.node.metadata.name < b.node.metadata.name ? -1 : 1))
      .map(({ node, allocatable }) => ({ node, allocatable, usage: this.#usage(node.metadata.name) }));
    return this.#schedulable;
  }

  /** The labels of the namespaces. */
  get namespaces(): NamespaceLabels {
    return this.#namespaces;
  }

  /** Puts the labels of a namespace, or forgets it. */
  setNamespace(name: string, labels: Readonly<Record<string, string>> | undefined): void {
    if (labels === undefined) this.#namespaces.delete(name);
    else this.#namespaces.set(name, labels);
  }

  /** Puts a node as it is now, or removes it; what is known of its pods stays. */
  setNode(name: string, node: Node | undefined): void {
    this.#schedulable = undefined;
    if (node === undefined) this.#nodes.delete(name);
    else this.#nodes.set(name, { node, allocatable: amountsOf(node.status?.allocatable) });
  }

  /** Whether a pod is counted on some node. */
  isAssigned(uid: string): boolean {
    return this.#assigned.has(uid);
  }

  /** Counts a pod on a node, and nowhere else. */
  assign(uid: string, node: string, demand: PodDemand): void {
    this.release(uid);
    this.#assigned.set(uid, { node, demand });
    this.#usage(node).add(demand);
  }

  /** Stops counting a pod; whether it was counted. */
  release(uid: string): boolean {
    const assigned = this.#assigned.get(uid);
    if (assigned === undefined) return false;
    this.#assigned.delete(uid);
    const usage = this.#usage(assigned.node);
    usage.remove(assigned.demand);
    if (usage.pods.size === 0 && !this.#nodes.has(assigned.node)) this.#usages.delete(assigned.node);
    return true;
  }

  #usage(node: string): NodeUsage {
    let usage = this.#usages.get(node);
    if (usage === undefined) this.#usages.set(node, (usage = new NodeUsage()));
    return usage;
  }
}
