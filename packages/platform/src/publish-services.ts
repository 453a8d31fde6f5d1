import type { Client } from "@sluice/client";
import type { ServiceName } from "@sluice/component";
import { EndpointSlice, Namespace, Service } from "@sluice/kubernetes";

const OWNER = "sluice";
/** The label by which a slice says whose it is. */
const SERVICE_NAME = "kubernetes.io/service-name";

/** Lets the cluster's API pass on to the gateway what is asked of these services, as clients do that know nothing but a kubeconfig. */
export async function publishServices(
  client: Client,
  services: readonly ServiceName[],
  gateway: { readonly host: string; readonly port: number },
): Promise<void> {
  const address = gateway.host === "localhost" ? "127.0.0.1" : gateway.host;
  for (const { name, namespace, port } of services) {
    await client.apply(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }, { owner: OWNER, force: true });
    const metadata = { name, namespace };
    const ports = [{ name: "http", port, protocol: "TCP" }];
    // Without a selector, its endpoints are those that it is given.
    await client.apply(Service, { apiVersion: "v1", kind: "Service", metadata, spec: { ports } }, { owner: OWNER, force: true });
    await client.apply(
      EndpointSlice,
      {
        ...{ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata: { ...metadata, labels: { [SERVICE_NAME]: name } } },
        ...{ addressType: address.includes(":") ? "IPv6" : "IPv4", endpoints: [{ addresses: [address], conditions: { ready: true } }] },
        ports: [{ name: "http", port: gateway.port, protocol: "TCP" }],
      },
      { owner: OWNER, force: true },
    );
  }
}
