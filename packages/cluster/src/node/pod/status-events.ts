import type { ContainerStatus, Pod, PodStatus } from "@sluice/kubernetes";
import type { PodEvent } from "./pod-events.ts";

/** What users are to be told of a change of a pod's status. */
export function statusEvents(before: PodStatus | undefined, { metadata, spec, status }: Pod): PodEvent[] {
  const events: PodEvent[] = [];
  const earlier = new Map(statuses(before).map((container) => [container.name, container]));
  for (const { name, state, image } of statuses(status)) {
    const reason = state?.waiting?.reason;
    if (reason === earlier.get(name)?.state?.waiting?.reason) continue;
    if (reason === "CrashLoopBackOff") {
      const message = `Back-off restarting failed container ${name} in pod ${metadata.name}_${metadata.namespace ?? ""}(${metadata.uid ?? ""})`;
      events.push({ type: "Warning", reason: "BackOff", message, container: name });
    } else if (reason === "ImagePullBackOff") {
      events.push({ type: "Normal", reason: "BackOff", message: `Back-off pulling image ${JSON.stringify(image)}`, container: name });
      events.push({ type: "Warning", reason: "Failed", message: "Error: ImagePullBackOff", container: name });
    }
  }
  if (status?.reason !== undefined && status.reason !== before?.reason && spec.containers.length > 0) {
    events.push({ type: "Warning", reason: status.reason, message: status.message ?? "" });
  }
  return events;
}

function statuses(status: PodStatus | undefined): readonly ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}
