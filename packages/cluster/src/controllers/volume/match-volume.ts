import {
  compareQuantities,
  labelSelectorFrom,
  parseQuantity,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from "@sluice/kubernetes";
import { matchesNode } from "../../scheduler/node-affinity.ts";

/** Annotation that named the class before there was a field. */
const OLD_CLASS = "volume.beta.kubernetes.io/storage-class";

/** The class that a claim or a volume names; undefined if it names none. */
export function classOf({ metadata, spec }: PersistentVolume | PersistentVolumeClaim): string | undefined {
  return metadata.annotations?.[OLD_CLASS] ?? spec.storageClassName;
}

/** How much a claim asks for. */
export function requestOf({ spec }: PersistentVolumeClaim): string {
  return spec.resources?.requests?.["storage"] ?? "0";
}

/** Whether a volume is meant for that claim, by its uid or, by whoever made the volume, by name alone. */
export function isReservedFor({ spec: { claimRef } }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  if (claimRef === undefined || claimRef.namespace !== metadata.namespace || claimRef.name !== metadata.name) return false;
  return (claimRef.uid ?? "") === "" || claimRef.uid === metadata.uid;
}

/** Why a volume that a claim names cannot be its own, in Kubernetes' words. */
export function misfit(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (volume.metadata.deletionTimestamp !== undefined) return `the volume is marked for deletion ${JSON.stringify(volume.metadata.name)}`;
  if (!isLargeEnough(volume, claim)) return "requested PV is too small";
  if ((classOf(volume) ?? "") !== (classOf(claim) ?? "")) return "storageClassName does not match";
  if (!hasSameMode(volume, claim)) return "incompatible volumeMode";
  return allows(volume, claim) ? undefined : "incompatible accessMode";
}

/**
 * The volume for a claim that names none: one that is reserved for it, or the smallest that will do. A claim that waits
 * for its first pod takes only what that pod's node can reach.
 */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  { node, isDelayed }: { readonly node: Node | undefined; readonly isDelayed: boolean },
): PersistentVolume | undefined {
  const fitting = volumes.filter(
    (volume) => volume.metadata.deletionTimestamp === undefined && isLargeEnough(volume, claim) && hasSameMode(volume, claim),
  );
  const reserved = fitting.find((volume) => isReservedFor(volume, claim));
  if (reserved !== undefined || (isDelayed && node === undefined)) return reserved;
  const selector = claim.spec.selector === undefined ? undefined : labelSelectorFrom(claim.spec.selector);
  return fitting
    .filter((volume) => volume.spec.claimRef === undefined && volume.status?.phase === "Available")
    .filter((volume) => (classOf(volume) ?? "") === (classOf(claim) ?? "") && allows(volume, claim))
    .filter(({ metadata }) => selector?.matches(metadata.labels) ?? true)
    .filter((volume) => node === undefined || isReachable(volume, node))
    .toSorted(
      (a, b) => compareQuantities(parseQuantity(capacityOf(a)), parseQuantity(capacityOf(b))) || (a.metadata.name < b.metadata.name ? -1 : 1),
    )[0];
}

/** Whether a volume's size is at least what the claim asks for. */
export function isLargeEnough(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return compareQuantities(parseQuantity(capacityOf(volume)), parseQuantity(requestOf(claim))) >= 0;
}

function isReachable({ spec: { nodeAffinity } }: PersistentVolume, node: Node): boolean {
  const required = nodeAffinity?.required;
  if (required === undefined) return true;
  return matchesNode({ containers: [], affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } } }, node);
}

function capacityOf({ spec }: PersistentVolume): string {
  return spec.capacity?.["storage"] ?? "0";
}

function hasSameMode(
  { spec: { volumeMode: ours = "Filesystem" } }: PersistentVolume,
  { spec: { volumeMode = "Filesystem" } }: PersistentVolumeClaim,
): boolean {
  return ours === volumeMode;
}

function allows({ spec: { accessModes: offered = [] } }: PersistentVolume, { spec: { accessModes = [] } }: PersistentVolumeClaim): boolean {
  return accessModes.every((mode) => offered.includes(mode));
}
