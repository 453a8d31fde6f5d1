import type { EventContent } from "@sluice/controller";
import type { Job, JobCondition, JobStatus, Pod } from "@sluice/kubernetes";
import { isReady } from "../pod-state.ts";
import { countPods } from "./count-pods.ts";
import { deadlineOf, findCondition, isJobFinished, outcomeOf, type JobOutcome } from "./job-outcome.ts";
import { isTracked } from "./job-pods.ts";
import { viewJob, type JobView } from "./job-view.ts";
import { planWorkforce, type PodWish, type Workforce } from "./plan-workforce.ts";

/**
 * What to do about a Job, in this order: discard, stop and create pods; write the status; release pods. Each step can
 * be the last before a crash: a pod is released only when the status that counts it is durable.
 */
export interface JobPlan {
  /** Active pods that are not needed: released, then deleted, and never counted. */
  readonly discard: readonly Pod[];
  /** Active pods of a Job that is over: deleted. */
  readonly stop: readonly Pod[];
  readonly create: readonly PodWish[];
  readonly status: JobStatus;
  /** Finished pods that lose their finalizer, as they are counted. */
  readonly release: readonly Pod[];
  /** What to tell once the status is written. */
  readonly events: readonly EventContent[];
  /** When time alone changes the plan, in milliseconds from now. */
  readonly requeueAfter?: number;
}

/** Plans the next step of a Job, given all pods that it controls and the time in milliseconds. */
export function planJob(job: Job, pods: readonly Pod[], now: number): JobPlan {
  // Nothing more is counted once the result is out.
  if (isJobFinished(job)) return { discard: [], stop: [], create: [], status: job.status ?? {}, release: pods.filter(isTracked), events: [] };

  const view = viewJob(job, pods, now);
  const outcome = outcomeOf(view);
  const isGoing = job.metadata.deletionTimestamp !== undefined;
  const workforce: Workforce = outcome === undefined && !isGoing ? planWorkforce(view) : { create: [], discard: [] };
  const stop = outcome === undefined ? [] : view.active;
  const { status, release } = countPods(view, outcome);
  const change = outcome === undefined ? (isGoing ? {} : suspension(view)) : ending(view, outcome);
  const deadline = outcome === undefined ? deadlineOf(view) : undefined;
  const waits = [workforce.waitMs, deadline === undefined ? undefined : deadline - now].filter((wait) => wait !== undefined);
  return {
    discard: workforce.discard,
    stop,
    create: workforce.create,
    status: { ...status, ...workload(view, workforce, stop), ...times(view, change), ...conditions(job, change.condition, now) },
    release,
    events: change.event === undefined ? [] : [change.event],
    ...(waits.length === 0 ? {} : { requeueAfter: Math.max(0, Math.min(...waits)) }),
  };
}

/** What a step changes in a Job's life. */
interface Change {
  readonly condition?: JobCondition;
  readonly event?: EventContent;
  readonly restarts?: boolean;
  readonly pauses?: boolean;
  readonly completes?: boolean;
}

/** Whether the Job pauses or goes on. */
function suspension({ job, isSuspended }: JobView): Change {
  const wasSuspended = findCondition(job, "Suspended") !== undefined;
  if (isSuspended === wasSuspended) return {};
  const [reason, message] = isSuspended ? ["Suspended", "Job suspended"] : ["Resumed", "Job resumed"];
  return {
    condition: { type: "Suspended", status: isSuspended ? "True" : "False", reason: `Job${reason}`, message },
    event: { type: "Normal", reason, message },
    restarts: !isSuspended,
    pauses: isSuspended,
  };
}

/** First the intention to end, and when all pods are gone or counted, the end. */
function ending(view: JobView, { isSuccess, reason, message }: JobOutcome): Change {
  const { job, active, terminating, tracked, uncounted } = view;
  const condition = (type: string): JobCondition => ({ type, status: "True", reason, message });
  const intention = isSuccess ? "SuccessCriteriaMet" : "FailureTarget";
  if (findCondition(job, intention) === undefined) return { condition: condition(intention) };
  const isSettled = active.length + terminating.length + tracked.length + uncounted.succeeded.size + uncounted.failed.size === 0;
  if (!isSettled) return {};
  return isSuccess
    ? { condition: condition("Complete"), completes: true, event: { type: "Normal", reason: "Completed", message: "Job completed" } }
    : { condition: condition("Failed"), event: { type: "Warning", reason, message } };
}

function workload(
  { active, terminating }: JobView,
  { create, discard }: Workforce,
  stop: readonly Pod[],
): Pick<JobStatus, "active" | "ready" | "terminating"> {
  const leaving = new Set([...discard, ...stop]);
  const staying = active.filter((pod) => !leaving.has(pod));
  return { active: staying.length + create.length, ready: staying.filter(isReady).length, terminating: terminating.length + leaving.size };
}

function times({ job, isSuspended, now }: JobView, { restarts, pauses, completes }: Change): Pick<JobStatus, "startTime" | "completionTime"> {
  const { startTime } = job.status ?? {};
  const starts = restarts === true || (startTime === undefined && !isSuspended);
  return {
    ...(starts ? { startTime: timestamp(now) } : startTime === undefined || pauses === true ? {} : { startTime }),
    ...(completes === true ? { completionTime: timestamp(now) } : {}),
  };
}

function conditions({ status }: Job, change: JobCondition | undefined, now: number): Pick<JobStatus, "conditions"> {
  const before = status?.conditions ?? [];
  if (change === undefined) return before.length === 0 ? {} : { conditions: before };
  const changed = { ...change, lastProbeTime: timestamp(now), lastTransitionTime: timestamp(now) };
  const isKnown = before.some(({ type }) => type === change.type);
  return { conditions: isKnown ? before.map((one) => (one.type === change.type ? changed : one)) : [...before, changed] };
}

function timestamp(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19)}Z`;
}
