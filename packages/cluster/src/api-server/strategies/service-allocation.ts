import { ApiError, invalid, type Cause, type Service, type ServicePort, type ServiceSpec, type UnknownObject } from "@sluice/kubernetes";
import { formatAddress, formatSubnet, parseAddress } from "../../node/sandbox/network/subnet.ts";
import { SERVICE_RANGE } from "../service-range.ts";
import type { AllocationContext } from "../strategy.ts";
import { goStrings } from "./service-validation.ts";

/** As upstream: the first addresses are for those who ask for one. */
const FIRST_ADDRESS = 257;
const LAST_ADDRESS = 2 ** (32 - SERVICE_RANGE.prefix) - 2;
const FIRST_PORT = 30_000;
const LAST_PORT = 32_767;

/** Whether a service has ports of nodes. */
export function hasNodePorts({ type, allocateLoadBalancerNodePorts }: ServiceSpec): boolean {
  return type === "NodePort" || (type === "LoadBalancer" && allocateLoadBalancerNodePorts !== false);
}

/** Gives a service the address and the node ports that it lacks. Throws `Invalid` where it asks for what another has. */
export function allocateService(service: UnknownObject & Service, context: AllocationContext): UnknownObject {
  const { spec } = service;
  const needsAddress = spec.type !== "ExternalName" && spec.clusterIP !== "None";
  if (!needsAddress && !hasNodePorts(spec)) return service;
  const others = (context.staged("services") as (UnknownObject & Service)[]).filter(({ metadata }) => metadata.uid !== service.metadata.uid);
  const clusterIP = needsAddress ? (checkedAddress(service, others) ?? freeAddress(service, others)) : spec.clusterIP;
  const ports = hasNodePorts(spec) ? nodePorts(service, others) : spec.ports;
  if (clusterIP === spec.clusterIP && ports === spec.ports) return service;
  return {
    ...service,
    spec: { ...spec, ...(clusterIP === undefined ? {} : { clusterIP, clusterIPs: [clusterIP] }), ...(ports === undefined ? {} : { ports }) },
  };
}

function refuse({ metadata }: Service, cause: Cause): never {
  throw invalid("Service", "", metadata.name, [cause]);
}

function checkedAddress(service: Service, others: readonly Service[]): string | undefined {
  const { clusterIP: address, clusterIPs = [] } = service.spec;
  if (address === undefined) return undefined;
  const offset = (parseAddress(address) ?? 0) - SERVICE_RANGE.base;
  const isInRange = offset > 0 && offset <= LAST_ADDRESS;
  const why = !isInRange
    ? `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${formatSubnet(SERVICE_RANGE)}`
    : others.some(({ spec }) => spec.clusterIP === address)
      ? "provided IP is already allocated"
      : undefined;
  if (why === undefined) return address;
  const message = `Invalid value: ${goStrings(clusterIPs)}: failed to allocate IP ${address}: ${why}`;
  return refuse(service, { reason: "FieldValueInvalid", field: "spec.clusterIPs", message });
}

/** Not the next free one: others may still use the address of a service that is gone. */
function freeAddress({ metadata }: Service, others: readonly Service[]): string {
  const taken = new Set(others.map(({ spec }) => spec.clusterIP));
  const found = firstFree(
    { from: FIRST_ADDRESS, to: LAST_ADDRESS, seed: metadata.uid ?? "" },
    (number) => !taken.has(formatAddress(SERVICE_RANGE.base + number)),
  );
  if (found === undefined)
    throw new ApiError("InternalError", `failed to allocate a serviceIP for Service ${JSON.stringify(metadata.name)}: range is full`);
  return formatAddress(SERVICE_RANGE.base + found);
}

/** The same array if nothing is missing. Ports that differ in protocol only share a node port. */
function nodePorts(service: Service, others: readonly Service[]): ServicePort[] | undefined {
  const { metadata, spec } = service;
  const { ports = [] } = spec;
  const taken = new Set(others.flatMap((other) => (other.spec.ports ?? []).map(({ nodePort }) => nodePort ?? 0)));
  for (const [index, { nodePort = 0 }] of ports.entries()) {
    const why =
      nodePort === 0
        ? undefined
        : nodePort < FIRST_PORT || nodePort > LAST_PORT
          ? `provided port is not in the valid range. The range of valid ports is ${FIRST_PORT}-${LAST_PORT}`
          : taken.has(nodePort)
            ? "provided port is already allocated"
            : undefined;
    if (why !== undefined)
      refuse(service, { reason: "FieldValueInvalid", field: `spec.ports[${index}].nodePort`, message: `Invalid value: ${nodePort}: ${why}` });
  }
  if (ports.every(({ nodePort = 0 }) => nodePort !== 0)) return spec.ports;
  const own = new Map(ports.flatMap(({ port, nodePort = 0 }) => (nodePort === 0 ? [] : [[port, nodePort] as const])));
  for (const { port } of ports) {
    if (own.has(port)) continue;
    const used = new Set(own.values());
    const found = firstFree(
      { from: FIRST_PORT, to: LAST_PORT, seed: `${metadata.uid ?? ""}${port}` },
      (number) => !taken.has(number) && !used.has(number),
    );
    if (found === undefined) throw new ApiError("InternalError", "failed to allocate a nodePort: range is full");
    own.set(port, found);
  }
  return ports.map((port) => ({ ...port, nodePort: port.nodePort ?? own.get(port.port) ?? 0 }));
}

/** The first free number at or after the one that the seed points at, in a circle. */
function firstFree(
  { from, to, seed }: { readonly from: number; readonly to: number; readonly seed: string },
  isFree: (number: number) => boolean,
): number | undefined {
  const count = to - from + 1;
  const start = [...seed].reduce((hash, character) => Math.imul(hash ^ character.charCodeAt(0), 0x0100_0193) >>> 0, 0x811c_9dc5) % count;
  for (let step = 0; step < count; step++) {
    const number = from + ((start + step) % count);
    if (isFree(number)) return number;
  }
  return undefined;
}
