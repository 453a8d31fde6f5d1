import type { DiscoveryEndpointPort, Endpoint, Service } from "@sluice/kubernetes";
import { ZONE } from "../sandbox/dns/cluster-names.ts";
import type { DnsRecord } from "../sandbox/dns/message.ts";
import { parseAddress } from "../sandbox/network/subnet.ts";
import { hasAddress, isHeadless, type ServiceCatalog } from "./service-catalog.ts";

/**
 * All records of a name below `cluster.local`, by the DNS schema of Kubernetes; undefined if there is no such name. The name
 * is in lower case and without a final dot.
 */
export function serviceRecords(name: string, catalog: ServiceCatalog): readonly DnsRecord[] | undefined {
  const [, kind, namespace, ...path] = name.slice(0, -".local".length).split(".").toReversed();
  if (kind === undefined) return [];
  if (kind === "pod") return podRecords(path);
  if (kind !== "svc") return undefined;
  if (namespace === undefined) return [];
  const [serviceName, ...below] = path;
  // A name that only has names below it exists, and has no records.
  if (serviceName === undefined) return catalog.list(namespace).length > 0 ? [] : undefined;
  const service = catalog.find({ namespace, name: serviceName });
  if (service === undefined) return undefined;
  const [first, second, ...more] = below;
  if (first === undefined) return serviceAddresses(service, catalog);
  if (service.spec.type === "ExternalName" || more.length > 0) return undefined;
  if (!first.startsWith("_")) return second === undefined ? endpointAddresses(service, first, catalog) : undefined;
  const ports = portRecords(service, catalog).filter(({ protocol }) => `_${protocol.toLowerCase()}` === first);
  const found = second === undefined ? [] : ports.filter(({ port }) => `_${port}` === second).map(({ record }) => record);
  return ports.length > 0 && (second === undefined || found.length > 0) ? found : undefined;
}

/** The names of an address: that of the service that has it, or those that an endpoint has been given; undefined if it has none. */
export function reverseRecords(address: string, catalog: ServiceCatalog): readonly DnsRecord[] | undefined {
  const service = catalog.serviceAt(address);
  if (service !== undefined) return [{ type: "PTR", target: nameOf(service) }];
  const named = catalog.endpointsAt(address).filter(({ endpoint }) => endpoint.hostname !== undefined);
  const found = named.map(({ service: home, endpoint }): DnsRecord => ({ type: "PTR", target: endpointName(home, endpoint) }));
  return found.length === 0 ? undefined : found;
}

function podRecords(path: readonly string[]): readonly DnsRecord[] | undefined {
  const [dashed] = path;
  if (dashed === undefined) return [];
  const address = dashed.replaceAll("-", ".");
  return path.length === 1 && parseAddress(address) !== undefined ? [{ type: "A", address }] : undefined;
}

function serviceAddresses(service: Service, catalog: ServiceCatalog): readonly DnsRecord[] {
  const { spec } = service;
  if (spec.type === "ExternalName") {
    const { externalName = "" } = spec;
    return [
      parseAddress(externalName) === undefined ? { type: "CNAME", target: externalName.replace(/\.$/u, "") } : { type: "A", address: externalName },
    ];
  }
  const addresses = hasAddress(spec) ? [spec.clusterIP] : readyEndpoints(service, catalog).map(({ address }) => address);
  return [
    ...[...new Set(addresses)].map((address): DnsRecord => ({ type: "A", address })),
    ...portRecords(service, catalog).map(({ record }) => record),
  ];
}

function endpointAddresses(service: Service, label: string, catalog: ServiceCatalog): readonly DnsRecord[] | undefined {
  const addresses = readyEndpoints(service, catalog).flatMap(({ endpoint, address }) => (labelOf(endpoint) === label ? [address] : []));
  return addresses.length === 0 ? undefined : [...new Set(addresses)].map((address) => ({ type: "A", address }));
}

interface PortRecord {
  readonly port: string;
  readonly protocol: string;
  readonly record: DnsRecord;
}

/** A service with an address answers for its ports itself, a headless one sends to each endpoint. */
function portRecords(service: Service, catalog: ServiceCatalog): readonly PortRecord[] {
  const record = (port: number, target: string): DnsRecord => ({ type: "SRV", priority: 0, weight: 100, port, target });
  if (!isHeadless(service)) {
    return (service.spec.ports ?? []).map(({ name = "", protocol = "TCP", port }) => ({
      port: name,
      protocol,
      record: record(port, nameOf(service)),
    }));
  }
  return readyEndpoints(service, catalog).flatMap(({ endpoint, ports }) =>
    ports.flatMap(({ name = "", protocol = "TCP", port }) =>
      port === undefined ? [] : [{ port: name, protocol, record: record(port, endpointName(service, endpoint)) }],
    ),
  );
}

interface ReadyEndpoint {
  readonly endpoint: Endpoint;
  readonly address: string;
  readonly ports: readonly DiscoveryEndpointPort[];
}

function readyEndpoints(service: Service, catalog: ServiceCatalog): readonly ReadyEndpoint[] {
  return catalog.slicesOf(service).flatMap(({ endpoints, ports = [] }) =>
    endpoints.flatMap((endpoint) => {
      const [address] = endpoint.addresses;
      return address === undefined || endpoint.conditions?.ready === false ? [] : [{ endpoint, address, ports }];
    }),
  );
}

function nameOf({ metadata }: Service): string {
  return `${metadata.name}.${metadata.namespace ?? ""}.svc.${ZONE}`;
}

function endpointName(service: Service, endpoint: Endpoint): string {
  return `${labelOf(endpoint)}.${nameOf(service)}`;
}

function labelOf({ hostname, addresses: [address = ""] }: Endpoint): string {
  return hostname ?? address.replaceAll(".", "-");
}
