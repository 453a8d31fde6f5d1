import type { Container, Pod, PodStatus } from "@sluice/kubernetes";
import { isAlive, UNSEEN, type ObservedContainer, type ObservedPod } from "./observed-pod.ts";
import { podStatus } from "./pod-status.ts";
import type { PodView } from "./pod-view.ts";
import { nextCrashes, restartAt, type RestartBackoff } from "./restart-backoff.ts";
import { isSidecar, willRestart } from "./restart-policy.ts";

/** What a pod's worker has to do. Each may be asked for again until what is observed shows it. */
export type PodAction =
  /** Makes sandbox and volumes. */
  | { readonly type: "setUp" }
  | { readonly type: "start"; readonly container: string; readonly restartCount: number; readonly crashes: number }
  /** Runs the preStop hook, then SIGTERM; at `killAt` a kill follows. */
  | { readonly type: "stop"; readonly container: string; readonly killAt: number }
  | { readonly type: "kill"; readonly container: string }
  /** Takes sandbox and volumes away. */
  | { readonly type: "tearDown" }
  /** Deletes the object itself: nothing of the pod runs any more. */
  | { readonly type: "finish" };

/** What follows from what is observed. */
export interface PodPlan {
  readonly status: PodStatus;
  readonly actions: readonly PodAction[];
  /** When time alone changes the plan. */
  readonly wakeAt?: number | undefined;
  /** Everything is to stop. */
  readonly isStopping: boolean;
}

/** How long a sidecar may still take when the grace period is used up. */
const LEAST_GRACE_MS = 2000;

/**
 * Decides a pod's life on its node by the rules of the kubelet: what its status is, and what is to be done now. Level
 * based: it knows no events, only what is.
 */
export function planPod(pod: Pod, observed: ObservedPod, now: number, settings: { readonly restartBackoff: RestartBackoff }): PodPlan {
  const { restartBackoff } = settings;
  const inits = pod.spec.initContainers ?? [];
  const mains = pod.spec.containers;
  const at = (container: Container): ObservedContainer => observed.containers.get(container.name) ?? UNSEEN;
  const fate = (container: Container): Fate => fateOf(pod, container, at(container));

  const hasMainBegun = mains.some((container) => at(container).attempt !== undefined);
  const initial = hasMainBegun ? { wanted: inits.filter(isSidecar), isInitialized: true } : initialize(inits, at, fate);
  const hasFailedInit = !hasMainBegun && inits.some((container) => !isSidecar(container) && fate(container) === "failed");
  const isDone = hasFailedInit || (hasMainBegun && mains.every((container) => isFinal(fate(container))));
  const isOver = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
  const isDeleting = pod.metadata.deletionTimestamp !== undefined;
  const isExpired = isPastDeadline(pod, observed, now, isDone ? mains.map(at) : undefined);
  const isStopping = isOver || isDeleting || isExpired || observed.refused !== undefined;

  const actions: PodAction[] = [];
  const wakes: number[] = [];
  const alive = [...inits, ...mains].filter((container) => isAlive(at(container)));
  if (isStopping || isDone) {
    const deadline = (observed.stopSince ?? now) + graceMs(pod);
    for (const container of nextToStop(alive)) {
      const isPatient = at(container).isProgram && !isStopping;
      const killAt = isPatient ? Infinity : isSidecar(container) ? Math.max(deadline, now + LEAST_GRACE_MS) : deadline;
      stop(container, at(container), killAt);
    }
  } else {
    const wanted = [...initial.wanted, ...(initial.isInitialized ? mains.filter((container) => !isFinal(fate(container))) : [])];
    const { setup } = observed;
    if (setup.state === "ready") for (const container of wanted) start(container, at(container));
    else if (setup.state === "absent" || (setup.state === "failed" && now >= setup.retryAt)) actions.push({ type: "setUp" });
    else if (setup.state === "failed") wakes.push(setup.retryAt);
  }
  if (!isOver && !isDone && !isExpired && pod.spec.activeDeadlineSeconds !== undefined) wakes.push(deadlineOf(pod, observed));

  const isEnded = (isStopping || isDone) && alive.length === 0;
  const { state } = observed.setup;
  if (isEnded && (state === "ready" || state === "failed")) actions.push({ type: "tearDown" });
  if (isEnded && isDeleting && (state === "absent" || state === "removed")) actions.push({ type: "finish" });

  const view: PodView = {
    ...{ pod, observed, now, at, restartBackoff, isInitialized: initial.isInitialized, isEnded, isExpired, hasMainBegun },
    isStopping: isStopping || isDone,
    wake: (time) => wakes.push(time),
  };
  const status = isOver ? (pod.status ?? {}) : podStatus(view);
  const due = wakes.filter((time) => time > now && time !== Infinity);
  return { status, actions, wakeAt: due.length === 0 ? undefined : Math.min(...due), isStopping: isStopping || isDone };

  function stop(container: Container, { stopping }: ObservedContainer, killAt: number): void {
    if (stopping === undefined || killAt < stopping.killAt) actions.push({ type: "stop", container: container.name, killAt });
    else if (!stopping.isKilled && now >= stopping.killAt) actions.push({ type: "kill", container: container.name });
    wakes.push(Math.min(killAt, stopping?.killAt ?? Infinity));
  }

  function start(container: Container, seen: ObservedContainer): void {
    const { attempt, blocked, unhealthy, stopping } = seen;
    if (isAlive(seen)) {
      if (unhealthy !== undefined && stopping === undefined) stop(container, seen, now + unhealthy.graceMs);
      else if (stopping !== undefined) stop(container, seen, Infinity);
      return;
    }
    const due = Math.max(
      blocked === undefined ? 0 : (blocked.retryAt ?? Infinity),
      attempt?.exit === undefined ? 0 : restartAt({ crashes: attempt.crashes, exit: attempt.exit }, restartBackoff),
    );
    if (now < due) wakes.push(due);
    else if (attempt?.exit === undefined) actions.push({ type: "start", container: container.name, restartCount: 0, crashes: 0 });
    else {
      const crashes = nextCrashes({ crashes: attempt.crashes, exit: attempt.exit }, restartBackoff);
      actions.push({ type: "start", container: container.name, restartCount: attempt.restartCount + 1, crashes });
    }
  }
}

