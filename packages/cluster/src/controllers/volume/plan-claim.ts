import type { EventContent } from "@sluice/controller";
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from "@sluice/kubernetes";
import { DIRECTORY_PROVISIONER, defaultStorageClass } from "../../volume/storage-class.ts";
import { classOf, findVolume, isReservedFor, misfit } from "./match-volume.ts";
import { isBoundWithoutVolume, keepsVolumes, whyNotProvisioned } from "./provision.ts";

/** Annotation of a claim: its volume was found for it, and that is settled. */
export const BIND_COMPLETED = "pv.kubernetes.io/bind-completed";
/** Annotation of a claim: the scheduler has chosen that node for the first pod that uses it. */
const SELECTED_NODE = "volume.kubernetes.io/selected-node";
const NO_PROVISIONER = "kubernetes.io/no-provisioner";

/** What a claim's fate depends on. */
export interface ClaimView {
  readonly claim: PersistentVolumeClaim;
  readonly volumes: readonly PersistentVolume[];
  readonly classes: readonly StorageClass[];
  readonly nodes: readonly Node[];
  /** The pods that use it and have not ended. */
  readonly users: readonly Pod[];
}

/** The next step on a claim's way to its volume. */
export type ClaimStep =
  | { readonly do: "bind"; readonly volume: PersistentVolume }
  | { readonly do: "provision"; readonly storageClass: StorageClass; readonly node: Node }
  /** Somebody else makes its volume. */
  | { readonly do: "delegate"; readonly provisioner: string }
  /** It gets the default class, which is younger than the claim. */
  | { readonly do: "classify"; readonly storageClass: string }
  | { readonly do: "wait"; readonly event?: EventContent }
  | { readonly do: "lose"; readonly event: EventContent };

/** Decides a claim's next step. */
export function planClaim(view: ClaimView): ClaimStep {
  const { claim } = view;
  if (claim.metadata.annotations?.[BIND_COMPLETED] !== undefined) return planBound(view);
  return (claim.spec.volumeName ?? "") === "" ? planUnbound(view) : planNamed(view);
}

function planBound({ claim, volumes }: ClaimView): ClaimStep {
  const lose = (reason: string, message: string): ClaimStep => ({ do: "lose", event: { type: "Warning", reason, message } });
  if ((claim.spec.volumeName ?? "") === "")
    return lose("ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!");
  const volume = volumes.find(({ metadata }) => metadata.name === claim.spec.volumeName);
  if (volume === undefined) return lose("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
  const { claimRef } = volume.spec;
  if (claimRef === undefined || claimRef.uid === claim.metadata.uid) return { do: "bind", volume };
  return lose("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly");
}

/** A claim that names its volume takes that or none. */
function planNamed({ claim, volumes }: ClaimView): ClaimStep {
  const volume = volumes.find(({ metadata }) => metadata.name === claim.spec.volumeName);
  if (volume === undefined) return { do: "wait" };
  const name = JSON.stringify(volume.metadata.name);
  if (volume.spec.claimRef === undefined) {
    const why = misfit(volume, claim);
    return why === undefined ? { do: "bind", volume } : wait("Warning", "VolumeMismatch", `Cannot bind to requested volume ${name}: ${why}`);
  }
  return isReservedFor(volume, claim)
    ? { do: "bind", volume }
    : wait("Warning", "FailedBinding", `volume ${name} already bound to a different claim.`);
}

function planUnbound(view: ClaimView): ClaimStep {
  const { claim, volumes, classes } = view;
  const wanted = classOf(claim);
  const storageClass = classes.find(({ metadata }) => metadata.name === wanted);
  const isDelayed = storageClass?.volumeBindingMode === "WaitForFirstConsumer" && !isBoundWithoutVolume(claim);
  const node = nodeOf(view);
  const volume = findVolume(claim, volumes, { node, isDelayed });
  if (volume !== undefined) return { do: "bind", volume };
  if (wanted === undefined) {
    const byDefault = defaultStorageClass(classes)?.metadata.name;
    if (byDefault !== undefined) return { do: "classify", storageClass: byDefault };
  }
  if ((wanted ?? "") === "") return wait("Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set");
  if (storageClass === undefined) return wait("Warning", "ProvisioningFailed", `storageclass.storage.k8s.io ${JSON.stringify(wanted)} not found`);
  if (isDelayed && node === undefined) return waitForPod(view);
  if (storageClass.provisioner === NO_PROVISIONER) return { do: "wait" };
  if (storageClass.provisioner !== DIRECTORY_PROVISIONER) return { do: "delegate", provisioner: storageClass.provisioner };
  return planDirectory(view, storageClass, node);
}

function planDirectory({ claim, nodes }: ClaimView, storageClass: StorageClass, chosen: Node | undefined): ClaimStep {
  const fail = (why: string): ClaimStep =>
    wait("Warning", "ProvisioningFailed", `failed to provision volume with StorageClass ${JSON.stringify(storageClass.metadata.name)}: ${why}`);
  const refused = whyNotProvisioned(claim);
  if (refused !== undefined) return fail(refused);
  const node = chosen ?? nodes.find(keepsVolumes);
  if (node === undefined) return fail("there is no node that keeps volumes");
  return keepsVolumes(node) ? { do: "provision", storageClass, node } : fail(`node ${JSON.stringify(node.metadata.name)} keeps no volumes`);
}

/** The node that a claim's volume must be within reach of: where its pod is, or is to be. */
function nodeOf({ claim, users, nodes }: ClaimView): Node | undefined {
  const scheduled = users.map(({ spec }) => spec.nodeName ?? "").find((name) => name !== "");
  const name = scheduled ?? claim.metadata.annotations?.[SELECTED_NODE];
  return name === undefined ? undefined : nodes.find(({ metadata }) => metadata.name === name);
}

function waitForPod({ users }: ClaimView): ClaimStep {
  const [first, ...others] = users.map(({ metadata }) => metadata.name);
  if (first === undefined) return wait("Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding");
  const pods = others.length === 0 ? `pod ${first}` : `pods ${[first, ...others].join(",")}`;
  return wait("Normal", "WaitForPodScheduled", `waiting for ${pods} to be scheduled`);
}

function wait(type: EventContent["type"], reason: string, message: string): ClaimStep {
  return { do: "wait", event: { type, reason, message } };
}
