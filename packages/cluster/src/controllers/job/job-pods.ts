import type { Job, Pod } from "@sluice/kubernetes";
import { isTerminating } from "../pod-state.ts";

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

/** Whether the pod counts as failed: one that is being deleted does, unless the Job waits for its end. */
export function isFailed(pod: Pod, { spec }: Job): boolean {
  return pod.status?.phase === "Failed" || (spec.podReplacementPolicy !== "Failed" && isTerminating(pod));
}

/** The completion index that the pod works on. */
export function indexOf({ metadata }: Pod): number | undefined {
  return numberIn(metadata.annotations?.[INDEX]);
}

/** How often the pod's index had failed before, and how many failures were ignored. */
export function earlierFailures({ metadata }: Pod): { readonly counted: number; readonly ignored: number } {
  return { counted: numberIn(metadata.annotations?.[FAILURE_COUNT]) ?? 0, ignored: numberIn(metadata.annotations?.[IGNORED_FAILURE_COUNT]) ?? 0 };
}

/** When a finished pod ended, in milliseconds: when its last container did, or its deletion began; if nothing tells, when it was made. */
export function finishTime({ metadata, status }: Pod, now: number): number {
  const ends = (status?.containerStatuses ?? []).map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ""));
  if (ends.length > 0 && !ends.some(Number.isNaN)) return Math.max(...ends);
  const unready = status?.conditions?.find((condition) => condition.type === "Ready" && condition.status === "False")?.lastTransitionTime;
  if (unready !== undefined) return Date.parse(unready);
  if (metadata.deletionTimestamp === undefined) return metadata.creationTimestamp === undefined ? now : Date.parse(metadata.creationTimestamp);
  return Date.parse(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
