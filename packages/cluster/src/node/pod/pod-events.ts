import type { EventContent, EventRecorder } from "@sluice/controller";
import type { Pod } from "@sluice/kubernetes";

/** Something worth telling about a pod. */
export interface PodEvent extends Pick<EventContent, "type" | "reason" | "message"> {
  /** What of the pod it is about; all of it unless given. */
  readonly container?: string | undefined;
}

/** Tells users what happens to their pod, as `kubectl describe pod` shows it. */
export function tellOf(events: EventRecorder, pod: Pod, { container, ...event }: PodEvent): void {
  const isInit = (pod.spec.initContainers ?? []).some(({ name }) => name === container);
  events.record(pod, { ...event, fieldPath: container === undefined ? undefined : `spec.${isInit ? "initContainers" : "containers"}{${container}}` });
}
