import type { Container, ContainerState, ContainerStateTerminated, ContainerStatus } from "@sluice/kubernetes";
import { timestamp } from "../../api-server/request-context.ts";
import type { Attempt, Blocked, ObservedContainer } from "./observed-pod.ts";
import type { PodView } from "./pod-view.ts";
import { delayOf, nextCrashes, restartAt } from "./restart-backoff.ts";
import { isSidecar, willRestart } from "./restart-policy.ts";

/** How long a failed pull shows as such before it shows as waiting for the next. */
const PULL_ERROR_MS = 1000;

/** A container's status by the rules of the kubelet. */
export function containerStatus(container: Container, isInit: boolean, view: PodView): ContainerStatus {
  const seen = view.at(container);
  const { attempt, previous, isStarted, isReady } = seen;
  const state = stateOf(container, isInit, seen, view);
  const last =
    state.waiting !== undefined && attempt?.exit !== undefined
      ? attempt
      : attempt?.exit === undefined || state.terminated !== undefined
        ? previous
        : undefined;
  const isRunning = state.running !== undefined;
  const hasSucceeded = isInit && !isSidecar(container) && state.terminated?.exitCode === 0;
  return {
    name: container.name,
    state,
    lastState: last === undefined ? {} : { terminated: terminatedOf(last) },
    ready: hasSucceeded || (isRunning && isReady),
    restartCount: attempt?.restartCount ?? 0,
    image: container.image ?? "",
    imageID: attempt?.imageId ?? "",
    ...(attempt?.startedAt === undefined && attempt?.exit === undefined ? {} : { containerID: attempt.containerId }),
    started: isRunning && isStarted,
  };
}

function stateOf(container: Container, isInit: boolean, seen: ObservedContainer, view: PodView): ContainerState {
  const { attempt, isStarting, progress, blocked } = seen;
  const { pod, now, restartBackoff, isStopping } = view;
  if (attempt !== undefined && attempt.exit === undefined && attempt.startedAt !== undefined)
    return { running: { startedAt: timestamp(attempt.startedAt) } };
  if (blocked !== undefined && progress === undefined) return { waiting: waitingFor(container, blocked, view) };
  if (isStarting === true && attempt?.exit === undefined) return { waiting: creating(view, progress) };
  if (attempt?.exit === undefined) return { waiting: attempt === undefined ? untouched(view) : creating(view, progress) };
  if (isStarting === true) return progress === undefined ? { terminated: terminatedOf(attempt) } : { waiting: creating(view, progress) };
  if (isStopping || !willRestart(pod, container, isInit, attempt.exit.exitCode)) return { terminated: terminatedOf(attempt) };

  const ended = { crashes: attempt.crashes, exit: attempt.exit };
  if (now >= restartAt(ended, restartBackoff)) return { terminated: terminatedOf(attempt) };
  const delay = delayOf(nextCrashes(ended, restartBackoff) - 1, restartBackoff);
  const { name, namespace, uid } = pod.metadata;
  return {
    waiting: {
      reason: "CrashLoopBackOff",
      message: `back-off ${duration(delay)} restarting failed container=${container.name} pod=${name}_${namespace ?? ""}(${uid ?? ""})`,
    },
  };
}

function creating({ observed }: PodView, progress: string | undefined): NonNullable<ContainerState["waiting"]> {
  const { setup } = observed;
  const message = progress ?? (setup.state === "failed" ? setup.message : undefined);
  return { reason: "ContainerCreating", ...(message === undefined ? {} : { message }) };
}

/** As upstream, containers of a pod with init containers wait for the pod to initialise, those init containers too. */
function untouched(view: PodView): NonNullable<ContainerState["waiting"]> {
  return (view.pod.spec.initContainers ?? []).length > 0 ? { reason: "PodInitializing" } : creating(view, undefined);
}

function waitingFor(container: Container, { reason, message, since }: Blocked, { now, wake }: PodView): NonNullable<ContainerState["waiting"]> {
  if (reason !== "ErrImagePull") return { reason, message };
  if (now < since + PULL_ERROR_MS) {
    wake(since + PULL_ERROR_MS);
    return { reason, message };
  }
  return { reason: "ImagePullBackOff", message: `Back-off pulling image ${JSON.stringify(container.image ?? "")}: ${message}` };
}

function terminatedOf({ exit, containerId }: Attempt): ContainerStateTerminated {
  if (exit === undefined) throw new Error("the container has not ended");
  const { exitCode, reason, message, startedAt, finishedAt } = exit;
  return {
    exitCode,
    reason,
    ...(message === undefined ? {} : { message }),
    startedAt: timestamp(startedAt),
    finishedAt: timestamp(finishedAt),
    containerID: containerId,
  };
}

/** As Go writes durations: `10s`, `2m40s`. */
function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 1) return `${ms}ms`;
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${Math.round(seconds % 60)}s`;
}
