import { isIPv6 } from "node:net";
import { defineController, type Controller } from "@sluice/controller";
import { Endpoints, EndpointSlice, Service, type Endpoint, type EndpointAddress } from "@sluice/kubernetes";
import { controllerReference } from "../apps/claim.ts";
import { keepSlices } from "./keep-slices.ts";

const MANAGED_BY = "endpointslicemirroring-controller.k8s.io";
const SKIP = "endpointslice.kubernetes.io/skip-mirror";
const LEADER = "control-plane.alpha.kubernetes.io/leader";
const UNCOPIED: ReadonlySet<string> = new Set([
  "endpoints.kubernetes.io/last-change-trigger-time",
  "kubectl.kubernetes.io/last-applied-configuration",
]);
/** As upstream: of one subset more are not mirrored. */
const MOST_ADDRESSES = 1000;

/** Shows Endpoints that somebody has written by hand, for a service without selector, as EndpointSlices. */
export function endpointsMirror(): Controller {
  return defineController({
    name: "endpointslice-mirroring-controller",
    for: Endpoints,
    owns: [EndpointSlice],
    watches: [{ resource: Service, keys: ({ metadata }) => [metadata] }],
    concurrency: 5,
    async reconcile(key, context) {
      const { cache } = context;
      const endpoints = cache.get(Endpoints, key);
      if (endpoints === undefined) return; // Its slices go with it.
      const present = cache
        .byIndex(EndpointSlice, "owner", endpoints.metadata.uid ?? "")
        .filter(({ metadata }) => metadata.labels?.["endpointslice.kubernetes.io/managed-by"] === MANAGED_BY);
      const service = cache.get(Service, key);
      const isMirrored = service !== undefined && Object.keys(service.spec.selector ?? {}).length === 0 && !isExempt(endpoints);
      await keepSlices(isMirrored ? mirror(endpoints) : [], present, context);
    },
  });
}

function isExempt({ metadata }: Endpoints): boolean {
  return metadata.labels?.[SKIP] === "true" || metadata.annotations?.[LEADER] !== undefined || metadata.deletionTimestamp !== undefined;
}

/** A slice for each subset and family of addresses. */
function mirror(endpoints: Endpoints): EndpointSlice[] {
  const { metadata, subsets = [] } = endpoints;
  const annotations = Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => !UNCOPIED.has(key)));
  return subsets.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, i) => {
    const all = [...addresses.map((address) => endpointOf(address, true)), ...notReadyAddresses.map((address) => endpointOf(address, false))];
    const families = Map.groupBy(all.slice(0, MOST_ADDRESSES), (endpoint) => (isIPv6(endpoint.addresses[0] ?? "") ? "IPv6" : "IPv4"));
    return [...families].map(([addressType, members]): EndpointSlice => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: `${metadata.name}-mirror-${addressType.toLowerCase()}-${i}`,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        labels: { ...metadata.labels, "kubernetes.io/service-name": metadata.name, "endpointslice.kubernetes.io/managed-by": MANAGED_BY },
        ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
        ownerReferences: [controllerReference({ owner: endpoints, resource: Endpoints })],
      },
      addressType,
      endpoints: members,
      ports: ports.map(({ name = "", protocol = "TCP", port, appProtocol }) => ({
        name,
        protocol,
        port,
        ...(appProtocol === undefined ? {} : { appProtocol }),
      })),
    }));
  });
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}
