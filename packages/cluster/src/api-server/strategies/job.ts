import { jsonEqual, type Container, type Job, type UnknownObject } from "@sluice/kubernetes";
import type { Strategy } from "../strategy.ts";
import { immutable, unchanged } from "./immutable.ts";
import { COMPLETIONS_REQUIRED, validateJob } from "./job-validation.ts";
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
    if (current === undefined) return [...validateFinite(spec.template.spec, "spec.template.spec"), ...validateJob(next as UnknownObject & Job)];
    const causes = spec.completionMode === "Indexed" && spec.completions === undefined ? [COMPLETIONS_REQUIRED] : [];
    const before = current as UnknownObject & Job;
    causes.push(...unchanged("spec", spec, before.spec, FIXED));
    const isElastic = spec.completionMode === "Indexed" && spec.completions === spec.parallelism;
    if (spec.completions !== before.spec.completions && !isElastic) causes.push(immutable("spec.completions", spec.completions));
    // A job that is suspended and has no pods may still be placed elsewhere: queues rely on it.
    const { startTime, active = 0, conditions = [] } = before.status ?? {};
    const isPaused = active === 0 && conditions.some(({ type, status }) => type === "Suspended" && status === "True");
    const isPlaceable = before.spec.suspend === true && (startTime === undefined || isPaused);
    if (!jsonEqual(templateOf(spec.template, isPlaceable), templateOf(before.spec.template, isPlaceable)))
      causes.push(immutable("spec.template", spec.template));
    return causes;
  },
};

/** What of a template may not change: of one that is yet to be placed neither where, nor with which labels and resources. */
function templateOf(template: Job["spec"]["template"], isPlaceable: boolean): unknown {
  if (!isPlaceable) return template;
  const { nodeSelector: _, tolerations: __, affinity, schedulingGates: ___, ...spec } = template.spec;
  const { nodeAffinity: ____, ...company } = affinity ?? {};
  const withoutResources = ({ resources: _resources, ...container }: Container): unknown => container;
  return {
    spec: {
      ...spec,
      affinity: company,
      containers: spec.containers.map(withoutResources),
      initContainers: spec.initContainers?.map(withoutResources),
    },
  };
}
