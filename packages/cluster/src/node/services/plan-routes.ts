import type { EndpointSlice, Service } from "@sluice/kubernetes";
import type { RouteEndpoint, ServiceRoute } from "../sandbox/network/service-route.ts";
import { parseAddress } from "../sandbox/network/subnet.ts";
import { hasAddress, type ServiceCatalog } from "./service-catalog.ts";

const AFFINITY_SECONDS = 10_800;

/** Where the ports of all services that have an address lead now. */
export function planRoutes(catalog: ServiceCatalog): readonly ServiceRoute[] {
  const routes = catalog.list().flatMap((service) => routesOf(service, catalog.slicesOf(service)));
  // Of two that claim one place, the older counts.
  const unique = new Map(routes.toReversed().map((route) => [`${route.protocol} ${route.address}:${route.port}`, route]));
  return [...unique.values()].toReversed();
}

function routesOf({ metadata, spec }: Service, slices: readonly EndpointSlice[]): readonly ServiceRoute[] {
  if (!hasAddress(spec) || parseAddress(spec.clusterIP) === undefined) return [];
  const { clusterIP, ports = [], sessionAffinity, sessionAffinityConfig } = spec;
  return ports.map(({ name = "", port, protocol = "TCP", nodePort = 0 }) => ({
    name: `${metadata.namespace ?? ""}/${metadata.name}:${name === "" ? port : name}`,
    address: clusterIP,
    port,
    protocol,
    ...(nodePort === 0 ? {} : { nodePort }),
    ...(sessionAffinity === "ClientIP" ? { affinitySeconds: sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS } : {}),
    endpoints: endpointsOf(slices, name),
  }));
}

/** What others write in a slice need not be one. */
function isAddress(text: string): boolean {
  return parseAddress(text) !== undefined;
}

/** Endpoints that are ready; where there are none, those that still serve while they end. */
function endpointsOf(slices: readonly EndpointSlice[], portName: string): readonly RouteEndpoint[] {
  const all = slices.flatMap(({ endpoints, ports = [] }) => {
    const port = ports.find(({ name = "" }) => name === portName)?.port;
    return port === undefined
      ? []
      : endpoints.flatMap(({ addresses, conditions = {} }) =>
          addresses
            .filter(isAddress)
            .slice(0, 1)
            .map((address) => ({ address, port, conditions })),
        );
  });
  const ready = all.filter(({ conditions }) => conditions.ready !== false);
  const chosen = ready.length > 0 ? ready : all.filter(({ conditions }) => conditions.serving === true && conditions.terminating === true);
  const unique = new Map(chosen.map(({ address, port }) => [`${address}:${port}`, { address, port }]));
  return [...unique].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}
