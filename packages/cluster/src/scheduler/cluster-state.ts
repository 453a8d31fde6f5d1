import type { Node } from "@sluice/kubernetes";
import { NodeUsage, type SchedulableNode } from "./node-usage.ts";
import { amountsOf, isRepelling, type PodDemand } from "./pod-demand.ts";
import type { NamespaceLabels } from "./pod-topology.ts";

/** The nodes and what their pods take, as the scheduler knows and expects it. */
export class ClusterState {
  readonly #nodes = new Map<string, SchedulableNode>();
  readonly #usages = new Map<string, NodeUsage>();
  readonly #assigned = new Map<string, { readonly node: string; readonly demand: PodDemand }>();
  readonly #namespaces = new Map<string, Readonly<Record<string, string>>>();
  #sorted: readonly SchedulableNode[] | undefined;
  #shape = 0;

  /** The nodes, by name. */
  get nodes(): readonly SchedulableNode[] {
    this.#sorted ??= [...this.#nodes.values()].toSorted((a, b) => (a.node.metadata.name < b.node.metadata.name ? -1 : 1));
    return this.#sorted;
  }

  /** Changes with the nodes themselves, with the pods that keep others away, and with the labels of namespaces. */
  get shape(): number {
    return this.#shape;
  }

  /** The labels of the namespaces. */
  get namespaces(): NamespaceLabels {
    return this.#namespaces;
  }

  /** Puts the labels of a namespace, or forgets it. */
  setNamespace(name: string, labels: Readonly<Record<string, string>> | undefined): void {
    this.#shape++;
    if (labels === undefined) this.#namespaces.delete(name);
    else this.#namespaces.set(name, labels);
  }

  /** Puts a node as it is now, or removes it; what is known of its pods stays. */
  setNode(name: string, node: Node | undefined): void {
    this.#shape++;
    this.#sorted = undefined;
    if (node === undefined) this.#nodes.delete(name);
    else this.#nodes.set(name, { node, allocatable: amountsOf(node.status?.allocatable), usage: this.#usage(name) });
  }

  /** A node, if it is there. */
  node(name: string): SchedulableNode | undefined {
    return this.#nodes.get(name);
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
    if (isRepelling(demand.spec)) this.#shape++;
  }

  /** Stops counting a pod; the name of the node where it was counted. */
  release(uid: string): string | undefined {
    const assigned = this.#assigned.get(uid);
    if (assigned === undefined) return undefined;
    this.#assigned.delete(uid);
    const usage = this.#usage(assigned.node);
    usage.remove(assigned.demand);
    if (isRepelling(assigned.demand.spec)) this.#shape++;
    if (usage.pods.size === 0 && !this.#nodes.has(assigned.node)) this.#usages.delete(assigned.node);
    return assigned.node;
  }

  #usage(node: string): NodeUsage {
    let usage = this.#usages.get(node);
    if (usage === undefined) this.#usages.set(node, (usage = new NodeUsage()));
    return usage;
  }
}
