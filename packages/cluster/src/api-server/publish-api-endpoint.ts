import type { Client } from "@sluice/client";
import { Endpoints, EndpointSlice, isApiError, jsonEqual, Service, type KubernetesObject, type Resource } from "@sluice/kubernetes";

/** The service by which pods know the API. */
const KEY = { namespace: "default", name: "kubernetes" };
const PORT = { name: "https", protocol: "TCP" } as const;

/** Says where the API is served: what the service `default/kubernetes` leads to. */
export async function publishApiEndpoint(client: Client, { address, port }: { readonly address: string; readonly port: number }): Promise<void> {
  const service = await client.find(Service, KEY);
  if (service !== undefined && service.spec.ports?.[0]?.targetPort !== port) {
    const ports = (service.spec.ports ?? []).map((one) => ({ ...one, targetPort: port }));
    await client.patch(Service, KEY, { type: "merge", body: { spec: { ports } } });
  }
  await ensure(client, Endpoints, {
    apiVersion: "v1",
    kind: "Endpoints",
    // The slice is made here, too.
    metadata: { ...KEY, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
    subsets: [{ addresses: [{ ip: address }], ports: [{ ...PORT, port }] }],
  });
  await ensure(client, EndpointSlice, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { ...KEY, labels: { "kubernetes.io/service-name": KEY.name } },
    addressType: "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ ...PORT, port }],
  });
}

async function ensure<T extends KubernetesObject>(client: Client, resource: Resource<T>, wanted: T): Promise<void> {
  for (;;) {
    const current = await client.find(resource, KEY);
    const next = { ...wanted, metadata: { ...current?.metadata, ...wanted.metadata } };
    if (jsonEqual(current, next)) return;
    try {
      if (current === undefined) await client.create(resource, wanted);
      else await client.update(resource, next);
      return;
    } catch (error) {
      if (!isApiError(error, "Conflict") && !isApiError(error, "AlreadyExists")) throw error; // Somebody else was faster: what they wrote counts.
    }
  }
}
