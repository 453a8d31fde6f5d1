import type { Pod } from "@sluice/kubernetes";
import { isSocial, type PodDemand } from "./pod-demand.ts";

/** Labels that number the pods of one owner, by which nobody keeps others away. */
const ORDINALS: ReadonlySet<string> = new Set([
  "batch.kubernetes.io/job-completion-index",
  "apps.kubernetes.io/pod-index",
  "statefulset.kubernetes.io/pod-name",
]);

/** A pod that waits for a node. */
export interface PendingPod {
  readonly uid: string;
  readonly pod: Pod;
  readonly demand: PodDemand;
}

/** Pods that ask for exactly the same: if one cannot be placed, none can. */
interface PodClass {
  readonly priority: number;
  /** Whether it matters to them where other pods are. */
  readonly isSocial: boolean;
  /** As they came. */
  readonly pods: Map<string, { readonly pending: PendingPod; readonly arrival: number }>;
  /** When it was last found unplaceable, and why; undefined if it was not. */
  failure: { readonly version: number; readonly message: string } | undefined;
  /** The pods that have not been told why they wait. */
  readonly untold: Set<string>;
}

/**
 * Pods in the order in which they are tried: by priority, then as they came. What was found unplaceable waits until
 * something changes, and then one pod is tried for all of its class.
 */
export class SchedulingQueue {
  readonly #classes = new Map<string, PodClass>();
  readonly #classOf = new Map<string, string>();
  #version = 0;
  #arrivals = 0;

  /** Adds a pod, or takes note of its change; its place is kept if it still asks for the same. */
  add(pending: PendingPod): void {
    const signature = signatureOf(pending.demand);
    if (this.#classOf.get(pending.uid) !== signature) this.remove(pending.uid);
    let own = this.#classes.get(signature);
    if (own === undefined) {
      const { spec } = pending.demand;
      own = { priority: spec.priority ?? 0, isSocial: isSocial(spec), pods: new Map(), failure: undefined, untold: new Set() };
      this.#classes.set(signature, own);
    }
    const known = own.pods.get(pending.uid);
    if (known === undefined) own.untold.add(pending.uid);
    own.pods.set(pending.uid, { pending, arrival: known?.arrival ?? this.#arrivals++ });
    this.#classOf.set(pending.uid, signature);
  }

  /** Forgets a pod. */
  remove(uid: string): void {
    const signature = this.#classOf.get(uid);
    if (signature === undefined) return;
    this.#classOf.delete(uid);
    const own = this.#classes.get(signature);
    own?.pods.delete(uid);
    own?.untold.delete(uid);
    if (own?.pods.size === 0) this.#classes.delete(signature);
  }

  /** The pod, if it still waits. */
  get(uid: string): PendingPod | undefined {
    return this.#classes.get(this.#classOf.get(uid) ?? "")?.pods.get(uid)?.pending;
  }

  /** The pod to try next, which stays in the queue; undefined while nothing can have changed for any. */
  next(): PendingPod | undefined {
    let best: { readonly priority: number; readonly arrival: number; readonly pending: PendingPod } | undefined;
    for (const { priority, pods, failure } of this.#classes.values()) {
      const [first] = pods.values();
      if (first === undefined || failure?.version === this.#version) continue;
      if (best === undefined || priority > best.priority || (priority === best.priority && first.arrival < best.arrival))
        best = { priority, ...first };
    }
    return best?.pending;
  }

  /** Something has changed for the better: everything may be tried again. */
  wake(): void {
    this.#version++;
  }

  /** A pod has found its place: those may be tried again to which that matters. */
  wakeSocial(): void {
    for (const one of this.#classes.values()) if (one.isSocial && one.failure !== undefined) one.failure = { ...one.failure, version: -1 };
  }

  /** Notes that a pod, and with it its class, cannot be placed now. */
  fail({ uid }: PendingPod, message: string): void {
    const own = this.#classes.get(this.#classOf.get(uid) ?? "");
    if (own === undefined) return;
    if (own.failure !== undefined && own.failure.message !== message) own.untold.add(uid);
    own.failure = { version: this.#version, message };
  }

  /** Takes the pods that have to be told why they wait. */
  takeUntold(): { readonly uid: string; readonly message: string }[] {
    const told: { readonly uid: string; readonly message: string }[] = [];
    for (const { failure, untold } of this.#classes.values()) {
      if (failure?.version !== this.#version) continue;
      for (const uid of untold) told.push({ uid, message: failure.message });
      untold.clear();
    }
    return told;
  }
}

function signatureOf({ spec, requests, hostPorts, namespace, labels }: PodDemand): string {
  const { nodeSelector, affinity, tolerations, topologySpreadConstraints, priority } = spec;
  const amounts = [...requests].map(([name, amount]) => `${name}=${amount}`);
  // Where a pod may go can depend on who it is: on whom it looks for, and on who keeps it away.
  const identity = Object.entries(labels).filter(([key]) => isSocial(spec) || !ORDINALS.has(key));
  return JSON.stringify([priority, amounts, hostPorts, nodeSelector, affinity, tolerations, topologySpreadConstraints, namespace, identity]);
}
