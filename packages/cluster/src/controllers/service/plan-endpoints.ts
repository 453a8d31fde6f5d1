import type { EndpointAddress, Endpoints, EndpointSubset, Pod, Service } from "@sluice/kubernetes";
import { portsOf } from "./plan-endpoint-slices.ts";

/** Label: who keeps an Endpoints object. */
export const ENDPOINTS_MANAGED_BY = "endpoints.kubernetes.io/managed-by";
/** The value of that label for those that follow the pods of a service. */
export const ENDPOINT_CONTROLLER = "endpoint-controller";
/** More are not written: who needs them reads EndpointSlices. */
const MOST_ADDRESSES = 1000;

/** The Endpoints that a service's pods make, as the older API shows them: in subsets of pods with the same ports. */
export function planEndpoints(service: Service, pods: readonly Pod[]): Endpoints {
  const { metadata, spec } = service;
  const showsAll = spec.publishNotReadyAddresses === true;
  const reachable = pods
    .filter(({ status }) => (status?.podIP ?? "") !== "" && status?.phase !== "Succeeded" && status?.phase !== "Failed")
    .filter((pod) => showsAll || pod.metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const shown = reachable.slice(0, MOST_ADDRESSES);
  const groups = Map.groupBy(shown, (pod) => JSON.stringify(portsOf(service, pod)));
  const subsets = [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([ports, members]) => {
      if (ports === "[]" && (spec.ports ?? []).length > 0) return []; // None of the service's ports is in the pod.
      return [subsetOf(service, members, JSON.parse(ports) as NonNullable<EndpointSubset["ports"]>)];
    });
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      name: metadata.name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: {
        ...metadata.labels,
        ...(spec.clusterIP === "None" ? { "service.kubernetes.io/headless": "" } : {}),
        [ENDPOINTS_MANAGED_BY]: ENDPOINT_CONTROLLER,
      },
      ...(reachable.length > MOST_ADDRESSES ? { annotations: { "endpoints.kubernetes.io/over-capacity": "truncated" } } : {}),
    },
    ...(subsets.length === 0 ? {} : { subsets }),
  };
}

function subsetOf(service: Service, pods: readonly Pod[], ports: NonNullable<EndpointSubset["ports"]>): EndpointSubset {
  const isReady = ({ status }: Pod): boolean =>
    service.spec.publishNotReadyAddresses === true ||
    status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
  const ready = pods.filter(isReady);
  const others = pods.filter((pod) => !isReady(pod));
  const named = ports.map(({ name = "", ...port }) => (name === "" ? port : { name, ...port }));
  return {
    ...(ready.length === 0 ? {} : { addresses: ready.map((pod) => addressOf(service, pod)) }),
    ...(others.length === 0 ? {} : { notReadyAddresses: others.map((pod) => addressOf(service, pod)) }),
    ...(named.length === 0 ? {} : { ports: named }),
  };
}

function addressOf({ metadata: { name: serviceName } }: Service, { metadata, spec, status }: Pod): EndpointAddress {
  const { name, namespace, uid } = metadata;
  return {
    ip: status?.podIP ?? "",
    ...(spec.hostname !== undefined && spec.subdomain === serviceName ? { hostname: spec.hostname } : {}),
    ...(spec.nodeName === undefined ? {} : { nodeName: spec.nodeName }),
    targetRef: { kind: "Pod", name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }) },
  };
}
