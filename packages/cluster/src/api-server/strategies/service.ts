import { jsonEqual, type Service, type UnknownObject } from "@sluice/kubernetes";
import type { Strategy, StrategyContext } from "../strategy.ts";

/** The addresses of services: 10.96.0.1 to 10.96.255.254. */
const FIRST = 1;
const LAST = 65_534;
const FIRST_NODE_PORT = 30_000;
const LAST_NODE_PORT = 32_767;

/** Services: the address and node ports that they get and keep. */
export const serviceStrategy: Strategy = {
  nameRule: "service",
  hasGeneration: false,
  returnsDeleted: true,
  prepareCreate: (object, context) => complete(object as UnknownObject & Service, undefined, context),
  prepareUpdate: (next, current, context) => complete(next as UnknownObject & Service, current as UnknownObject & Service, context),
  validate: (next, current) => {
    const before = (current as (UnknownObject & Service) | undefined)?.spec;
    const { spec } = next as UnknownObject & Service;
    if (before === undefined || spec?.type === "ExternalName" || before.type === "ExternalName") return [];
    if (jsonEqual(spec?.clusterIP, before.clusterIP)) return [];
    return [
      { reason: "FieldValueInvalid", field: "spec.clusterIP", message: `Invalid value: ${JSON.stringify(spec?.clusterIP)}: field is immutable` },
    ];
  },
};

function complete(service: UnknownObject & Service, before: Service | undefined, context: StrategyContext): UnknownObject {
  const spec = service.spec ?? {};
  const type = spec.type ?? "ClusterIP";
  if (type === "ExternalName") return { ...service, spec: { ...spec, type, sessionAffinity: spec.sessionAffinity ?? "None" } };
  const needsPorts = type === "NodePort" || type === "LoadBalancer";
  const others = context.list("services").filter(({ metadata }) => metadata.uid !== service.metadata.uid) as (UnknownObject & Service)[];
  const clusterIP = spec.clusterIP ?? before?.spec?.clusterIP ?? freeAddress(others);
  const taken = new Set(needsPorts ? others.flatMap((other) => (other.spec?.ports ?? []).map(({ nodePort }) => nodePort)) : []);
  const ports = (spec.ports ?? []).map((port) => {
    const targeted = { ...port, protocol: port.protocol ?? "TCP", targetPort: port.targetPort ?? port.port };
    if (!needsPorts || (targeted.nodePort ?? 0) !== 0) return targeted;
    const earlier = before?.spec?.ports?.find((old) => old.port === port.port)?.nodePort;
    let nodePort = earlier ?? FIRST_NODE_PORT;
    while (earlier === undefined && nodePort < LAST_NODE_PORT && taken.has(nodePort)) nodePort++;
    taken.add(nodePort);
    return { ...targeted, nodePort };
  });
  const completed = {
    ...spec,
    type,
    clusterIP,
    clusterIPs: [clusterIP],
    sessionAffinity: spec.sessionAffinity ?? "None",
    internalTrafficPolicy: spec.internalTrafficPolicy ?? "Cluster",
    ipFamilies: spec.ipFamilies ?? ["IPv4"],
    ipFamilyPolicy: spec.ipFamilyPolicy ?? "SingleStack",
    ...(ports.length === 0 ? {} : { ports }),
    ...(needsPorts ? { externalTrafficPolicy: spec.externalTrafficPolicy ?? "Cluster" } : {}),
  };
  return { ...service, spec: completed };
}

function freeAddress(services: readonly Service[]): string {
  const taken = new Set(services.map(({ spec }) => spec?.clusterIP));
  for (let n = FIRST + 9; n <= LAST; n++) {
    const address = `10.96.${n >> 8}.${n & 255}`;
    if (!taken.has(address)) return address;
  }
  return "None";
}
