import type { Service } from "@sluice/kubernetes";
import { hasAddress } from "../services/service-catalog.ts";

/** What the variables of services are made from. */
export interface ServiceVariablesSource {
  /** Those that the pod is to know. */
  readonly services: readonly Service[];
  /** The address at which a service is reached here, given its own. */
  readonly addressOf: (serviceAddress: string) => string;
  /** Where the API listens. */
  readonly api: { readonly host: string; readonly port: number };
}

/** The variables by which containers find services that were there before them; the API's tell where it truly listens. */
export function serviceVariables({ services, addressOf, api }: ServiceVariablesSource): Map<string, string> {
  return new Map([
    ...services.flatMap((service) => variablesOf(service, addressOf)),
    ["KUBERNETES_SERVICE_HOST", api.host],
    ["KUBERNETES_SERVICE_PORT", String(api.port)],
    ["KUBERNETES_SERVICE_PORT_HTTPS", String(api.port)],
  ]);
}

function variablesOf({ metadata, spec }: Service, addressOf: (serviceAddress: string) => string): [string, string][] {
  const { ports = [] } = spec;
  const [first] = ports;
  if (!hasAddress(spec) || first === undefined) return [];
  const name = variableName(metadata.name);
  const address = addressOf(spec.clusterIP);
  const url = (protocol: string, port: number): string => `${protocol.toLowerCase()}://${address}:${port}`;
  return [
    [`${name}_SERVICE_HOST`, address],
    [`${name}_SERVICE_PORT`, String(first.port)],
    ...ports.flatMap(({ name: port = "", port: number }): [string, string][] =>
      port === "" ? [] : [[`${name}_SERVICE_PORT_${variableName(port)}`, String(number)]],
    ),
    [`${name}_PORT`, url(first.protocol ?? "TCP", first.port)],
    ...ports.flatMap(({ port, protocol = "TCP" }): [string, string][] => {
      const prefix = `${name}_PORT_${port}_${protocol}`;
      return [
        [prefix, url(protocol, port)],
        [`${prefix}_PROTO`, protocol.toLowerCase()],
        [`${prefix}_PORT`, String(port)],
        [`${prefix}_ADDR`, address],
      ];
    }),
  ];
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
