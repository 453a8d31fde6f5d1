import type { Container, Pod, Probe } from "@sluice/kubernetes";
import type { ObservedContainer } from "../lifecycle/observed-pod.ts";
import type { ProbeListener } from "../probes/prober.ts";
import type { PodEvent } from "./pod-events.ts";

/** The container that is probed. */
export interface ProbedContainer {
  readonly container: Container;
  readonly pod: () => Pod;
  readonly state: () => ObservedContainer;
  readonly set: (change: Partial<ObservedContainer>) => void;
  readonly tell: (type: PodEvent["type"], reason: string, message: string) => void;
}

/** Turns what probes find into what is observed of their container, and into events. */
export function probeListener({ container, pod, state, set, tell }: ProbedContainer): ProbeListener {
  return {
    onStarted: () => set({ isStarted: true, isReady: container.readinessProbe === undefined }),
    onReady: (isReady) => {
      if (isReady !== state().isReady) set({ isReady });
    },
    onUnhealthy: (kind, probe) => {
      tell("Normal", "Killing", `Container ${container.name} failed ${kind} probe, will be restarted`);
      set({ unhealthy: { graceMs: graceMsOf(probe, pod()) }, isReady: false });
    },
    onFailure: (kind, { message }) => tell("Warning", "Unhealthy", `${kind.charAt(0).toUpperCase()}${kind.slice(1)} probe failed: ${message}`),
  };
}

/** How long a container may take to stop that its probe, or a hook, has given up. */
export function graceMsOf(probe: Pick<Probe, "terminationGracePeriodSeconds">, { spec }: Pod): number {
  return (probe.terminationGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30) * 1000;
}
