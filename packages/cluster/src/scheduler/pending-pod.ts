import type { KubernetesObject, Pod } from "@sluice/kubernetes";
import { demandOf, isSocial, type PodDemand } from "./pod-demand.ts";

/** Labels that number the pods of one owner or run, by which nobody keeps others away. */
const ORDINALS: ReadonlySet<string> = new Set([
  "batch.kubernetes.io/job-completion-index",
  "apps.kubernetes.io/pod-index",
  "statefulset.kubernetes.io/pod-name",
  "pipelines.sluice.dev/task-id",
  "pipelines.sluice.dev/attempt",
]);
/** As scheduler-plugins has it. */
const GROUP_LABEL = "scheduling.x-k8s.io/pod-group";

/** A pod that waits for a node. */
export interface PendingPod {
  readonly uid: string;
  readonly pod: Pod;
  readonly demand: PodDemand;
  /** The same for pods that ask for exactly the same. */
  readonly signature: string;
  /** The group without which it does not start, as `namespace/name`. */
  readonly group: string | undefined;
}

/** Reads what a waiting pod asks for. Throws if it asks for an amount that is none. */
export function pendingPod(pod: Pod): PendingPod {
  const demand = demandOf(pod);
  return { uid: pod.metadata.uid ?? "", pod, demand, signature: signatureOf(demand), group: groupOf(pod) };
}

/** The group of a pod, as `namespace/name`. */
export function groupOf({ metadata }: KubernetesObject): string | undefined {
  const name = metadata.labels?.[GROUP_LABEL] ?? "";
  return name === "" ? undefined : `${metadata.namespace ?? ""}/${name}`;
}

function signatureOf({ spec, requests, hostPorts, namespace, labels, claims }: PodDemand): string {
  const { nodeSelector, affinity, tolerations, topologySpreadConstraints, priority, preemptionPolicy } = spec;
  // Where a pod may go can depend on who it is: on whom it looks for, and on who keeps it away.
  const identity = Object.entries(labels).filter(([key]) => isSocial(spec) || !ORDINALS.has(key));
  return JSON.stringify([
    ...[priority, [...requests], hostPorts, nodeSelector, affinity, tolerations],
    ...[topologySpreadConstraints, namespace, identity, claims, preemptionPolicy],
  ]);
}
