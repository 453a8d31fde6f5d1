import type { DiscoveryEndpointPort, Endpoint, EndpointSlice, Pod, Service } from "@sluice/kubernetes";

const MOST_ENDPOINTS = 100;
/** Who keeps a slice. */
export const MANAGED_BY = "endpointslice-controller.k8s.io";

/** The slices that a service's pods make, under stable names. Pods without an address, or that have ended, are not in them. */
export function planEndpointSlices(service: Service, pods: readonly Pod[]): EndpointSlice[] {
  const { metadata, spec } = service;
  const reachable = pods.filter(({ status }) => (status?.podIP ?? "") !== "" && status?.phase !== "Succeeded" && status?.phase !== "Failed");
  const sorted = reachable.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  // Pods may give one port name different numbers: they cannot share a slice.
  const groups = Map.groupBy(sorted, (pod) => JSON.stringify(portsOf(service, pod)));
  if (groups.size === 0) groups.set(JSON.stringify(portsOf(service, undefined)), []);
  const slices: EndpointSlice[] = [];
  for (const [ports, members] of [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    for (let start = 0; start === 0 || start < members.length; start += MOST_ENDPOINTS) {
      slices.push({
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: {
          name: `${metadata.name}-${slices.length}`,
          ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
          labels: {
            ...metadata.labels,
            ...(spec.clusterIP === "None" ? { "service.kubernetes.io/headless": "" } : {}),
            "kubernetes.io/service-name": metadata.name,
            "endpointslice.kubernetes.io/managed-by": MANAGED_BY,
          },
          ownerReferences: [
            { apiVersion: "v1", kind: "Service", name: metadata.name, uid: metadata.uid ?? "", controller: true, blockOwnerDeletion: true },
          ],
        },
        addressType: "IPv4",
        endpoints: members.slice(start, start + MOST_ENDPOINTS).map((pod) => endpointOf(service, pod)),
        ports: JSON.parse(ports) as DiscoveryEndpointPort[],
      });
    }
  }
  return slices;
}

function endpointOf({ metadata: { name: serviceName }, spec: wish }: Service, { metadata, spec, status }: Pod): Endpoint {
  const terminating = metadata.deletionTimestamp !== undefined;
  const serving = status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
  const { name, namespace, uid } = metadata;
  return {
    addresses: [status?.podIP ?? ""],
    conditions: { ready: wish.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    ...(spec.hostname !== undefined && spec.subdomain === serviceName ? { hostname: spec.hostname } : {}),
    ...(spec.nodeName === undefined ? {} : { nodeName: spec.nodeName }),
    targetRef: { kind: "Pod", name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }) },
  };
}

/** The service's ports as they are in the pod; a name that the pod does not know is left out. */
export function portsOf({ spec }: Service, pod: Pod | undefined): DiscoveryEndpointPort[] {
  return (spec.ports ?? []).flatMap(({ name = "", protocol = "TCP", port, targetPort = port, appProtocol }) => {
    const number = typeof targetPort === "number" ? targetPort : namedPort(pod, targetPort, protocol);
    return number === undefined ? [] : [{ name, protocol, port: number, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

function namedPort(pod: Pod | undefined, name: string, wanted: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const { containers = [], initContainers = [] } = pod?.spec ?? {};
  const lasting = [...containers, ...initContainers.filter(({ restartPolicy }) => restartPolicy === "Always")];
  return lasting.flatMap(({ ports = [] }) => ports).find(({ name: own, protocol = "TCP" }) => own === name && protocol === wanted)?.containerPort;
}
