import type { JobStatus, Pod } from "@sluice/kubernetes";
import { formatIndexes } from "./index-set.ts";
import type { JobOutcome } from "./job-outcome.ts";
import { indexOf, isFailed } from "./job-pods.ts";
import { isValidIndex, type JobView } from "./job-view.ts";
import { judgeFailure } from "./pod-failure-policy.ts";

/** How many pods the status may mention by uid. */
const MOST_UNCOUNTED = 500;

/** What the status says of finished pods, and which of them may lose their finalizer once it is written. */
export interface PodCount {
  readonly status: Pick<JobStatus, "succeeded" | "failed" | "uncountedTerminatedPods" | "completedIndexes" | "failedIndexes">;
  readonly release: readonly Pod[];
}

/**
 * Counts finished pods so that each counts once, whatever happens in between: the status first mentions a pod by uid (a
 * success of an Indexed Job by index), then the pod loses its finalizer, then the uid becomes a number.
 */
export function countPods(view: JobView, outcome: JobOutcome | undefined): PodCount {
  const { job, isIndexed, completions, tracked, counted, uncounted, lastFailures, failedIndexes } = view;
  const succeeded = [...uncounted.succeeded];
  const failed = [...uncounted.failed];
  const indexes = new Set(view.countedIndexes);
  const release: Pod[] = [];
  const isEnding = outcome !== undefined || job.metadata.deletionTimestamp !== undefined;
  let room = MOST_UNCOUNTED - succeeded.length - failed.length;
  for (const pod of tracked) {
    const uid = pod.metadata.uid ?? "";
    const index = indexOf(pod);
    if (uncounted.succeeded.has(uid) || uncounted.failed.has(uid)) {
      release.push(pod);
      continue;
    }
    const isSuccess = pod.status?.phase === "Succeeded";
    const hasFailed = isFailed(pod, job);
    // The last failure of an index stays until its successor has taken over the count.
    const isAwaited = hasFailed && index !== undefined && lastFailures.get(index) === pod;
    if (!isEnding && !isSuccess && (!hasFailed || isAwaited)) continue;
    if (room <= 0) break;
    room--;
    release.push(pod);
    if (isIndexed && !isValidIndex(index, completions)) continue;
    // What still runs when a Job fails has failed with it.
    const isFailure = hasFailed || (outcome !== undefined && !outcome.isSuccess);
    if (!isSuccess && isFailure && judgeFailure(job, pod).counts) failed.push(uid);
    else if (isSuccess && index !== undefined && isIndexed) indexes.add(index);
    else if (isSuccess) succeeded.push(uid);
  }
  return {
    status: {
      succeeded: isIndexed ? indexes.size : counted.succeeded,
      failed: counted.failed,
      uncountedTerminatedPods: { ...(succeeded.length === 0 ? {} : { succeeded }), ...(failed.length === 0 ? {} : { failed }) },
      ...(isIndexed ? { completedIndexes: formatIndexes(indexes) } : {}),
      ...(failedIndexes === undefined ? {} : { failedIndexes: formatIndexes(failedIndexes) }),
    },
    release,
  };
}
