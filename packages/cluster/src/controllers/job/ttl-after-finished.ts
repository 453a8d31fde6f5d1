import { defineController, type Controller } from "@sluice/controller";
import { Job } from "@sluice/kubernetes";
import { findCondition } from "./job-outcome.ts";

/** Deletes Jobs that have been over for as long as they asked to be kept. */
export function ttlAfterFinishedController(): Controller {
  return defineController({
    name: "ttl-after-finished-controller",
    for: Job,
    when: (_before, after) => after?.spec.ttlSecondsAfterFinished !== undefined,
    async reconcile(key, { cache, client, clock }) {
      const job = cache.get(Job, key);
      const seconds = job?.spec.ttlSecondsAfterFinished;
      if (job === undefined || seconds === undefined || job.metadata.deletionTimestamp !== undefined) return;
      const end = (findCondition(job, "Complete") ?? findCondition(job, "Failed"))?.lastTransitionTime;
      if (end === undefined) return;
      const rest = Date.parse(end) + seconds * 1000 - clock.now();
      if (rest > 0) return { requeueAfter: rest };
      const { uid } = job.metadata;
      await client.delete(Job, key, { propagationPolicy: "Foreground", ...(uid === undefined ? {} : { preconditions: { uid } }) });
      return;
    },
  });
}
