import type { Service, ServicePort, ServiceSpec, UnknownObject } from "@sluice/kubernetes";
import type { Strategy } from "../strategy.ts";
import { allocateService, hasNodePorts } from "./service-allocation.ts";
import { validateService } from "./service-validation.ts";

const AFFINITY_SECONDS = 10_800;

/** Services: their defaults, what they may be, and the address and node ports that they get and keep. */
export const serviceStrategy: Strategy = {
  nameRule: "service",
  hasGeneration: false,
  returnsDeleted: true,
  prepareCreate: (object) => {
    const service = object as UnknownObject & Service;
    return { ...service, spec: withDefaults(service.spec), status: { loadBalancer: {} } };
  },
  prepareUpdate: (next, current) => {
    const [service, before] = [next as UnknownObject & Service, current as UnknownObject & Service];
    return { ...service, spec: withDefaults(succeed(service.spec, before.spec)) };
  },
  validate: (next, current) => validateService(next as UnknownObject & Service, current as (UnknownObject & Service) | undefined),
  allocate: (object, context) => allocateService(object as UnknownObject & Service, context),
};

function withDefaults(spec: ServiceSpec): ServiceSpec {
  const { type = "ClusterIP", sessionAffinity = "None", sessionAffinityConfig, clusterIP, clusterIPs, ports, internalTrafficPolicy, ...rest } = spec;
  const affinity: ServiceSpec =
    sessionAffinity === "None"
      ? { sessionAffinity }
      : {
          sessionAffinity,
          sessionAffinityConfig: { clientIP: { timeoutSeconds: sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS } },
        };
  const common: ServiceSpec = {
    ...rest,
    ...affinity,
    type,
    ...(ports === undefined || ports.length === 0 ? {} : { ports: ports.map(withPortDefaults) }),
  };
  const address = clusterIP === undefined || clusterIP === "" ? clusterIPs?.[0] : clusterIP;
  const addresses: ServiceSpec =
    address === undefined || address === "" ? {} : { clusterIP: address, clusterIPs: clusterIPs?.[0] === address ? clusterIPs : [address] };
  if (type === "ExternalName") return { ...common, ...addresses };
  const isOutside = type === "NodePort" || type === "LoadBalancer";
  const hasNoPods = address === "None" && Object.keys(spec.selector ?? {}).length === 0;
  return {
    ...common,
    ...addresses,
    internalTrafficPolicy: internalTrafficPolicy ?? "Cluster",
    ipFamilies: spec.ipFamilies ?? (hasNoPods ? ["IPv4", "IPv6"] : ["IPv4"]),
    ipFamilyPolicy: spec.ipFamilyPolicy ?? (hasNoPods ? "RequireDualStack" : "SingleStack"),
    ...(isOutside ? { externalTrafficPolicy: spec.externalTrafficPolicy ?? "Cluster" } : {}),
    ...(type === "LoadBalancer" ? { allocateLoadBalancerNodePorts: spec.allocateLoadBalancerNodePorts ?? true } : {}),
  };
}

function withPortDefaults({ nodePort = 0, ...port }: ServicePort): ServicePort {
  return { ...port, protocol: port.protocol ?? "TCP", targetPort: port.targetPort ?? port.port, ...(nodePort === 0 ? {} : { nodePort }) };
}

/** What a new version need not say again, and what it says only because it has not heard that the type has changed. */
function succeed(next: ServiceSpec, before: ServiceSpec): ServiceSpec {
  const isElsewhere = next.type === "ExternalName";
  const spec = { ...next };
  if (before.type !== "ExternalName") {
    if (isElsewhere) {
      for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] as const) delete spec[field];
    } else if ((spec.clusterIP ?? "") === "" && (spec.clusterIPs ?? []).length === 0) {
      if (before.clusterIP !== undefined) spec.clusterIP = before.clusterIP;
    }
  }
  if (next.type !== "LoadBalancer" && before.type === "LoadBalancer") delete spec.allocateLoadBalancerNodePorts;
  if (next.type !== "LoadBalancer" && next.type !== "NodePort" && hasNodePorts(before)) delete spec.externalTrafficPolicy;
  const ports = (spec.ports ?? []).map((port): ServicePort => {
    const { nodePort = 0, ...rest } = port;
    const earlier = (before.ports ?? []).find((old) => old.port === port.port && (old.protocol ?? "TCP") === (port.protocol ?? "TCP"))?.nodePort;
    if (!hasNodePorts(before) || earlier === undefined) return port;
    if (hasNodePorts(next)) return nodePort === 0 ? { ...rest, nodePort: earlier } : port;
    return nodePort === earlier ? rest : port;
  });
  return ports.length === 0 ? spec : { ...spec, ports };
}
