import type {
  PersistentVolumeClaim,
  Pod,
  PodAffinityTerm,
  PodSpec,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
  UnknownObject,
} from "@sluice/kubernetes";
import { qosClass } from "../api-server/strategies/pod-admission.ts";

/** Whether an object of a table is one of those that a quota is about. Scopes are for pods and claims: with one, a quota has nothing to say of other kinds. */
export function isInScope({ scopes = [], scopeSelector }: ResourceQuotaSpec, table: string, object: UnknownObject): boolean {
  const requirements: readonly ScopedResourceSelectorRequirement[] = [
    ...scopes.map((scopeName) => ({ scopeName, operator: "Exists" as const })),
    ...(scopeSelector?.matchExpressions ?? []),
  ];
  return requirements.every((one) => {
    if (table === "pods") return podMatches(one, (object as UnknownObject & Pod).spec);
    return table === "persistentvolumeclaims" && claimMatches(one, object as UnknownObject & PersistentVolumeClaim);
  });
}

/** Whether a pod ends by itself after some time: the scope Terminating. */
export function isTerminating({ activeDeadlineSeconds }: PodSpec): boolean {
  return activeDeadlineSeconds !== undefined && activeDeadlineSeconds >= 0;
}

function podMatches(requirement: ScopedResourceSelectorRequirement, spec: PodSpec): boolean {
  switch (requirement.scopeName) {
    case "Terminating":
      return isTerminating(spec);
    case "NotTerminating":
      return !isTerminating(spec);
    case "BestEffort":
      return qosClass(spec) === "BestEffort";
    case "NotBestEffort":
      return qosClass(spec) !== "BestEffort";
    case "PriorityClass":
      return anyMatches(requirement, [spec.priorityClassName ?? ""]);
    case "CrossNamespacePodAffinity":
      return affinityTerms(spec).some(({ namespaces = [], namespaceSelector }) => namespaces.length > 0 || namespaceSelector !== undefined);
    case "VolumeAttributesClass":
      return false;
  }
}

function claimMatches(requirement: ScopedResourceSelectorRequirement, { spec, status }: PersistentVolumeClaim): boolean {
  if (requirement.scopeName !== "VolumeAttributesClass") return false;
  const { currentVolumeAttributesClassName: current = "", modifyVolumeStatus } = status ?? {};
  return anyMatches(requirement, [spec?.volumeAttributesClassName ?? "", current, modifyVolumeStatus?.targetVolumeAttributesClassName ?? ""]);
}

/** Judges the names as a label selector would labels: one that is empty is absent. */
function anyMatches({ operator, values = [] }: ScopedResourceSelectorRequirement, names: readonly string[]): boolean {
  const given = names.filter((name) => name !== "");
  switch (operator) {
    case "Exists":
      return given.length > 0;
    case "DoesNotExist":
      return given.length === 0;
    case "In":
      return given.some((name) => values.includes(name));
    case "NotIn":
      return given.length === 0 || given.some((name) => !values.includes(name));
  }
}

function affinityTerms({ affinity = {} }: PodSpec): PodAffinityTerm[] {
  return [affinity.podAffinity, affinity.podAntiAffinity].flatMap((one) => [
    ...(one?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(one?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
  ]);
}