/** `open`: has not ended. `again`: has ended, and is started again. The others are final. */
type Fate = "open" | "again" | "succeeded" | "failed";

function isFinal(fate: Fate): boolean {
  return fate === "succeeded" || fate === "failed";
}

function fateOf(pod: Pod, container: Container, { attempt }: ObservedContainer): Fate {
  if (attempt?.exit === undefined) return "open";
  const isInit = (pod.spec.initContainers ?? []).includes(container);
  return willRestart(pod, container, isInit, attempt.exit.exitCode) ? "again" : attempt.exit.exitCode === 0 ? "succeeded" : "failed";
}

/** Init containers run one after another; a sidecar only has to have started before the next one does. */
function initialize(
  inits: readonly Container[],
  at: (container: Container) => ObservedContainer,
  fate: (container: Container) => Fate,
): { readonly wanted: readonly Container[]; readonly isInitialized: boolean } {
  const wanted: Container[] = [];
  for (const container of inits) {
    if (isSidecar(container)) {
      wanted.push(container);
      const { attempt, isStarted } = at(container);
      if (attempt?.startedAt !== undefined && attempt.exit === undefined && isStarted) continue;
      return { wanted, isInitialized: false };
    }
    if (fate(container) !== "succeeded") return { wanted: [...wanted, container], isInitialized: false };
  }
  return { wanted, isInitialized: true };
}

/** Sidecars stop after all others, the last to have started first. */
function nextToStop(alive: readonly Container[]): readonly Container[] {
  const others = alive.filter((container) => !isSidecar(container));
  return others.length > 0 ? others : alive.slice(-1);
}

function graceMs({ metadata, spec }: Pod): number {
  const seconds =
    metadata.deletionTimestamp === undefined
      ? spec.terminationGracePeriodSeconds
      : (metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds);
  return (seconds ?? 30) * 1000;
}

function deadlineOf(pod: Pod, { startTime }: ObservedPod): number {
  return startTime + (pod.spec.activeDeadlineSeconds ?? Infinity) * 1000;
}

/** A pod whose containers had all ended by themselves in time has kept its deadline, however late that is learnt. */
function isPastDeadline(pod: Pod, observed: ObservedPod, now: number, ended: readonly ObservedContainer[] | undefined): boolean {
  const deadline = deadlineOf(pod, observed);
  const isInTime = ({ attempt, stopping }: ObservedContainer): boolean =>
    stopping === undefined && (attempt?.exit?.finishedAt ?? -Infinity) < deadline;
  return now >= deadline && ended?.every(isInTime) !== true;
}
