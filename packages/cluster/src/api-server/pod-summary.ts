import type { Container, ContainerStatus, Pod } from "@sluice/kubernetes";
import { age } from "./human-duration.ts";

/** What a table says of a pod. */
export interface PodSummary {
  readonly ready: string;
  readonly status: string;
  readonly restarts: string;
}

/** A pod's READY, STATUS and RESTARTS by the rules of `kubectl get pods`. */
export function summarizePod(pod: Pod, now: Date): PodSummary {
  const { spec, status = {}, metadata } = pod;
  const init = summarizeInit(spec.initContainers ?? [], status.initContainerStatuses ?? []);
  const isInitialized = status.conditions?.some(({ type, status: is }) => type === "Initialized" && is === "True") === true;
  const main = init.reason === undefined || isInitialized ? summarizeMain(pod) : undefined;
  const gated = status.conditions?.some(({ type, reason }) => type === "PodScheduled" && reason === "SchedulingGated") === true;
  const sidecars = (spec.initContainers ?? []).filter(isSidecar);

  let reason = main?.reason ?? init.reason ?? (gated ? "SchedulingGated" : (status.reason ?? status.phase ?? "Unknown"));
  const isOver = status.phase === "Succeeded" || status.phase === "Failed";
  if (metadata.deletionTimestamp !== undefined && status.reason === "NodeLost") reason = "Unknown";
  else if (metadata.deletionTimestamp !== undefined && !isOver) reason = "Terminating";

  const counted = main === undefined ? (status.initContainerStatuses ?? []) : [...init.sidecars, ...(status.containerStatuses ?? [])];
  return {
    ready: `${init.ready + (main?.ready ?? 0)}/${spec.containers.length + sidecars.length}`,
    status: reason,
    restarts: restartsOf(counted, now),
  };
}

function summarizeInit(
  containers: readonly Container[],
  statuses: readonly ContainerStatus[],
): { reason: string | undefined; ready: number; sidecars: ContainerStatus[] } {
  const sidecarNames = new Set(containers.filter(isSidecar).map(({ name }) => name));
  const sidecars = statuses.filter(({ name }) => sidecarNames.has(name));
  let ready = 0;
  for (const [i, container] of statuses.entries()) {
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecarNames.has(container.name) && container.started === true) {
      if (container.ready) ready += 1;
      continue;
    }
    const reason =
      terminated !== undefined
        ? endOf(terminated)
        : waiting?.reason !== undefined && waiting.reason !== "" && waiting.reason !== "PodInitializing"
          ? waiting.reason
          : `${i}/${containers.length}`;
    return { reason: `Init:${reason}`, ready, sidecars };
  }
  return { reason: undefined, ready, sidecars };
}

function summarizeMain({ status = {} }: Pod): { reason: string | undefined; ready: number } {
  let reason: string | undefined;
  let ready = 0;
  for (const { state = {}, ready: isReady } of (status.containerStatuses ?? []).toReversed()) {
    if (state.waiting?.reason !== undefined && state.waiting.reason !== "") reason = state.waiting.reason;
    else if (state.terminated !== undefined) reason = endOf(state.terminated);
    else if (isReady && state.running !== undefined) ready += 1;
  }
  if (reason === "Completed" && ready > 0) {
    const isPodReady = status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;
    reason = isPodReady ? "Running" : "NotReady";
  }
  return { reason, ready };
}

function endOf({ reason, signal, exitCode }: { reason?: string; signal?: number; exitCode: number }): string {
  if (reason !== undefined && reason !== "") return reason;
  return signal !== undefined && signal !== 0 ? `Signal:${signal}` : `ExitCode:${exitCode}`;
}

function restartsOf(statuses: readonly ContainerStatus[], now: Date): string {
  const count = statuses.reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0);
  const last = statuses
    .map(({ lastState }) => lastState?.terminated?.finishedAt)
    .filter((time) => time !== undefined)
    .toSorted((a, b) => Date.parse(b) - Date.parse(a))[0];
  return count === 0 || last === undefined ? String(count) : `${count} (${age(last, now)} ago)`;
}

function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}
