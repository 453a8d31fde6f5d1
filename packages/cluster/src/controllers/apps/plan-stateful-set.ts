import type { PersistentVolumeClaim, Pod, StatefulSet, StatefulSetStatus } from "@sluice/kubernetes";
import { isReady } from "../pod-state.ts";
import { timeToAvailability } from "./pod-availability.ts";
import { claimOwners, claimsOf, identityLabels, isStaleClaim, ordinalOf, revisionOf, wantedOrdinals } from "./stateful-set-pods.ts";

/** What a set has, and the names of the revisions that it comes from and goes to. */
export interface StatefulSetView {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  /** The claims of its namespace, by name. */
  readonly claims: ReadonlyMap<string, PersistentVolumeClaim>;
  readonly current: string;
  readonly update: string;
  readonly collisionCount: number;
  /** In milliseconds since the epoch. */
  readonly now: number;
}

/** A pod to create, and the revision to make it from. */
export interface StatefulPod {
  readonly ordinal: number;
  readonly revision: string;
}

/** What to do about a StatefulSet, in this order. */
export interface StatefulSetPlan {
  /** Claims whose owners are to change. */
  readonly hand: readonly { readonly claim: PersistentVolumeClaim; readonly owners: NonNullable<ReturnType<typeof claimOwners>> }[];
  /** Pods that wait for claims which are not there any more. */
  readonly replenish: readonly number[];
  readonly create: readonly StatefulPod[];
  readonly remove: readonly Pod[];
  /** Pods that have lost the labels by which they are known. */
  readonly amend: readonly { readonly pod: Pod; readonly labels: Record<string, string> }[];
  readonly status: StatefulSetStatus;
  /** When a pod will have been ready for long enough, in milliseconds from now. */
  readonly requeueAfter?: number;
}

/**
 * Plans a StatefulSet's next step. In order means: one pod at a time, from the first to the last, each only when all
 * before it are available, and away from the last to the first; what is parallel waits for nobody. A change of the
 * template replaces pods from the last down to the partition, never more at a time than may be unavailable.
 */
export function planStatefulSet(view: StatefulSetView): StatefulSetPlan {
  const { set, pods, now } = view;
  const waits = pods.map((pod) => waitFor(pod, set, now)).filter((wait) => wait > 0 && Number.isFinite(wait));
  const steps = set.metadata.deletionTimestamp === undefined ? stepsOf(view) : NOTHING;
  return { ...steps, status: statusOf(view), ...(waits.length === 0 ? {} : { requeueAfter: Math.min(...waits) }) };
}

type Steps = Omit<StatefulSetPlan, "status" | "requeueAfter">;

const NOTHING: Steps = { hand: [], replenish: [], create: [], remove: [], amend: [] };

function stepsOf(view: StatefulSetView): Steps {
  const { set, pods, now } = view;
  const isOrdered = set.spec.podManagementPolicy !== "Parallel";
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod), pod]));
  const wanted = wantedOrdinals(set);
  const replicas = wanted.map((ordinal) => byOrdinal.get(ordinal));
  const isAvailable = (pod: Pod | undefined): boolean =>
    pod !== undefined && pod.metadata.deletionTimestamp === undefined && waitFor(pod, set, now) === 0;

  const steps = fill(view, { wanted, replicas, isOrdered, isAvailable });
  const isBlocked = isOrdered && !replicas.every(isAvailable);
  if (isBlocked) return steps;

  const kept = new Set(wanted);
  const condemned = pods
    .filter((pod) => !kept.has(ordinalOf(set, pod) ?? -1))
    .toSorted((a, b) => (ordinalOf(set, b) ?? -1) - (ordinalOf(set, a) ?? -1));
  const hand = [...steps.hand, ...condemned.flatMap((pod) => handOver(view, pod))];
  const leaving = isOrdered ? nextToGo(condemned, isAvailable) : condemned.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  if (isOrdered && condemned.length > 0) return { ...steps, hand, remove: [...steps.remove, ...leaving] };
  const outdated = set.spec.updateStrategy?.type === "OnDelete" ? [] : outdatedPods(view, replicas, isAvailable);
  return { ...steps, hand, remove: [...new Set([...steps.remove, ...leaving, ...outdated])] };
}

