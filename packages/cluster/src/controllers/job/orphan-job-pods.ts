import { defineController, type Controller } from "@sluice/controller";
import { Job, Pod } from "@sluice/kubernetes";
import { isTracked } from "./job-pods.ts";
import { releasePod } from "./release-pod.ts";

/** Lets go of pods that wait to be counted by a Job that is no more, or not theirs any more. */
export function orphanJobPodsController(): Controller {
  return defineController({
    name: "job-orphan-pods",
    for: Pod,
    when: (_before, after) => after !== undefined && isTracked(after),
    watches: [
      {
        resource: Job,
        keys({ metadata }, cache) {
          const isGone = cache.get(Job, metadata)?.metadata.uid !== metadata.uid;
          return isGone
            ? cache
                .byIndex(Pod, "owner", metadata.uid ?? "")
                .filter(isTracked)
                .map((pod) => pod.metadata)
            : [];
        },
      },
    ],
    async reconcile(key, context) {
      const pod = context.cache.get(Pod, key);
      if (pod === undefined || !isTracked(pod)) return;
      const owner = pod.metadata.ownerReferences?.find(({ kind, controller }) => kind === Job.kind && controller === true);
      if (owner !== undefined) {
        const at = { namespace: pod.metadata.namespace, name: owner.name };
        // A Job that the cache does not show may only be younger than the cache.
        const job = context.cache.get(Job, at) ?? (await context.client.find(Job, at));
        if (job?.metadata.uid === owner.uid) return;
      }
      await releasePod(pod, context);
    },
  });
}
