import type { ReconcileContext } from "@sluice/controller";
import { PersistentVolume, type PersistentVolumeStatus } from "@sluice/kubernetes";

/** Writes what state a volume is in, and since when, unless it is there already. */
export async function writePhase(
  volume: PersistentVolume,
  { phase, message }: Pick<PersistentVolumeStatus, "phase" | "message">,
  { client, clock }: ReconcileContext,
): Promise<void> {
  if (volume.status?.phase === phase && volume.status?.message === message) return;
  const { uid, resourceVersion } = volume.metadata;
  const status = { phase, message: message ?? null, lastPhaseTransitionTime: `${new Date(clock.now()).toISOString().slice(0, 19)}Z` };
  await client.patch(PersistentVolume, volume.metadata, {
    type: "merge",
    subresource: "status",
    body: { metadata: { uid, resourceVersion }, status },
  });
}
