import { randomUUID } from "node:crypto";
import { createClient } from "@sluice/client";
import { systemClock } from "@sluice/controller";
import { builtinResources, EndpointSlice, Service, type DiscoveryEndpointPort, type Endpoint, type ServiceSpec } from "@sluice/kubernetes";
import { onTestFinished } from "vitest";
import { createApiServer } from "../../api-server/create-api-server.ts";
import { openStore } from "../../store/store.ts";
import { ServiceCatalog } from "./service-catalog.ts";

/** An API server and a catalog of its services; tests play the controllers. */
export interface CatalogWorld {
  readonly catalog: ServiceCatalog;
  serve(name: string, spec: ServiceSpec): Promise<void>;
  unserve(name: string): Promise<void>;
  /** Gives a service these endpoints, and no others. */
  endpoints(service: string, endpoints: Endpoint[], ports?: DiscoveryEndpointPort[]): Promise<void>;
}

const QUIET = { info: () => {}, warn: () => {}, error: () => {} };

/** Starts one that lasts until the test ends. */
export async function openCatalogWorld(): Promise<CatalogWorld> {
  const store = await openStore({ path: ":memory:" });
  const api = await createApiServer({
    store,
    resources: builtinResources,
    authorizer: { authorize: () => ({ allowed: true, reason: "" }) },
    authenticate: async () => ({ username: "admin", groups: [] }),
    nodes: () => undefined,
    clock: systemClock,
    newId: randomUUID,
    logger: QUIET,
  });
  const client = createClient(api.transport({ username: "admin", groups: ["system:masters"] }));
  const catalog = new ServiceCatalog();
  const stopping = new AbortController();
  const running = catalog.run({ client, clock: systemClock, logger: QUIET, signal: stopping.signal });
  onTestFinished(async () => {
    stopping.abort();
    await running;
    await api[Symbol.asyncDispose]();
    await store.close();
  });
  const namespace = "default";
  return {
    catalog,
    async serve(name, spec) {
      await client.create(Service, { apiVersion: "v1", kind: "Service", metadata: { namespace, name }, spec });
    },
    async unserve(name) {
      await client.delete(Service, { namespace, name });
    },
    async endpoints(service, endpoints, ports = [{ name: "http", protocol: "TCP", port: 8080 }]) {
      const metadata = { namespace, name: `${service}-1`, labels: { "kubernetes.io/service-name": service } };
      const slice: EndpointSlice = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata, addressType: "IPv4", endpoints, ports };
      const before = await client.find(EndpointSlice, metadata);
      if (before === undefined) await client.create(EndpointSlice, slice);
      else await client.update(EndpointSlice, slice);
    },
  };
}
