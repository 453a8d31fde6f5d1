import {
  isApiError,
  labelSelectorFrom,
  type Cause,
  type Job,
  type JobSpec,
  type PodFailurePolicyRule,
  type SuccessPolicyRule,
} from "@sluice/kubernetes";

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LONGEST_LABEL = 63;
const MOST_INDEXED = 100_000;
const DOMAIN_PATH = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/.+$/;

/** An Indexed Job says how many indexes it has. */
export const COMPLETIONS_REQUIRED: Cause = {
  reason: "FieldValueRequired",
  field: "spec.completions",
  message: "Required value: when completion mode is Indexed",
};

/** What is wrong with a new Job besides its pod template: how its pods are told apart, counted and judged. */
export function validateJob({ metadata, spec }: Job): Cause[] {
  return [...validateSelector(spec), ...validateCompletion(spec, metadata.name), ...validatePolicies(spec)];
}

function validateSelector({ selector, template, manualSelector }: JobSpec): Cause[] {
  if (selector === undefined) return [{ reason: "FieldValueRequired", field: "spec.selector", message: "Required value" }];
  if (manualSelector !== true || isMatch(selector, template.metadata?.labels)) return [];
  return [invalid("spec.template.metadata.labels", template.metadata?.labels ?? null, "`selector` does not match template `labels`")];
}

function validateCompletion(spec: JobSpec, name: string): Cause[] {
  const { completionMode, completions, parallelism = 1, backoffLimitPerIndex, maxFailedIndexes, managedBy } = spec;
  const causes: Cause[] = [];
  if (managedBy !== undefined && !DOMAIN_PATH.test(managedBy))
    causes.push(invalid("spec.managedBy", managedBy, 'must be a domain-prefixed path (such as "acme.io/foo")'));
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined)
    causes.push({ reason: "FieldValueRequired", field: "spec.backoffLimitPerIndex", message: "Required value: when maxFailedIndexes is specified" });
  if (completionMode !== "Indexed") {
    const needs = "requires indexed completion mode";
    if (backoffLimitPerIndex !== undefined) causes.push(invalid("spec.backoffLimitPerIndex", backoffLimitPerIndex, needs));
    if (maxFailedIndexes !== undefined) causes.push(invalid("spec.maxFailedIndexes", maxFailedIndexes, needs));
    if (spec.successPolicy !== undefined) causes.push(invalid("spec.successPolicy", spec.successPolicy, needs));
    return causes;
  }
  if (completions === undefined) return [...causes, COMPLETIONS_REQUIRED];
  if (parallelism > MOST_INDEXED)
    causes.push(invalid("spec.parallelism", parallelism, `must be less than or equal to ${MOST_INDEXED} when completion mode is Indexed`));
  if (maxFailedIndexes !== undefined && maxFailedIndexes > completions)
    causes.push(invalid("spec.maxFailedIndexes", maxFailedIndexes, "must be less than or equal to completions"));
  const hostname = `${name}-${completions - 1}`;
  if (completions > 0 && (hostname.length > LONGEST_LABEL || !LABEL.test(hostname)))
    causes.push(invalid("metadata.name", name, `will not able to create pod with invalid DNS label: ${hostname}`));
  return causes;
}

function validatePolicies(spec: JobSpec): Cause[] {
  const { podFailurePolicy, podReplacementPolicy, successPolicy, completionMode, template } = spec;
  const causes: Cause[] = [];
  if (podFailurePolicy !== undefined) {
    const policy = template.spec.restartPolicy;
    if (policy === "OnFailure")
      causes.push(invalid("spec.template.spec.restartPolicy", policy, 'only "Never" is supported when podFailurePolicy is specified'));
    if (podReplacementPolicy !== undefined && podReplacementPolicy !== "Failed") {
      const message = `Unsupported value: ${JSON.stringify(podReplacementPolicy)}: supported values: "Failed"`;
      causes.push({ reason: "FieldValueNotSupported", field: "spec.podReplacementPolicy", message });
    }
    for (const [i, rule] of podFailurePolicy.rules.entries()) causes.push(...validateFailureRule(rule, `spec.podFailurePolicy.rules[${i}]`, spec));
  }
  if (successPolicy === undefined || completionMode !== "Indexed") return causes;
  const path = "spec.successPolicy.rules";
  if (successPolicy.rules.length === 0)
    causes.push({
      reason: "FieldValueRequired",
      field: path,
      message: "Required value: at least one rules must be specified when the successPolicy is specified",
    });
  for (const [i, rule] of successPolicy.rules.entries()) causes.push(...validateSuccessRule(rule, `${path}[${i}]`, spec.completions ?? 0));
  return causes;
}

function validateFailureRule({ action, onExitCodes, onPodConditions = [] }: PodFailurePolicyRule, path: string, spec: JobSpec): Cause[] {
  const causes: Cause[] = [];
  if (action === "FailIndex" && spec.backoffLimitPerIndex === undefined)
    causes.push(invalid(`${path}.action`, action, "requires the backoffLimitPerIndex to be set"));
  const count = (onExitCodes === undefined ? 0 : 1) + (onPodConditions.length === 0 ? 0 : 1);
  if (count !== 1) {
    const what =
      count === 0
        ? "specifying one of OnExitCodes and OnPodConditions is required"
        : "specifying both OnExitCodes and OnPodConditions is not supported";
    causes.push({ reason: "FieldValueInvalid", field: path, message: `Invalid value: ${what}` });
  }
  if (onExitCodes === undefined) return causes;
  const { containerName, operator, values } = onExitCodes;
  const { containers, initContainers = [] } = spec.template.spec;
  if (containerName !== undefined && ![...containers, ...initContainers].some(({ name }) => name === containerName)) {
    const what = "must be one of the container or initContainer names in the pod template";
    causes.push(invalid(`${path}.onExitCodes.containerName`, containerName, what));
  }
  const where = `${path}.onExitCodes.values`;
  if (values.length === 0) causes.push(invalid(where, values, "at least one value is required"));
  if (operator === "In" && values.includes(0)) causes.push(invalid(`${where}[${values.indexOf(0)}]`, 0, "must not be 0 for the In operator"));
  if (values.some((value, i) => value < (values[i - 1] ?? -Infinity))) causes.push(invalid(where, values, "must be ordered"));
  for (const [i, value] of values.entries())
    if (values.indexOf(value) !== i) causes.push({ reason: "FieldValueDuplicate", field: `${where}[${i}]`, message: `Duplicate value: ${value}` });
  return causes;
}

function validateSuccessRule({ succeededCount, succeededIndexes }: SuccessPolicyRule, path: string, completions: number): Cause[] {
  if (succeededCount === undefined && succeededIndexes === undefined) {
    const message = "Required value: at least one of succeededCount or succeededIndexes must be specified";
    return [{ reason: "FieldValueRequired", field: path, message }];
  }
  if (succeededCount === undefined || succeededCount <= completions) return [];
  const what = `must be less than or equal to ${completions} (the number of specified completions)`;
  return [invalid(`${path}.succeededCount`, succeededCount, what)];
}

function invalid(field: string, value: unknown, why: string): Cause {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` };
}

function isMatch(selector: NonNullable<JobSpec["selector"]>, labels: Record<string, string> | undefined): boolean {
  try {
    return labelSelectorFrom(selector).matches(labels);
  } catch (error) {
    if (isApiError(error)) return false; // A selector that is none selects nothing.
    throw error;
  }
}
