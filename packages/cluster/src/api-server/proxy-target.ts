import type { Connection } from "@sluice/client";
import { ApiError, type EndpointSlice, type Pod, type Service, type UnknownObject } from "@sluice/kubernetes";
import { badRequest, notFound } from "./api-errors.ts";
import { keyOfRequest, type ResourceRequest } from "./request-context.ts";

const SLICES = "endpointslices.discovery.k8s.io";

/** Where a request to `<pod or service>/proxy/<path>` goes on. The name in the path may be `name`, `name:port` or `scheme:name:port`. */
export function proxyTarget(target: ResourceRequest, at: "pods/proxy" | "services/proxy"): Extract<Connection, { kind: "proxy" }> {
  const { scheme, name, port } = splitName(keyOfRequest(target).name, target);
  const address = at === "pods/proxy" ? podAddress(target, name, port) : serviceAddress(target, name, port);
  return { kind: "proxy", origin: new URL(`${scheme}://${address}`), path: pathBelow(target.request.path) };
}

/** What follows `/proxy` in the path, as the client has written it; it may be nothing. */
export function pathBelow(path: string): string {
  return /^(?:\/+[^/]+){2}(?:\/+namespaces\/+[^/]+)?(?:\/+[^/]+){2}\/+proxy(\/.*)?$/u.exec(path)?.[1] ?? "";
}

interface ProxyName {
  readonly scheme: "http" | "https";
  readonly name: string;
  readonly port: string;
}

function splitName(text: string, { served }: ResourceRequest): ProxyName {
  const parts = text.split(":");
  const [scheme, name, port] = parts.length === 3 ? parts : ["", parts[0], parts[1] ?? ""];
  if (parts.length > 3 || name === undefined || name === "" || port === undefined || (scheme !== "" && scheme !== "http" && scheme !== "https"))
    throw badRequest(`invalid ${served.resource.singular} request ${JSON.stringify(text)}`);
  return { scheme: scheme === "https" ? "https" : "http", name, port };
}

function podAddress(target: ResourceRequest, name: string, port: string): string {
  const { spec, status } = object(target, name) as UnknownObject & Pod;
  const ports = spec.containers.flatMap(({ ports: own = [] }) => own);
  const number = port === "" ? ports[0]?.containerPort : (ports.find((one) => one.name === port)?.containerPort ?? Number(port));
  if (number !== undefined && !Number.isInteger(number)) throw badRequest(`pod ${name} has no port called ${JSON.stringify(port)}`);
  const { podIP = "" } = status ?? {};
  if (podIP === "") throw badRequest("address not allowed");
  return hostPort(podIP, number);
}

function serviceAddress(target: ResourceRequest, name: string, port: string): string {
  const { spec } = object(target, name) as UnknownObject & Service;
  const { namespace, server } = target;
  const ports = spec.ports ?? [];
  const wanted = /^\d+$/u.test(port) ? ports.find((one) => one.port === Number(port)) : ports.find((one) => (one.name ?? "") === port);
  if (wanted === undefined && /^\d+$/u.test(port)) throw unavailable(`no service port ${port} found for service ${JSON.stringify(name)}`);
  for (const { metadata, ...slice } of server.store.list(SLICES, { namespace }).items.map((one) => one as UnknownObject & EndpointSlice)) {
    if (metadata.labels?.["kubernetes.io/service-name"] !== name) continue;
    const number = slice.ports?.find((one) => (one.name ?? "") === (wanted?.name ?? port))?.port;
    const ready = slice.endpoints.find(({ conditions }) => conditions?.ready !== false)?.addresses[0];
    if (number !== undefined && ready !== undefined) return hostPort(ready, number);
  }
  throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
}

function object({ served, server, namespace }: ResourceRequest, name: string): UnknownObject {
  const found = server.store.get(served.table, { ...(namespace === undefined ? {} : { namespace }), name });
  if (found === undefined) throw notFound(served.resource, name);
  return found;
}

function hostPort(address: string, port: number | undefined): string {
  return `${address.includes(":") ? `[${address}]` : address}${port === undefined ? "" : `:${port}`}`;
}

function unavailable(message: string): ApiError {
  return new ApiError("ServiceUnavailable", message);
}
