import type { Pod } from "@sluice/kubernetes";
import { byWorth } from "../pod-state.ts";
import { earlierFailures, finishTime, indexOf, isFailed, isTracked } from "./job-pods.ts";
import { isValidIndex, type JobView } from "./job-view.ts";
import { judgeFailure } from "./pod-failure-policy.ts";

/** Pods made or unmade at once; the changes that this brings lead to the next. */
const MOST_AT_ONCE = 500;
const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 600_000;

/** A pod to create: for an index, and with the failures that the index has behind it. */
export interface PodWish {
  readonly index?: number;
  readonly failures?: { readonly counted: number; readonly ignored: number };
}

/** How the pods of a Job that goes on are to change. */
export interface Workforce {
  readonly create: readonly PodWish[];
  /** Active pods that are not needed: they are not counted. */
  readonly discard: readonly Pod[];
  /** When a pod that is due now may be created, in milliseconds from now. */
  readonly waitMs?: number;
}

/** Decides which pods a Job that is neither over nor being deleted needs more, and which it needs no more. */
export function planWorkforce(view: JobView): Workforce {
  const { job, active, terminating, parallelism, completions, succeeded, isSuspended, isIndexed } = view;
  if (isSuspended) return { create: [], discard: active };
  const wanted =
    completions === undefined ? (succeeded > 0 ? active.length : parallelism) : Math.max(0, Math.min(parallelism, completions - succeeded));
  const discard = superfluous(view, Math.max(0, active.length - wanted)).slice(0, MOST_AT_ONCE);
  if (discard.length > 0) return { create: [], discard };

  const awaited = job.spec.podReplacementPolicy === "Failed" ? terminating.length : 0;
  const missing = Math.min(wanted - active.length - awaited, MOST_AT_ONCE);
  if (missing <= 0) return { create: [], discard: [] };
  if (view.failedIndexes !== undefined) return replaceIndexes(view, missing);
  const waitMs = backoff(view);
  if (waitMs > 0) return { create: [], discard: [], waitMs };
  return {
    create: isIndexed
      ? pendingIndexes(view)
          .slice(0, missing)
          .map((index) => ({ index }))
      : Array.from({ length: missing }, () => ({})),
    discard: [],
  };
}

/** With a limit per index every index waits for itself, and its next pod remembers the failures before it. */
function replaceIndexes(view: JobView, missing: number): Workforce {
  const create: PodWish[] = [];
  let waitMs: number | undefined;
  for (const index of pendingIndexes(view)) {
    if (create.length === missing) break;
    const last = view.lastFailures.get(index);
    const failures = last === undefined ? { counted: 0, ignored: 0 } : failuresAfter(view, last);
    const wait = last === undefined ? 0 : delayAfter(failures.counted + failures.ignored) - (view.now - finishTime(last, view.now));
    if (wait > 0) waitMs = Math.min(waitMs ?? wait, wait);
    else create.push({ index, failures });
  }
  return { create, discard: [], ...(waitMs === undefined ? {} : { waitMs }) };
}

function failuresAfter({ job }: JobView, last: Pod): { readonly counted: number; readonly ignored: number } {
  const { counted, ignored } = earlierFailures(last);
  return judgeFailure(job, last).counts ? { counted: counted + 1, ignored } : { counted, ignored: ignored + 1 };
}

/** The indexes that nobody works on or has settled, in order. */
function pendingIndexes({ job, active, terminating, completions = 0, succeededIndexes, failedIndexes }: JobView): number[] {
  const busy = new Set([...active, ...(job.spec.podReplacementPolicy === "Failed" ? terminating : [])].map(indexOf));
  const pending: number[] = [];
  for (let index = 0; index < completions; index++) {
    if (!busy.has(index) && !succeededIndexes.has(index) && failedIndexes?.has(index) !== true) pending.push(index);
  }
  return pending;
}

/** At least `least` active pods that can go: those without a use first, then those with which the least is lost. */
function superfluous({ isIndexed, active, completions }: JobView, least: number): Pod[] {
  const ranked = active.toSorted(byWorth);
  if (!isIndexed) return ranked.slice(0, least);
  const seen = new Set<number>();
  const useful: Pod[] = [];
  const useless: Pod[] = [];
  for (const pod of ranked.toReversed()) {
    const index = indexOf(pod);
    if (!isValidIndex(index, completions) || seen.has(index)) useless.push(pod);
    else useful.push(pod);
    if (index !== undefined) seen.add(index);
  }
  return [...useless, ...useful.toReversed().slice(0, Math.max(0, least - useless.length))];
}

/** How long the Job has to wait after its last failure: longer with every one since the last success. */
function backoff({ job, pods, now }: JobView): number {
  const lastSuccess = Math.max(-Infinity, ...pods.filter(({ status }) => status?.phase === "Succeeded").map((pod) => finishTime(pod, now)));
  // Of the pods that are being deleted only those that are still to be counted have failed.
  const failures = pods
    .filter((pod) => isFailed(pod, job) && (pod.metadata.deletionTimestamp === undefined || isTracked(pod)))
    .map((pod) => finishTime(pod, now))
    .filter((time) => time > lastSuccess);
  return failures.length === 0 ? 0 : delayAfter(failures.length) - (now - Math.max(...failures));
}

function delayAfter(failures: number): number {
  return failures === 0 ? 0 : Math.min(FIRST_BACKOFF_MS * 2 ** (failures - 1), LONGEST_BACKOFF_MS);
}
