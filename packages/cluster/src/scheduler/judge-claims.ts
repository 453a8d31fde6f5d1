import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from "@sluice/kubernetes";
import { matchesAny } from "./node-affinity.ts";
import type { PodDemand } from "./pod-demand.ts";
import { final, type NodeRule } from "./refusal.ts";

/** Where the scheduler reads what it knows of volumes. */
export interface VolumeLookup {
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  storageClass(name: string): StorageClass | undefined;
  /** The node that was chosen for a claim which is not bound yet. */
  selectedNode(claim: PersistentVolumeClaim): string | undefined;
}

/** What the claims of a pod mean for where it may go. */
export type ClaimVerdict =
  | { readonly blocked: string }
  | {
      readonly rules: readonly NodeRule[];
      /** The claims that are bound once a node is chosen. */
      readonly delayed: readonly PersistentVolumeClaim[];
    };

/** By which a claim that waits for its first consumer learns where that is. */
export const SELECTED_NODE = "volume.kubernetes.io/selected-node";

const ELSEWHERE = final("node(s) didn't find available persistent volumes to bind");
const UNREACHABLE = final("node(s) didn't match PersistentVolume's node affinity");
const GONE = final("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");

/** Judges the claims of a pod. One of an ephemeral volume may be missing yet: it is made for the pod, wherever that goes. */
export function judgeClaims({ namespace, claims, spec }: PodDemand, lookup: VolumeLookup): ClaimVerdict {
  const named = new Set((spec.volumes ?? []).map(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName));
  const rules: NodeRule[] = [];
  const delayed: PersistentVolumeClaim[] = [];
  let isUnbound = false;
  for (const name of claims) {
    const claim = lookup.claim(namespace, name);
    if (claim === undefined) {
      if (named.has(name)) return { blocked: `persistentvolumeclaim ${JSON.stringify(name)} not found` };
      continue;
    }
    const { volumeName = "" } = claim.spec ?? {};
    if (claim.status?.phase === "Lost")
      return { blocked: `persistentvolumeclaim ${JSON.stringify(name)} bound to non-existent persistentvolume ${JSON.stringify(volumeName)}` };
    if (claim.metadata.deletionTimestamp !== undefined) return { blocked: `persistentvolumeclaim ${JSON.stringify(name)} is being deleted` };
    if (claim.status?.phase === "Bound") rules.push(...placeOf(volumeName, lookup));
    else if (bindsLate(claim, lookup)) {
      delayed.push(claim);
      const selected = lookup.selectedNode(claim);
      if (selected !== undefined) rules.push(({ node }) => (node.metadata.name === selected ? undefined : ELSEWHERE));
    } else isUnbound = true;
  }
  return isUnbound ? { blocked: "pod has unbound immediate PersistentVolumeClaims" } : { rules, delayed };
}

/** Whether a claim waits for its first consumer. One to which admission has given no class is bound by the node that uses it first. */
function bindsLate({ spec }: PersistentVolumeClaim, lookup: VolumeLookup): boolean {
  const { storageClassName } = spec ?? {};
  return storageClassName === undefined || lookup.storageClass(storageClassName)?.volumeBindingMode === "WaitForFirstConsumer";
}

/** A claim may be bound to nothing but a directory of the node that used it first; then it has no volume. */
function placeOf(name: string, lookup: VolumeLookup): readonly NodeRule[] {
  if (name === "") return [];
  const volume = lookup.volume(name);
  if (volume === undefined) return [() => GONE];
  const terms = volume.spec?.nodeAffinity?.required?.nodeSelectorTerms;
  return terms === undefined ? [] : [({ node }) => (matchesAny(terms, node) ? undefined : UNREACHABLE)];
}
