import type { EventContent } from "@sluice/controller";
import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeStatus } from "@sluice/kubernetes";
import { PROVISIONED_BY } from "../../volume/storage-class.ts";

/** What to do about a volume. */
export interface VolumePlan {
  /** Its state; as it is, where absent. */
  readonly status?: Pick<PersistentVolumeStatus, "phase" | "message">;
  readonly event?: EventContent;
  /** The claim that it was kept for has another one: it is free again. */
  readonly isFreed?: boolean;
}

/** Decides in which state a volume is, given the claim that it refers to if that is still there. */
export function planVolume(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumePlan {
  const { claimRef } = volume.spec;
  if ((claimRef?.uid ?? "") === "") return { status: { phase: "Available" } };
  if (claim !== undefined && claim.metadata.uid === claimRef?.uid) {
    if ((claim.spec.volumeName ?? "") === "") return {};
    if (claim.spec.volumeName === volume.metadata.name) return { status: { phase: "Bound" } };
    // What was made for the claim has no other use.
    return isMade(volume) ? release(volume) : { isFreed: true };
  }
  return release(volume);
}

/** What becomes of a volume whose claim is gone. Whoever made it takes it away; of others only people know what they are worth. */
function release(volume: PersistentVolume): VolumePlan {
  const { persistentVolumeReclaimPolicy: policy = "Retain" } = volume.spec;
  const isReleased = volume.status?.phase === "Released" || volume.status?.phase === "Failed";
  if (policy === "Retain" || isMade(volume) || volume.metadata.deletionTimestamp !== undefined)
    return isReleased ? {} : { status: { phase: "Released" } };
  if (volume.status?.phase === "Failed") return {};
  const reason = policy === "Recycle" ? "VolumeFailedRecycle" : "VolumeFailedDelete";
  const message =
    policy === "Recycle"
      ? "No recycler plugin found for the volume!"
      : `error getting deleter volume plugin for volume ${JSON.stringify(volume.metadata.name)}: no deletable volume plugin matched`;
  return { status: { phase: "Failed", message }, event: { type: "Warning", reason, message } };
}

function isMade({ metadata }: PersistentVolume): boolean {
  return metadata.annotations?.[PROVISIONED_BY] !== undefined;
}
