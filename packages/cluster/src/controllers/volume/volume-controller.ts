import { defineController, type Controller, type ReconcileContext } from "@sluice/controller";
import { PersistentVolume, PersistentVolumeClaim } from "@sluice/kubernetes";
import { VOLUME_PROTECTION } from "../../volume/storage-class.ts";
import { finalizersWithout } from "./finalizers-without.ts";
import { planVolume } from "./plan-volume.ts";
import { writePhase } from "./write-phase.ts";

/** Says in which state volumes are, and lets them go that are deleted and not bound. */
export function persistentVolumeController(): Controller {
  return defineController({
    name: "persistentvolume-state-controller",
    for: PersistentVolume,
    watches: [
      {
        resource: PersistentVolumeClaim,
        keys({ metadata, spec }: PersistentVolumeClaim, cache) {
          const referring = cache
            .list(PersistentVolume)
            .filter(({ spec: { claimRef } }) => claimRef?.namespace === metadata.namespace && claimRef?.name === metadata.name);
          const named = (spec.volumeName ?? "") === "" ? [] : [{ name: spec.volumeName ?? "" }];
          return [...named, ...referring.map((volume) => volume.metadata)];
        },
      },
    ],
    async reconcile(key, context) {
      const volume = context.cache.get(PersistentVolume, key);
      if (volume === undefined) return;
      const plan = planVolume(volume, await claimOf(volume, context));
      if (plan.event !== undefined) context.events.record(volume, plan.event);
      if (plan.isFreed === true) await free(volume, context);
      else if (plan.status !== undefined) await writePhase(volume, plan.status, context);
      const phase = plan.status?.phase ?? volume.status?.phase;
      const finalizers = finalizersWithout(volume, VOLUME_PROTECTION);
      if (volume.metadata.deletionTimestamp === undefined || phase === "Bound" || finalizers === undefined) return;
      await context.client.patch(PersistentVolume, key, { type: "merge", body: { metadata: { uid: volume.metadata.uid, finalizers } } });
    },
  });
}

/** The claim that a volume refers to; that it is gone is certain. */
async function claimOf({ spec: { claimRef } }: PersistentVolume, { cache, client }: ReconcileContext): Promise<PersistentVolumeClaim | undefined> {
  if (claimRef?.name === undefined || (claimRef.uid ?? "") === "") return undefined;
  const key = { namespace: claimRef.namespace, name: claimRef.name };
  const known = cache.get(PersistentVolumeClaim, key);
  return known?.metadata.uid === claimRef.uid ? known : client.find(PersistentVolumeClaim, key);
}

/** Undoes a binding that the claim did not take part in: a reservation by name stays. */
async function free(volume: PersistentVolume, { client }: ReconcileContext): Promise<void> {
  const { uid, resourceVersion, annotations = {} } = volume.metadata;
  const mark = "pv.kubernetes.io/bound-by-controller";
  const isOurs = annotations[mark] !== undefined;
  await client.patch(PersistentVolume, volume.metadata, {
    type: "merge",
    body: {
      metadata: { uid, resourceVersion, ...(isOurs ? { annotations: { [mark]: null } } : {}) },
      spec: { claimRef: isOurs ? null : { uid: null } },
    },
  });
}