/** Makes what is missing, and makes room for what has ended. */
function fill(
  view: StatefulSetView,
  {
    wanted,
    replicas,
    isOrdered,
    isAvailable,
  }: {
    readonly wanted: readonly number[];
    readonly replicas: readonly (Pod | undefined)[];
    readonly isOrdered: boolean;
    readonly isAvailable: (pod: Pod | undefined) => boolean;
  },
): Steps {
  const { set, claims } = view;
  const steps = { hand: [...NOTHING.hand], replenish: [...NOTHING.replenish], create: [...NOTHING.create], remove: [...NOTHING.remove] };
  const amend: StatefulSetPlan["amend"][number][] = [];
  for (const [i, ordinal] of wanted.entries()) {
    const pod = replicas[i];
    const own = claimsOf(set, ordinal);
    if (pod === undefined) {
      const isStale = own.some(({ metadata }) => {
        const claim = claims.get(metadata.name);
        return claim !== undefined && isStaleClaim(set, claim, ordinal);
      });
      if (!isStale) steps.create.push({ ordinal, revision: revisionFor(view, i) });
    } else if (hasEnded(pod)) {
      if (pod.metadata.deletionTimestamp === undefined) steps.remove.push(pod);
    } else {
      if (pod.status?.phase === "Pending" && own.some(({ metadata }) => !claims.has(metadata.name))) steps.replenish.push(ordinal);
      steps.hand.push(...handOver(view, pod));
      const labels = identityLabels(set, ordinal);
      if (Object.entries(labels).some(([key, value]) => pod.metadata.labels?.[key] !== value)) amend.push({ pod, labels });
    }
    if (isOrdered && !isAvailable(pod)) break;
  }
  return { ...steps, amend };
}

/** A rollout that stops at a partition leaves the pods below it as they were, also if they are made anew. */
function revisionFor({ set, current, update }: StatefulSetView, index: number): string {
  const { type, rollingUpdate } = set.spec.updateStrategy ?? {};
  return type !== "OnDelete" && index < (rollingUpdate?.partition ?? 0) ? current : update;
}

/** Of the pods beyond the wanted number the one that goes now: the last, once all others work. */
function nextToGo(condemned: readonly Pod[], isAvailable: (pod: Pod) => boolean): Pod[] {
  const [last] = condemned;
  if (last === undefined || last.metadata.deletionTimestamp !== undefined) return [];
  const firstBroken = condemned.findLast((pod) => !isAvailable(pod));
  return isAvailable(last) || last === firstBroken ? [last] : [];
}

/** The pods of old revisions that may be replaced now. */
function outdatedPods(
  { set, update }: StatefulSetView,
  replicas: readonly (Pod | undefined)[],
  isAvailable: (pod: Pod | undefined) => boolean,
): Pod[] {
  const { partition = 0, maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {};
  const [, percent] = /^(\d+)%$/.exec(`${maxUnavailable}`) ?? [];
  const most = percent === undefined ? Number(maxUnavailable) || 1 : Math.floor((Number(percent) * replicas.length) / 100);
  let spare = Math.max(1, most);
  const outdated: Pod[] = [];
  for (let i = replicas.length - 1; i >= partition && spare > 0; i--) {
    const pod = replicas[i];
    const isOutdated = pod !== undefined && revisionOf(pod) !== update && pod.metadata.deletionTimestamp === undefined;
    if (isOutdated) outdated.push(pod);
    if (isOutdated || !isAvailable(pod)) spare--;
  }
  return outdated;
}

function handOver({ set, claims }: StatefulSetView, pod: Pod): StatefulSetPlan["hand"][number][] {
  return claimsOf(set, ordinalOf(set, pod) ?? -1).flatMap(({ metadata }) => {
    const claim = claims.get(metadata.name);
    const owners = claim === undefined ? undefined : claimOwners(set, claim, pod);
    return claim === undefined || owners === undefined ? [] : [{ claim, owners }];
  });
}

function statusOf({ set, pods, current, update, collisionCount, now }: StatefulSetView): StatefulSetStatus {
  const working = pods.filter(isWorking);
  const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const counts = {
    replicas: pods.length,
    readyReplicas: working.length,
    availableReplicas: working.filter((pod) => waitFor(pod, set, now) === 0).length,
    currentReplicas: staying.filter((pod) => revisionOf(pod) === current).length,
    updatedReplicas: staying.filter((pod) => revisionOf(pod) === update).length,
  };
  const { replicas = 1, updateStrategy } = set.spec;
  const isComplete =
    updateStrategy?.type !== "OnDelete" && counts.updatedReplicas === replicas && counts.readyReplicas === replicas && counts.replicas === replicas;
  return {
    observedGeneration: set.metadata.generation ?? 0,
    ...counts,
    ...(isComplete ? { currentReplicas: counts.updatedReplicas } : {}),
    currentRevision: isComplete ? update : current,
    updateRevision: update,
    collisionCount,
    ...(set.status?.conditions === undefined ? {} : { conditions: set.status.conditions }),
  };
}

/** How long until a pod counts as available; Infinity while it does not work. */
function waitFor(pod: Pod, { spec }: StatefulSet, now: number): number {
  return isWorking(pod) ? timeToAvailability(pod, spec.minReadySeconds ?? 0, now) : Infinity;
}

function isWorking(pod: Pod): boolean {
  return pod.status?.phase === "Running" && isReady(pod);
}

function hasEnded({ status }: Pod): boolean {
  return status?.phase === "Failed" || status?.phase === "Succeeded";
}
