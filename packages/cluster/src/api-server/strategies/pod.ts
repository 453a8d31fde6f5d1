import { jsonEqual, type Cause, type Pod, type PodSpec, type UnknownObject } from "@sluice/kubernetes";
import type { Strategy } from "../strategy.ts";
import { admitPod, qosClass } from "./pod-admission.ts";

/** Pods: what admission gives them, what of them may change, and that they end gracefully. */
export const podStrategy: Strategy = {
  hasGeneration: true,
  returnsDeleted: true,
  prepareCreate: (object, context) => {
    const pod = object as UnknownObject & Pod;
    const spec = admitPod(pod, context);
    const gated = (spec.schedulingGates ?? []).length > 0;
    const waiting = { type: "PodScheduled", status: "False", reason: "SchedulingGated", message: "Scheduling is blocked due to non-empty scheduling gates", lastTransitionTime: context.now };
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
    return before === undefined ? validateNew(pod.spec) : validateChange(pod.spec, before.spec);
  },
  gracePeriodSeconds: (object, requested) => {
    const { spec, status } = object as UnknownObject & Pod;
    const isStarted = (spec.nodeName ?? "") !== "" && status?.phase !== "Succeeded" && status?.phase !== "Failed";
    return isStarted ? (requested ?? spec.terminationGracePeriodSeconds ?? 30) : 0;
  },
};

function validateNew(spec: PodSpec): Cause[] {
  const causes: Cause[] = [...duplicates("spec.volumes", "name", spec.volumes ?? [])];
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  const names = new Set<string>();
  for (const [list, containers] of [["initContainers", spec.initContainers ?? []], ["containers", spec.containers]] as const) {
    for (const [i, { name, image = "", volumeMounts = [] }] of containers.entries()) {
      const path = `spec.${list}[${i}]`;
      if (names.has(name)) causes.push({ reason: "FieldValueDuplicate", field: `${path}.name`, message: `Duplicate value: ${JSON.stringify(name)}` });
      names.add(name);
      if (image === "") causes.push({ reason: "FieldValueRequired", field: `${path}.image`, message: "Required value" });
      for (const [j, mount] of volumeMounts.entries()) {
        if (volumes.has(mount.name)) continue;
        causes.push({ reason: "FieldValueNotFound", field: `${path}.volumeMounts[${j}].name`, message: `Not found: ${JSON.stringify(mount.name)}` });
      }
      const paths = new Set<string>();
      for (const [j, { mountPath }] of volumeMounts.entries()) {
        if (paths.has(mountPath)) causes.push({ reason: "FieldValueInvalid", field: `${path}.volumeMounts[${j}].mountPath`, message: `Invalid value: ${JSON.stringify(mountPath)}: must be unique` });
        paths.add(mountPath);
      }
    }
  }
  return causes;
}

function duplicates<T>(path: string, field: keyof T & string, items: readonly T[]): Cause[] {
  const seen = new Set<unknown>();
  return items.flatMap((item, i) => {
    const value = item[field];
    if (!seen.has(value)) return (seen.add(value), []);
    return [{ reason: "FieldValueDuplicate", field: `${path}[${i}].${field}`, message: `Duplicate value: ${JSON.stringify(value)}` }];
  });
}

/** Of a pod's spec only images, a shorter deadline, more tolerations, and, while gated, what guides the scheduler may change. */
function validateChange(next: PodSpec, before: PodSpec): Cause[] {
  const isGated = (before.schedulingGates ?? []).length > 0;
  const fixed = ({ activeDeadlineSeconds: _, tolerations: __, schedulingGates: ___, terminationGracePeriodSeconds: ____, ...spec }: PodSpec): unknown => ({
    ...spec,
    containers: spec.containers.map(({ image: _image, ...container }) => container),
    initContainers: spec.initContainers?.map(({ image: _image, ...container }) => container),
    ...(isGated ? { nodeSelector: undefined, affinity: undefined } : {}),
  });
  const causes: Cause[] = [];
  if (!jsonEqual(fixed(next), fixed(before))) {
    const message =
      "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    causes.push({ reason: "FieldValueForbidden", field: "spec", message });
  }
  const lost = (before.tolerations ?? []).some((one) => !(next.tolerations ?? []).some((other) => jsonEqual(one, other)));
  if (lost) causes.push({ reason: "FieldValueForbidden", field: "spec.tolerations", message: "Forbidden: existing toleration can not be modified except its tolerationSeconds" });
  const known = new Set((before.schedulingGates ?? []).map(({ name }) => name));
  if ((next.schedulingGates ?? []).some(({ name }) => !known.has(name))) {
    causes.push({ reason: "FieldValueForbidden", field: "spec.schedulingGates", message: "Forbidden: only deletion is allowed" });
  }
  return causes;
}
