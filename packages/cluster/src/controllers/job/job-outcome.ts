import type { Job, JobCondition, SuccessPolicyRule } from "@sluice/kubernetes";
import { parseIndexes } from "./index-set.ts";
import { isFailed } from "./job-pods.ts";
import type { JobView } from "./job-view.ts";
import { judgeFailure } from "./pod-failure-policy.ts";

/** How a Job ends, first as an intention and, once its pods are gone and counted, as a fact. */
export interface JobOutcome {
  readonly isSuccess: boolean;
  readonly reason: string;
  readonly message: string;
}

/** The true condition of that type. */
export function findCondition({ status }: Job, type: string): JobCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type && condition.status === "True");
}

/** Whether the Job is over. */
export function isJobFinished(job: Job): boolean {
  return findCondition(job, "Complete") !== undefined || findCondition(job, "Failed") !== undefined;
}

/** How the Job ends, if that is decided: what was decided earlier stands. */
export function outcomeOf(view: JobView): JobOutcome | undefined {
  const { job } = view;
  const success = findCondition(job, "SuccessCriteriaMet");
  if (success !== undefined) return { isSuccess: true, reason: success.reason ?? "", message: success.message ?? "" };
  const failure = findCondition(job, "FailureTarget");
  if (failure !== undefined) return { isSuccess: false, reason: failure.reason ?? "", message: failure.message ?? "" };
  return failureOf(view) ?? successOf(view);
}

/** When the Job would have taken too long, in milliseconds since the epoch. */
export function deadlineOf({ job, isSuspended }: JobView): number | undefined {
  const { startTime } = job.status ?? {};
  const seconds = job.spec.activeDeadlineSeconds;
  // The time before a suspension does not count: resuming starts the clock anew.
  const isRunning = startTime !== undefined && !isSuspended && findCondition(job, "Suspended") === undefined;
  return isRunning && seconds !== undefined ? Date.parse(startTime) + seconds * 1000 : undefined;
}

function failureOf(view: JobView): JobOutcome | undefined {
  const { job, pods, now, failed, failedIndexes, completions, succeededIndexes } = view;
  const { backoffLimit = 6, maxFailedIndexes, podFailurePolicy } = job.spec;
  const fail = (reason: string, message: string): JobOutcome => ({ isSuccess: false, reason, message });
  if (podFailurePolicy !== undefined) {
    for (const pod of pods) {
      const verdict = isFailed(pod, job) ? judgeFailure(job, pod) : undefined;
      if (verdict?.action === "FailJob") return fail("PodFailurePolicy", verdict.message ?? "");
    }
  }
  if (failed > backoffLimit || hasRestartedTooOften(view)) return fail("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  const deadline = deadlineOf(view);
  if (deadline !== undefined && now >= deadline) return fail("DeadlineExceeded", "Job was active longer than specified deadline");
  if (failedIndexes === undefined) return undefined;
  if (maxFailedIndexes !== undefined && failedIndexes.size > maxFailedIndexes) {
    return fail("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
  }
  const isSettled = failedIndexes.size > 0 && failedIndexes.size + succeededIndexes.size >= (completions ?? 0);
  return isSettled ? fail("FailedIndexes", "Job has failed indexes") : undefined;
}

/** Containers that are restarted in place count against the limit as well. */
function hasRestartedTooOften({ job, active }: JobView): boolean {
  const { backoffLimit = 6, template } = job.spec;
  if (template.spec?.restartPolicy !== "OnFailure") return false;
  let restarts = 0;
  for (const { status } of active) {
    for (const { restartCount } of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) restarts += restartCount;
  }
  return backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit;
}

function successOf({ job, isIndexed, completions, succeeded, succeededIndexes, active }: JobView): JobOutcome | undefined {
  if (isIndexed) {
    const met = (job.spec.successPolicy?.rules ?? []).findIndex((rule) => isMet(rule, succeededIndexes, completions ?? 0));
    if (met >= 0) return { isSuccess: true, reason: "SuccessPolicy", message: `Matched rules at index ${met}` };
  }
  const isComplete = completions === undefined ? succeeded > 0 : succeeded >= completions;
  if (!isComplete || active.length > 0) return undefined;
  return { isSuccess: true, reason: "CompletionsReached", message: "Reached expected number of succeeded pods" };
}

function isMet({ succeededIndexes: listed, succeededCount }: SuccessPolicyRule, succeeded: ReadonlySet<number>, completions: number): boolean {
  if (listed === undefined) return succeededCount !== undefined && succeeded.size >= succeededCount;
  const wanted = parseIndexes(listed, completions);
  const reached = [...wanted].filter((index) => succeeded.has(index)).length;
  return succeededCount === undefined ? reached === wanted.size : reached >= succeededCount;
}
