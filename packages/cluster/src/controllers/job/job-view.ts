import type { Job, Pod } from "@sluice/kubernetes";
import { isActive, isTerminating } from "../pod-state.ts";
import { parseIndexes, type IndexSet } from "./index-set.ts";
import { earlierFailures, finishTime, indexOf, isFailed, isTracked } from "./job-pods.ts";
import { judgeFailure } from "./pod-failure-policy.ts";

/** A Job and its pods, understood: what every decision about the Job rests on. */
export interface JobView {
  readonly job: Job;
  readonly now: number;
  readonly isIndexed: boolean;
  readonly isSuspended: boolean;
  readonly parallelism: number;
  /** Absent for a work queue, which is complete when one pod has succeeded and all have ended. */
  readonly completions: number | undefined;
  readonly pods: readonly Pod[];
  readonly active: readonly Pod[];
  readonly terminating: readonly Pod[];
  /** The pods that are still to be counted. */
  readonly tracked: readonly Pod[];
  /** Finished pods that the status does not mention yet. */
  readonly newlySucceeded: readonly Pod[];
  readonly newlyFailed: readonly Pod[];
  /** What the status has counted: totals, and the uids of those whose finalizer is still to go. */
  readonly counted: { readonly succeeded: number; readonly failed: number };
  readonly uncounted: { readonly succeeded: ReadonlySet<string>; readonly failed: ReadonlySet<string> };
  /** All successes and failures, counted or not. */
  readonly succeeded: number;
  readonly failed: number;
  readonly succeededIndexes: IndexSet;
  /** The successes that the status has counted, by index. */
  readonly countedIndexes: IndexSet;
  /** Indexes that have failed for good; absent without a limit per index. */
  readonly failedIndexes: IndexSet | undefined;
  /** Of every index that is to be tried again the last pod, which remembers how often it was tried. */
  readonly lastFailures: ReadonlyMap<number, Pod>;
}

/** Understands a Job from its spec, its status and its pods. */
export function viewJob(job: Job, pods: readonly Pod[], now: number): JobView {
  const { spec, status = {} } = job;
  const isIndexed = spec.completionMode === "Indexed";
  const completions = spec.completions;
  const active = pods.filter(isActive);
  const tracked = pods.filter(isTracked);
  const trackedUids = new Set(tracked.map(({ metadata }) => metadata.uid ?? ""));

  // A pod without finalizer cannot be met again: what the status noted of it becomes a number.
  const noted = status.uncountedTerminatedPods ?? {};
  const split = (uids: readonly string[] = []): { readonly pending: ReadonlySet<string>; readonly settled: number } => {
    const pending = new Set(uids.filter((uid) => trackedUids.has(uid)));
    return { pending, settled: uids.length - pending.size };
  };
  const [ended, broken] = [split(noted.succeeded), split(noted.failed)];
  const counted = { succeeded: (status.succeeded ?? 0) + ended.settled, failed: (status.failed ?? 0) + broken.settled };
  const uncounted = { succeeded: ended.pending, failed: broken.pending };

  const isNew = (pod: Pod): boolean => {
    const uid = pod.metadata.uid ?? "";
    return !uncounted.succeeded.has(uid) && !uncounted.failed.has(uid) && (!isIndexed || isValidIndex(indexOf(pod), completions));
  };
  const newlySucceeded = tracked.filter((pod) => pod.status?.phase === "Succeeded" && isNew(pod));
  const newlyFailed = tracked.filter((pod) => isFailed(pod, job) && isNew(pod));
  const failed = counted.failed + uncounted.failed.size + newlyFailed.filter((pod) => judgeFailure(job, pod).counts).length;

  const limit = completions ?? 0;
  const countedIndexes = isIndexed ? parseIndexes(status.completedIndexes, limit) : new Set<number>();
  const succeededIndexes = new Set(countedIndexes);
  if (isIndexed) for (const pod of newlySucceeded) succeededIndexes.add(indexOf(pod) ?? 0);
  const failedIndexes = isIndexed && spec.backoffLimitPerIndex !== undefined ? new Set(parseIndexes(status.failedIndexes, limit)) : undefined;
  if (failedIndexes !== undefined) for (const pod of newlyFailed) if (endsIndex(job, pod)) failedIndexes.add(indexOf(pod) ?? 0);

  return {
    job,
    now,
    isIndexed,
    isSuspended: spec.suspend === true,
    parallelism: spec.parallelism ?? 1,
    completions,
    pods,
    active,
    terminating: pods.filter(isTerminating),
    tracked,
    newlySucceeded,
    newlyFailed,
    counted,
    uncounted,
    succeeded: isIndexed ? succeededIndexes.size : counted.succeeded + uncounted.succeeded.size + newlySucceeded.length,
    failed,
    succeededIndexes,
    countedIndexes,
    failedIndexes,
    lastFailures: failedIndexes === undefined ? new Map() : lastFailuresOf({ newlyFailed, active, succeededIndexes, failedIndexes }, now),
  };
}

/** Whether an Indexed Job has use for that index. */
export function isValidIndex(index: number | undefined, completions: number | undefined): index is number {
  return index !== undefined && index < (completions ?? 0);
}

/** Whether an index that this pod has failed is not tried again. */
function endsIndex(job: Job, pod: Pod): boolean {
  const { counts, action } = judgeFailure(job, pod);
  return action === "FailIndex" || (counts && earlierFailures(pod).counted >= (job.spec.backoffLimitPerIndex ?? 0));
}

function lastFailuresOf(
  {
    newlyFailed,
    active,
    succeededIndexes,
    failedIndexes,
  }: Pick<JobView, "newlyFailed" | "active" | "succeededIndexes"> & { readonly failedIndexes: IndexSet },
  now: number,
): Map<number, Pod> {
  const running = new Set(active.map(indexOf));
  const attempts = (pod: Pod): number => earlierFailures(pod).counted + earlierFailures(pod).ignored;
  const last = new Map<number, Pod>();
  for (const pod of newlyFailed) {
    const index = indexOf(pod) ?? 0;
    if (succeededIndexes.has(index) || failedIndexes.has(index) || running.has(index)) continue;
    const known = last.get(index);
    const isLater =
      known === undefined || attempts(pod) > attempts(known) || (attempts(pod) === attempts(known) && finishTime(pod, now) >= finishTime(known, now));
    if (isLater) last.set(index, pod);
  }
  return last;
}
