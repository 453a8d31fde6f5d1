import { jsonEqual, type Job, type UnknownObject } from "@sluice/kubernetes";
import type { Strategy } from "../strategy.ts";
import { immutable, unchanged } from "./immutable.ts";
import { validateFinite } from "./workloads.ts";

/** What of a job's spec never changes, whatever its state. */
const FIXED = ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] as const;

/** Jobs: the selector and labels that tie them to their pods, and what of them may change. */
export const jobStrategy: Strategy = {
  orphansByDefault: true,
  prepareCreate: (object) => {
    const job = object as UnknownObject & Job;
    const { spec, metadata } = job;
    if (spec.manualSelector === true) return job;
    const uid = metadata.uid ?? "";
    const labels = {
      ...spec.template.metadata?.labels,
      "controller-uid": uid,
      "job-name": metadata.name,
      "batch.kubernetes.io/controller-uid": uid,
      "batch.kubernetes.io/job-name": metadata.name,
    };
    const template = { ...spec.template, metadata: { ...spec.template.metadata, labels } };
    return { ...job, spec: { ...spec, selector: { matchLabels: { "batch.kubernetes.io/controller-uid": uid } }, template } };
  },
  validate: (next, current) => {
    const { spec } = next as UnknownObject & Job;
    const causes = current === undefined ? validateFinite(spec.template.spec, "spec.template.spec") : [];
    if (spec.completionMode === "Indexed" && spec.completions === undefined) {
      causes.push({ reason: "FieldValueRequired", field: "spec.completions", message: "Required value: when completion mode is Indexed" });
    }
    if (current === undefined) return causes;
    const before = current as UnknownObject & Job;
    causes.push(...unchanged("spec", spec, before.spec, FIXED));
    const isElastic = spec.completionMode === "Indexed" && spec.completions === spec.parallelism;
    if (spec.completions !== before.spec.completions && !isElastic) causes.push(immutable("spec.completions", spec.completions));
    // A suspended job that has not started may still be placed elsewhere: queues rely on it.
    const isPlaceable = before.spec.suspend === true && before.status?.startTime === undefined;
    if (!jsonEqual(templateOf(spec.template, isPlaceable), templateOf(before.spec.template, isPlaceable)))
      causes.push(immutable("spec.template", spec.template));
    return causes;
  },
};

function templateOf(template: Job["spec"]["template"], isPlaceable: boolean): unknown {
  if (!isPlaceable) return template;
  const { nodeSelector: _, tolerations: __, affinity: ___, schedulingGates: ____, ...spec } = template.spec ?? { containers: [] };
  return { spec: { ...spec, containers: spec.containers.map(({ resources: _resources, ...container }) => container) } };
}
