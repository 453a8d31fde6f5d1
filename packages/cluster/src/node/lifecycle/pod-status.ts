import type { ContainerStatus, PodCondition, PodStatus } from "@sluice/kubernetes";
import { timestamp } from "../../api-server/request-context.ts";
import { containerStatus } from "./container-status.ts";
import type { PodView } from "./pod-view.ts";
import { isSidecar } from "./restart-policy.ts";

/** A pod's status as its node reports it; what others have written there stays. */
export function podStatus(view: PodView): PodStatus {
  const { pod, observed, now } = view;
  const before = pod.status ?? {};
  const inits = pod.spec.initContainers ?? [];
  const initContainerStatuses = inits.map((container) => containerStatus(container, true, view));
  const containerStatuses = pod.spec.containers.map((container) => containerStatus(container, false, view));
  const phase = phaseOf(view);
  const { reason, message } = reasonOf(view);
  const { reason: _, message: __, ...kept } = before;
  const conditions = conditionsOf(view, phase, initContainerStatuses, containerStatuses);
  return {
    ...kept,
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    conditions: mergeConditions(before.conditions ?? [], conditions, { now, generation: pod.metadata.generation }),
    startTime: before.startTime ?? timestamp(observed.startTime),
    hostIP: observed.hostIp,
    hostIPs: [{ ip: observed.hostIp }],
    ...(observed.podIp === undefined ? {} : { podIP: observed.podIp, podIPs: [{ ip: observed.podIp }] }),
    ...(inits.length === 0 ? {} : { initContainerStatuses }),
    containerStatuses,
  };
}

function phaseOf({ pod, at, isEnded, isExpired, observed, isInitialized, hasMainBegun }: PodView): "Pending" | "Running" | "Succeeded" | "Failed" {
  const mains = pod.spec.containers.map(at);
  if (isEnded) {
    const isClean = !isExpired && observed.refused === undefined;
    return isClean && mains.every(({ attempt }) => attempt?.exit?.exitCode === 0) ? "Succeeded" : "Failed";
  }
  if (!isInitialized && !hasMainBegun) return "Pending";
  return mains.every(({ attempt, previous }) => attempt?.startedAt !== undefined || attempt?.exit !== undefined || previous !== undefined)
    ? "Running"
    : "Pending";
}

function reasonOf({ observed, isExpired }: PodView): { readonly reason?: string; readonly message?: string } {
  if (observed.refused !== undefined) return observed.refused;
  if (isExpired) return { reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" };
  return {};
}

type Condition = Pick<PodCondition, "type" | "status" | "reason" | "message">;

function conditionsOf(view: PodView, phase: string, inits: readonly ContainerStatus[], mains: readonly ContainerStatus[]): Condition[] {
  const { pod, observed, isInitialized } = view;
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const over = phase === "Succeeded" ? "PodCompleted" : phase === "Failed" ? "PodFailed" : undefined;
  const incomplete = inits.filter(({ name, state, started }) => (sidecars.has(name) ? started !== true : state?.terminated?.exitCode !== 0));
  const unready = [...inits.filter(({ name }) => sidecars.has(name)), ...mains].filter(({ ready }) => !ready);
  const list = (statuses: readonly ContainerStatus[]): string => `[${statuses.map(({ name }) => name).join(" ")}]`;
  const notReady: Omit<Condition, "type"> = {
    status: "False",
    ...(over === undefined ? { reason: "ContainersNotReady", message: `containers with unready status: ${list(unready)}` } : { reason: over }),
  };
  const isReady = over === undefined && unready.length === 0;
  const closed = (pod.spec.readinessGates ?? []).filter(
    ({ conditionType }) => !pod.status?.conditions?.some(({ type, status }) => type === conditionType && status === "True"),
  );
  return [
    { type: "PodReadyToStartContainers", status: observed.setup.state === "ready" && !view.isEnded ? "True" : "False" },
    isInitialized
      ? { type: "Initialized", status: "True", ...(phase === "Succeeded" ? { reason: "PodCompleted" } : {}) }
      : {
          type: "Initialized",
          status: "False",
          reason: "ContainersNotInitialized",
          message: `containers with incomplete status: ${list(incomplete)}`,
        },
    isReady && closed.length > 0
      ? {
          type: "Ready",
          status: "False",
          reason: "ReadinessGatesNotReady",
          message: closed
            .map(
              ({ conditionType }) =>
                `corresponding condition of pod readiness gate ${JSON.stringify(conditionType)} does not exist or is not "True".`,
            )
            .join(", "),
        }
      : { type: "Ready", ...(isReady ? { status: "True" } : notReady) },
    { type: "ContainersReady", ...(isReady ? { status: "True" } : notReady) },
    { type: "PodScheduled", status: "True" },
  ];
}

/** Ours replace what they were, the time of the last transition staying while the status does; others' remain. */
function mergeConditions(
  before: readonly PodCondition[],
  ours: readonly Condition[],
  { now, generation }: { readonly now: number; readonly generation: number | undefined },
): PodCondition[] {
  const names = new Set(ours.map(({ type }) => type));
  const merged = ours.map((condition): PodCondition => {
    const old = before.find(({ type }) => type === condition.type);
    if (old !== undefined && condition.type === "PodScheduled") return old;
    const isSame = old?.status === condition.status && old.lastTransitionTime !== undefined;
    const observed = generation === undefined ? {} : { observedGeneration: generation };
    return { ...condition, ...observed, lastTransitionTime: isSame ? (old.lastTransitionTime ?? "") : timestamp(now) };
  });
  return [...merged, ...before.filter(({ type }) => !names.has(type))];
}
