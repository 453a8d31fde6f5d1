import type { ContainerStatus, Job, Pod, PodFailurePolicyAction, PodFailurePolicyOnExitCodesRequirement } from "@sluice/kubernetes";

/** What a Job's policy makes of a failed pod: whether the failure counts, and the action and reason if a rule applies. */
export interface FailureVerdict {
  readonly counts: boolean;
  readonly action?: PodFailurePolicyAction;
  readonly message?: string;
}

/** Judges a failed pod by the first rule that applies. */
export function judgeFailure({ spec }: Job, pod: Pod): FailureVerdict {
  for (const [i, rule] of (spec.podFailurePolicy?.rules ?? []).entries()) {
    const { action, onExitCodes, onPodConditions } = rule;
    const cause = onExitCodes === undefined ? conditionCause(pod, onPodConditions) : exitCause(pod, onExitCodes);
    if (cause === undefined) continue;
    return { counts: action !== "Ignore", action, message: `${cause} matching ${action} rule at index ${i}` };
  }
  return { counts: true };
}

function exitCause({ metadata, status }: Pod, requirement: PodFailurePolicyOnExitCodesRequirement): string | undefined {
  const matches = ({ name, state }: ContainerStatus): boolean => {
    const code = state?.terminated?.exitCode ?? 0;
    if (code === 0 || (requirement.containerName !== undefined && requirement.containerName !== name)) return false;
    return requirement.values.includes(code) === (requirement.operator === "In");
  };
  const found = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].find(matches);
  if (found === undefined) return undefined;
  return `Container ${found.name} for pod ${metadata.namespace ?? ""}/${metadata.name} failed with exit code ${found.state?.terminated?.exitCode ?? 0}`;
}

function conditionCause(
  { metadata, status }: Pod,
  patterns: readonly { readonly type: string; readonly status?: string }[] = [],
): string | undefined {
  const found = status?.conditions?.find((condition) =>
    patterns.some((pattern) => pattern.type === condition.type && (pattern.status ?? "True") === condition.status),
  );
  return found === undefined ? undefined : `Pod ${metadata.namespace ?? ""}/${metadata.name} has condition ${found.type}`;
}
