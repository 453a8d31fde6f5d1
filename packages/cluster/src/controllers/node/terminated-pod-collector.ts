import { defineController, defineIndex, type Controller } from "@sluice/controller";
import { isApiError, Pod } from "@sluice/kubernetes";

/** As upstream: so many pods that have ended are kept for those who want to look at them. */
const MOST_TERMINATED = 12_500;

const terminatedPods = defineIndex(Pod, "terminated", ({ status }) => (status?.phase === "Succeeded" || status?.phase === "Failed" ? ["yes"] : []));

/** Deletes the oldest of the pods that have ended and that nobody has deleted, once there are too many. */
export function terminatedPodCollector(most: number = MOST_TERMINATED): Controller {
  return defineController({
    name: "terminated-pod-collector",
    indexes: [terminatedPods],
    watches: [{ resource: Pod, keys: ({ status }: Pod) => (status?.phase === "Succeeded" || status?.phase === "Failed" ? [{ name: "all" }] : []) }],
    async reconcile(_key, { cache, client }) {
      const surplus = cache.count(Pod, terminatedPods.name, "yes") - most;
      if (surplus <= 0) return;
      const oldest = cache
        .byIndex(Pod, terminatedPods.name, "yes")
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .toSorted(byAge);
      for (const { metadata } of oldest.slice(0, surplus)) {
        try {
          await client.delete(Pod, metadata, {
            gracePeriodSeconds: 0,
            ...(metadata.uid === undefined ? {} : { preconditions: { uid: metadata.uid } }),
          });
        } catch (error) {
          if (!isApiError(error, "Conflict")) throw error; // Another pod has its name: this one is gone.
        }
      }
    },
  });
}

function byAge(a: Pod, b: Pod): number {
  return (
    Date.parse(a.metadata.creationTimestamp ?? "") - Date.parse(b.metadata.creationTimestamp ?? "") || (a.metadata.name < b.metadata.name ? -1 : 1)
  );
}
