import type { Job, Pod } from "@sluice/kubernetes";

/** Holds a finished pod until its Job has counted it. */
export const TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking";
/** Label and annotation: which of an Indexed Job's completions a pod works on. */
export const INDEX = "batch.kubernetes.io/job-completion-index";
/** Annotation: how often the pod's index had failed before it. */
export const FAILURE_COUNT = "batch.kubernetes.io/job-index-failure-count";
/** Annotation: how many failures of the pod's index were ignored by policy before it. */
export const IGNORED_FAILURE_COUNT = "batch.kubernetes.io/job-index-ignored-failure-count";

/** Whether the pod is still to be counted. */
export function isTracked({ metadata }: Pod): boolean {
  return metadata.finalizers?.includes(TRACKING_FINALIZER) === true;
}

/** Whether the pod has ended by itself. */
export function isTerminal({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}

/** Whether the pod works, or will. */
export function isActive(pod: Pod): boolean {
  return !isTerminal(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** Whether the pod is on its way out. */
export function isTerminating(pod: Pod): boolean {
  return !isTerminal(pod) && pod.metadata.deletionTimestamp !== undefined;
}

/** Whether the pod counts as failed: one that is being deleted does, unless the Job waits for its end. */
export function isFailed(pod: Pod, { spec }: Job): boolean {
  return pod.status?.phase === "Failed" || (spec.podReplacementPolicy !== "Failed" && isTerminating(pod));
}

/** Whether the pod is ready. */
export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
}

/** The completion index that the pod works on. */
export function indexOf({ metadata }: Pod): number | undefined {
  return numberIn(metadata.annotations?.[INDEX]);
}

/** How often the pod's index had failed before, and how many failures were ignored. */
export function earlierFailures({ metadata }: Pod): { readonly counted: number; readonly ignored: number } {
  return { counted: numberIn(metadata.annotations?.[FAILURE_COUNT]) ?? 0, ignored: numberIn(metadata.annotations?.[IGNORED_FAILURE_COUNT]) ?? 0 };
}

/** When a finished pod ended, in milliseconds: when its last container did, or its deletion began. */
export function finishTime({ metadata, status }: Pod, now: number): number {
  const ends = (status?.containerStatuses ?? []).map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ""));
  if (ends.length > 0 && !ends.some(Number.isNaN)) return Math.max(...ends);
  const unready = status?.conditions?.find((condition) => condition.type === "Ready" && condition.status === "False")?.lastTransitionTime;
  if (unready !== undefined) return Date.parse(unready);
  if (metadata.deletionTimestamp === undefined) return now;
  return Date.parse(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
}

/** Orders pods by how little is lost with them: unscheduled, pending, not ready, restarted and young ones first. */
export function byWorth(a: Pod, b: Pod): number {
  return rank(a) - rank(b) || restarts(b) - restarts(a) || Date.parse(b.metadata.creationTimestamp ?? "") - Date.parse(a.metadata.creationTimestamp ?? "") || 0;
}

function rank(pod: Pod): number {
  if ((pod.spec.nodeName ?? "") === "") return 0;
  if (pod.status?.phase !== "Running") return 1;
  return isReady(pod) ? 3 : 2;
}

function restarts({ status }: Pod): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
