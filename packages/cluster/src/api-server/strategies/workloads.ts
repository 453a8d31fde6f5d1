import {
  isApiError,
  jsonEqual,
  labelSelectorFrom,
  type Cause,
  type CronJob,
  type LabelSelectorSpec,
  type PodSpec,
  type ReplicationController,
  type StatefulSet,
  type UnknownObject,
} from "@sluice/kubernetes";
import type { Strategy } from "../strategy.ts";
import { forbid, unchanged } from "./immutable.ts";
import { validatePodSpec } from "./pod-validation.ts";

/** What Deployments, ReplicaSets, DaemonSets and StatefulSets have in common. */
interface Workload {
  readonly spec: {
    readonly selector?: LabelSelectorSpec;
    readonly template: { readonly metadata?: { readonly labels?: Record<string, string> }; readonly spec?: PodSpec };
  };
}

/** Workloads that keep pods running: what they select they must make, and never something else. */
export const workloadStrategy: Strategy = {
  validate: (next, current) => {
    const { spec } = next as UnknownObject & Workload;
    const before = (current as (UnknownObject & Workload) | undefined)?.spec;
    return [...validateTemplate(spec), ...(before === undefined ? [] : unchanged("spec", spec, before, ["selector"]))];
  },
};

/** ReplicationControllers: they select what their template makes, unless they say otherwise; their pods stay when they go. */
export const replicationControllerStrategy: Strategy = {
  orphansByDefault: true,
  prepareCreate: (object) => {
    const controller = object as UnknownObject & ReplicationController;
    const { metadata, spec } = controller;
    const labels = spec.template?.metadata?.labels;
    if (labels === undefined) return controller;
    return { ...controller, metadata: { ...metadata, labels: metadata.labels ?? labels }, spec: { ...spec, selector: spec.selector ?? labels } };
  },
  validate: (next) => {
    const { selector = {}, template } = (next as UnknownObject & ReplicationController).spec;
    if (template === undefined) return [{ reason: "FieldValueRequired", field: "spec.template", message: "Required value" }];
    if (Object.keys(selector).length === 0) return [{ reason: "FieldValueRequired", field: "spec.selector", message: "Required value" }];
    return validateTemplate({ selector: { matchLabels: selector }, template });
  },
};

const CHANGEABLE = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
] as const;

/** StatefulSets: of their spec little may change, as their pods and claims outlive it. */
export const statefulSetStrategy: Strategy = {
  validate: (next, current) => {
    const { spec } = next as UnknownObject & StatefulSet;
    const causes = validateTemplate({ ...spec, template: withClaims(spec) });
    const before = (current as (UnknownObject & StatefulSet) | undefined)?.spec;
    if (before === undefined) return causes;
    const others: Record<string, undefined> = Object.fromEntries(CHANGEABLE.map((field) => [field, undefined]));
    if (jsonEqual({ ...spec, ...others }, { ...before, ...others })) return causes;
    const message =
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
    return [...causes, forbid("spec", message)];
  },
};

/** The template with a volume for each claim, as the pods have it. */
function withClaims({ template, volumeClaimTemplates = [] }: StatefulSet["spec"]): StatefulSet["spec"]["template"] {
  const volumes = volumeClaimTemplates.map(({ metadata: { name } }) => ({ name, persistentVolumeClaim: { claimName: name } }));
  const names = new Set(volumes.map(({ name }) => name));
  const others = (template.spec.volumes ?? []).filter(({ name }) => !names.has(name));
  return { ...template, spec: { ...template.spec, volumes: [...volumes, ...others] } };
}

/** CronJobs: their pods must come to an end. */
export const cronJobStrategy: Strategy = {
  validate: (next) => {
    return validateFinite((next as UnknownObject & CronJob).spec.jobTemplate.spec?.template.spec, "spec.jobTemplate.spec.template.spec");
  },
};

/** What is wrong with a template whose pods must come to an end. */
export function validateFinite(spec: PodSpec | undefined, path: string): Cause[] {
  const policy = spec?.restartPolicy;
  const causes = spec === undefined ? [] : validatePodSpec(spec, path);
  if (policy === "OnFailure" || policy === "Never") return causes;
  const message = `Unsupported value: ${JSON.stringify(policy ?? "Always")}: supported values: "OnFailure", "Never"`;
  return [...causes, { reason: "FieldValueNotSupported", field: `${path}.restartPolicy`, message }];
}

function validateTemplate({ selector, template }: Workload["spec"]): Cause[] {
  const causes = template.spec === undefined ? [] : validatePodSpec(template.spec, "spec.template.spec");
  const { labels = {} } = template.metadata ?? {};
  if (selector === undefined) causes.push({ reason: "FieldValueRequired", field: "spec.selector", message: "Required value" });
  else if (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0) {
    causes.push({
      reason: "FieldValueInvalid",
      field: "spec.selector",
      message: `Invalid value: ${JSON.stringify(selector)}: empty selector is invalid for deployment`,
    });
  } else if (!selects(selector, labels)) {
    causes.push({
      reason: "FieldValueInvalid",
      field: "spec.template.metadata.labels",
      message: `Invalid value: ${JSON.stringify(labels)}: \`selector\` does not match template \`labels\``,
    });
  }
  const policy = template.spec?.restartPolicy;
  if (policy !== undefined && policy !== "Always") {
    causes.push({
      reason: "FieldValueNotSupported",
      field: "spec.template.spec.restartPolicy",
      message: `Unsupported value: ${JSON.stringify(policy)}: supported values: "Always"`,
    });
  }
  return causes;
}

function selects(selector: LabelSelectorSpec, labels: Record<string, string>): boolean {
  try {
    return labelSelectorFrom(selector).matches(labels);
  } catch (error) {
    if (isApiError(error)) return false; // A selector that is none selects nothing.
    throw error;
  }
}
