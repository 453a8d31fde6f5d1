import type { EndpointSlice, Service, UnknownObject } from "@sluice/kubernetes";
import { ApiError } from "@sluice/kubernetes";
import { notFound } from "../../api-server/api-errors.ts";
import type { Store } from "../../store/store.ts";

/** Where to connect to. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** The endpoint that a service leads to, the `turn`th of those that are ready; throws an ApiError if there is none. */
export function serviceEndpoint(
  store: Pick<Store, "get" | "list">,
  { namespace, name, port }: { readonly namespace: string; readonly name: string; readonly port: number },
  turn: number,
): Endpoint {
  const service = store.get("services", { namespace, name }) as (UnknownObject & Service) | undefined;
  if (service === undefined) throw notFound({ plural: "services", group: "" }, name);
  const { type, externalName, ports = [] } = service.spec ?? {};
  if (type === "ExternalName") return { host: externalName ?? "", port };
  const servicePort = ports.find((one) => one.port === port);
  if (servicePort === undefined) throw new ApiError("ServiceUnavailable", `no service port ${port} found for service ${JSON.stringify(name)}`);
  const slices = (store.list("endpointslices.discovery.k8s.io", { namespace }).items as (UnknownObject & EndpointSlice)[]).filter(
    ({ metadata: { labels } }) => labels?.["kubernetes.io/service-name"] === name,
  );
  const endpoints = slices.flatMap((slice) => {
    const target = slice.ports?.find((one) => (one.name ?? "") === (servicePort.name ?? ""))?.port;
    if (target === undefined) return [];
    const ready = slice.endpoints.filter(({ conditions }) => conditions?.ready !== false);
    return ready.flatMap(({ addresses: [host] }) => (host === undefined ? [] : [{ host, port: target }]));
  });
  const endpoint = endpoints[turn % Math.max(endpoints.length, 1)];
  if (endpoint === undefined) throw new ApiError("ServiceUnavailable", `no endpoints available for service ${JSON.stringify(name)}`);
  return endpoint;
}
