import type { Cause, Service, ServicePort, ServiceSpec } from "@sluice/kubernetes";
import { parseAddress } from "../../node/sandbox/network/subnet.ts";

const LONGEST_AFFINITY_SECONDS = 86_400;

/** What is wrong with a service, or with its change from `current`, in the words of upstream. */
export function validateService({ spec }: Service, current: Service | undefined): readonly Cause[] {
  return [
    ...typeFaults(spec),
    ...affinityFaults(spec),
    ...familyFaults(spec),
    ...portFaults(spec),
    ...(current === undefined ? [] : changeFaults(spec, current.spec)),
  ];
}

/** Strings as Go prints them. */
export function goStrings(list: readonly string[]): string {
  return `[]string{${list.map((text) => JSON.stringify(text)).join(", ")}}`;
}

function required(field: string): Cause {
  return { reason: "FieldValueRequired", field, message: "Required value" };
}

function forbidden(field: string, why: string): Cause {
  return { reason: "FieldValueForbidden", field, message: `Forbidden: ${why}` };
}

/** `value` is as Go prints it. */
function invalid(field: string, value: string, why: string): Cause {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${value}: ${why}` };
}

function duplicate(field: string, value: unknown): Cause {
  return { reason: "FieldValueDuplicate", field, message: `Duplicate value: ${JSON.stringify(value)}` };
}

function typeFaults({ type, clusterIP, clusterIPs = [], externalName = "", ports = [], ...spec }: ServiceSpec): Cause[] {
  const isHeadless = clusterIP === "None";
  if (type === "ExternalName") {
    return [
      ...(clusterIPs.length > 0 ? [forbidden("spec.clusterIPs", "may not be set for ExternalName services")] : []),
      ...(spec.ipFamilies !== undefined ? [forbidden("spec.ipFamilies", "may not be set for ExternalName services")] : []),
      ...(spec.ipFamilyPolicy !== undefined ? [forbidden("spec.ipFamilyPolicy", "may not be set for ExternalName services")] : []),
      ...(externalName === "" ? [required("spec.externalName")] : []),
    ];
  }
  const isAddress = clusterIP === undefined || isHeadless || parseAddress(clusterIP) !== undefined;
  return [
    ...(ports.length === 0 && !isHeadless ? [required("spec.ports")] : []),
    ...(isHeadless && type !== "ClusterIP" ? [invalid("spec.clusterIPs[0]", '"None"', `may not be set to 'None' for ${type ?? ""} services`)] : []),
    ...(isAddress ? [] : [invalid("spec.clusterIPs[0]", JSON.stringify(clusterIP), "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]),
    ...(spec.allocateLoadBalancerNodePorts !== undefined && type !== "LoadBalancer"
      ? [forbidden("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'")]
      : []),
    ...(spec.externalTrafficPolicy !== undefined && type === "ClusterIP"
      ? [invalid("spec.externalTrafficPolicy", JSON.stringify(spec.externalTrafficPolicy), "may only be set for externally-accessible services")]
      : []),
  ];
}

function affinityFaults({ sessionAffinity, sessionAffinityConfig }: ServiceSpec): Cause[] {
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (sessionAffinity !== "ClientIP" || seconds === undefined || (seconds > 0 && seconds <= LONGEST_AFFINITY_SECONDS)) return [];
  return [
    invalid(
      "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
      String(seconds),
      `must be greater than 0 and less than ${LONGEST_AFFINITY_SECONDS}`,
    ),
  ];
}

/** This cluster has IPv4 only. */
function familyFaults({ type, clusterIP, selector = {}, ipFamilies = [], ipFamilyPolicy }: ServiceSpec): Cause[] {
  const isFree = type === "ExternalName" || (clusterIP === "None" && Object.keys(selector).length === 0);
  if (isFree) return [];
  return [
    ...(ipFamilyPolicy === "RequireDualStack"
      ? [invalid("spec.ipFamilyPolicy", '"RequireDualStack"', "this cluster is not configured for dual-stack services")]
      : []),
    ...ipFamilies.flatMap((family, index) =>
      family === "IPv4" ? [] : [invalid(`spec.ipFamilies[${index}]`, JSON.stringify(family), "not configured on this cluster")],
    ),
  ];
}

function portFaults({ type, ports = [] }: ServiceSpec): Cause[] {
  const seen = { names: new Set<string>(), ports: new Set<string>(), nodePorts: new Set<string>() };
  const isTaken = (set: Set<string>, value: string): boolean => set.size === set.add(value).size;
  return ports.flatMap(({ name = "", port, protocol = "TCP", targetPort, nodePort = 0 }: ServicePort, index) => {
    const field = `spec.ports[${index}]`;
    const range = (child: string, value: number): Cause[] =>
      value >= 1 && value <= 65_535 ? [] : [invalid(`${field}.${child}`, String(value), "must be between 1 and 65535, inclusive")];
    return [
      ...(name === "" ? (ports.length > 1 ? [required(`${field}.name`)] : []) : isTaken(seen.names, name) ? [duplicate(`${field}.name`, name)] : []),
      ...range("port", port),
      ...(typeof targetPort === "number" ? range("targetPort", targetPort) : []),
      ...(nodePort !== 0 && type === "ClusterIP" ? [forbidden(`${field}.nodePort`, "may not be used when `type` is 'ClusterIP'")] : []),
      ...(isTaken(seen.ports, `${protocol} ${port}`) ? [duplicate(field, { protocol, port })] : []),
      ...(nodePort !== 0 && isTaken(seen.nodePorts, `${protocol} ${nodePort}`) ? [duplicate(`${field}.nodePort`, nodePort)] : []),
    ];
  });
}

function changeFaults(next: ServiceSpec, before: ServiceSpec): Cause[] {
  if (next.type === "ExternalName" || before.type === "ExternalName") return [];
  const [old] = before.clusterIPs ?? [];
  const { clusterIPs = [] } = next;
  return old === undefined || clusterIPs[0] === old ? [] : [invalid("spec.clusterIPs[0]", goStrings(clusterIPs), "may not change once set")];
}
