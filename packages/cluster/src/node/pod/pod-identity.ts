import type { Pod } from "@sluice/kubernetes";
import { ZONE } from "../sandbox/dns/cluster-names.ts";
import type { SandboxPod } from "../sandbox/sandbox.ts";

/** The longest name that the kernel takes for a machine. */
const LONGEST_HOSTNAME = 64;

/** The name that a pod's processes take for that of their machine. Throws where the kernel would not have it. */
export function hostnameOf(pod: Pod): string {
  const fullName = pod.spec.setHostnameAsFQDN === true ? domainNameOf(pod) : undefined;
  if ((fullName?.length ?? 0) > LONGEST_HOSTNAME) {
    throw new Error(
      `Failed to construct FQDN from Pod hostname and cluster domain, FQDN ${fullName} is too long (${LONGEST_HOSTNAME} characters is the max, ` +
        `${fullName?.length} characters requested)`,
    );
  }
  return fullName ?? shortHostnameOf(pod);
}

/** What a sandbox must know of its pod. */
export function sandboxPodOf(pod: Pod): SandboxPod {
  const { metadata, spec } = pod;
  const { uid = "", namespace = "", name } = metadata;
  const { hostNetwork = false, dnsConfig, hostAliases } = spec;
  return {
    ...{ uid, namespace, name, hostNetwork, hostAliases },
    hostname: hostnameOf(pod),
    domainName: domainNameOf(pod),
    resolver: { policy: resolverPolicyOf(pod), config: dnsConfig },
  };
}

/** `hostname.subdomain.namespace.svc.cluster.local`, of a pod with a subdomain. */
function domainNameOf(pod: Pod): string | undefined {
  const { subdomain = "", hostnameOverride = "" } = pod.spec;
  return subdomain === "" || hostnameOverride !== "" ? undefined : `${shortHostnameOf(pod)}.${subdomain}.${pod.metadata.namespace ?? ""}.svc.${ZONE}`;
}

function shortHostnameOf({ metadata, spec }: Pod): string {
  return spec.hostnameOverride ?? spec.hostname ?? metadata.name.slice(0, 63).replace(/[-.]+$/, "");
}

function resolverPolicyOf({ spec }: Pod): "cluster" | "machine" | "none" {
  const { dnsPolicy = "ClusterFirst" } = spec;
  switch (dnsPolicy) {
    case "None":
      return "none";
    case "Default":
      return "machine";
    case "ClusterFirstWithHostNet":
      return "cluster";
    case "ClusterFirst":
      return spec.hostNetwork === true ? "machine" : "cluster";
  }
}
