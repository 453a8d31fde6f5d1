import type { Node } from "@sluice/kubernetes";
import { isRepelling, type Amounts, type HostPort, type PodDemand } from "./pod-demand.ts";

/** A node with what it offers. */
export interface SchedulableNode {
  readonly node: Node;
  readonly allocatable: Amounts;
  readonly usage: NodeUsage;
}

/** What the pods of a node take, kept up to date pod by pod. */
export class NodeUsage {
  readonly #requested = new Map<string, number>();
  readonly #ports = new Map<string, string[]>();
  readonly #pods = new Set<PodDemand>();
  readonly #repelling = new Set<PodDemand>();
  #version = 0;

  /** Changes with every pod. */
  get version(): number {
    return this.#version;
  }

  /** The pods on the node. */
  get pods(): ReadonlySet<PodDemand> {
    return this.#pods;
  }

  /** Those of them that keep others away. */
  get repelling(): ReadonlySet<PodDemand> {
    return this.#repelling;
  }

  /** How much of a resource is taken. */
  requested(resource: string): number {
    return this.#requested.get(resource) ?? 0;
  }

  /** Whether one of the ports is taken. */
  conflicts(ports: readonly HostPort[]): boolean {
    return ports.some(({ port, ip }) => this.#ports.get(port)?.some((taken) => taken === ip || taken === "0.0.0.0" || ip === "0.0.0.0") === true);
  }

  /** Counts a pod in. */
  add(demand: PodDemand): void {
    this.#version++;
    this.#pods.add(demand);
    if (isRepelling(demand.spec)) this.#repelling.add(demand);
    for (const [name, amount] of demand.requests) this.#requested.set(name, this.requested(name) + amount);
    for (const { port, ip } of demand.hostPorts) this.#ports.set(port, [...(this.#ports.get(port) ?? []), ip]);
  }

  /** Counts out a pod that was counted in. */
  remove(demand: PodDemand): void {
    if (!this.#pods.delete(demand)) return;
    this.#version++;
    this.#repelling.delete(demand);
    for (const [name, amount] of demand.requests) this.#requested.set(name, this.requested(name) - amount);
    for (const { port, ip } of demand.hostPorts) {
      const ips = this.#ports.get(port) ?? [];
      const index = ips.indexOf(ip);
      this.#ports.set(port, ips.toSpliced(index, index < 0 ? 0 : 1));
    }
  }
}
