import type { Pod, UnknownObject } from "@sluice/kubernetes";
import type { Strategy } from "../strategy.ts";
import { admitPod, qosClass } from "./pod-admission.ts";
import { validatePodChange, validatePodSpec } from "./pod-validation.ts";

/** Pods: what admission gives them, what of them may change, and that they end gracefully. */
export const podStrategy: Strategy = {
  hasGeneration: true,
  returnsDeleted: true,
  prepareCreate: (object, context) => {
    const pod = object as UnknownObject & Pod;
    const spec = admitPod(pod, context);
    const gated = (spec.schedulingGates ?? []).length > 0;
    const waiting = {
      type: "PodScheduled",
      status: "False",
      reason: "SchedulingGated",
      message: "Scheduling is blocked due to non-empty scheduling gates",
      lastTransitionTime: context.now,
    };
    return { ...pod, spec, status: { phase: "Pending", ...(gated ? { conditions: [waiting] } : {}), qosClass: qosClass(spec) } };
  },
  prepareUpdate: (next, current) => {
    // Gates open only once: the condition that names them goes with the last.
    const { spec, status } = next as UnknownObject & Pod;
    const before = current as UnknownObject & Pod;
    if ((before.spec.schedulingGates ?? []).length === 0 || (spec.schedulingGates ?? []).length > 0) return next;
    return { ...next, status: { ...status, conditions: (status?.conditions ?? []).filter(({ reason }) => reason !== "SchedulingGated") } };
  },
  validate: (next, current) => {
    const pod = next as UnknownObject & Pod;
    const before = current as (UnknownObject & Pod) | undefined;
    return before === undefined ? validatePodSpec(pod.spec, "spec") : validatePodChange(pod.spec, before.spec);
  },
  gracePeriodSeconds: (object, requested) => {
    const { spec, status } = object as UnknownObject & Pod;
    const isStarted = (spec.nodeName ?? "") !== "" && status?.phase !== "Succeeded" && status?.phase !== "Failed";
    return isStarted ? (requested ?? spec.terminationGracePeriodSeconds ?? 30) : 0;
  },
};
