import type { Cause } from "@sluice/kubernetes";

const QUALIFIED = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/u;
const COMPUTE: readonly string[] = ["cpu", "memory", "ephemeral-storage"];
const OBJECTS: readonly string[] = [
  "pods",
  "services",
  "services.nodeports",
  "services.loadbalancers",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
];
const QUOTA: readonly string[] = [...COMPUTE, ...COMPUTE.flatMap((name) => [`requests.${name}`, `limits.${name}`]), "requests.storage", ...OBJECTS];

/** Whether a quota can bound it without naming a group. */
export function isQuotaResource(name: string): boolean {
  return QUOTA.includes(name) || name.startsWith("hugepages-") || name.startsWith("requests.hugepages-");
}

/** Whether a resource is Kubernetes' own: the others are the extended ones, of which nobody gets more than they ask for. */
export function isNativeResource(name: string): boolean {
  return !name.includes("/") || name.includes("kubernetes.io/");
}

/** Whether an amount of it must be whole. */
export function isWhole(name: string): boolean {
  return OBJECTS.includes(name) || (!isNativeResource(name) && !name.startsWith("requests.") && isQualified(`requests.${name}`));
}

/** What is wrong with the name of a resource that a quota bounds. */
export function quotaResourceProblems(name: string, field: string): Cause[] {
  if (!isQualified(name)) return [refused(field, name, QUALIFIED_RULE)];
  if (name.includes("/")) return [];
  if (name !== "storage" && !isQuotaResource(name)) return [refused(field, name, "must be a standard resource type or fully qualified")];
  return isQuotaResource(name) ? [] : [refused(field, name, "must be a standard resource for quota")];
}

/** What is wrong with the name of a resource that a limit range bounds. */
export function limitResourceProblems(name: string, field: string, options: { readonly ofContainers: boolean }): Cause[] {
  if (!isQualified(name)) return [refused(field, name, QUALIFIED_RULE)];
  if (!name.includes("/")) {
    if (name !== "storage" && !isQuotaResource(name)) return [refused(field, name, "must be a standard resource type or fully qualified")];
    const isContainers = COMPUTE.includes(name) || name.startsWith("hugepages-");
    return options.ofContainers && !isContainers ? [refused(field, name, "must be a standard resource for containers")] : [];
  }
  const isExtended = !name.startsWith("requests.") && isQualified(`requests.${name}`);
  return options.ofContainers && !isNativeResource(name) && !isExtended
    ? [refused(field, name, "doesn't follow extended resource name standard")]
    : [];
}

/** The cause for a value that breaks a rule. */
export function refused(field: string, value: unknown, why: string): Cause {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` };
}

const QUALIFIED_RULE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

function isQualified(name: string): boolean {
  return QUALIFIED.test(name);
}
