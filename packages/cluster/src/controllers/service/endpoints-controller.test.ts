import type { Client } from "@sluice/client";
import { Endpoints, EndpointSlice, Pod, Service, type EndpointSubset, type ServiceSpec } from "@sluice/kubernetes";
import { beforeEach, describe, expect, test } from "vitest";
import { eventually, gone, quiet, startTestCluster, type TestCluster } from "../control-plane.fixture.ts";

let cluster: TestCluster;
let client: Client;
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client } = cluster);
});

const at = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });
const serve = (spec: ServiceSpec): Promise<Service> =>
  client.create(Service, { apiVersion: "v1", kind: "Service", metadata: { ...at("web"), labels: { team: "a" } }, spec });
const run = async (name: string, ip: string, ready: boolean): Promise<void> => {
  const ports = [{ name: "http", containerPort: 8080 }];
  const spec = { nodeName: "n", hostname: name, subdomain: "web", containers: [{ name: "main", image: "x", ports }] };
  await client.create(Pod, { apiVersion: "v1", kind: "Pod", metadata: { ...at(name), labels: { app: "web" } }, spec });
  const status = { phase: "Running", podIP: ip, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] };
  await client.patch(Pod, at(name), { type: "merge", subresource: "status", body: { status } });
};
const subsets = async (): Promise<EndpointSubset[] | undefined> => (await client.find(Endpoints, at("web")))?.subsets;
const slices = async (): Promise<EndpointSlice[]> => (await client.list(EndpointSlice, { labelSelector: "kubernetes.io/service-name=web" })).items;

describe("Endpoints of services with a selector", () => {
  test("follow the pods, and go with the service", async () => {
    await serve({ selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: "http" }] });
    await eventually(async () => (await client.find(Endpoints, at("web")))?.metadata.labels?.["team"] === "a");
    await run("a", "10.0.0.1", true);
    await run("b", "10.0.0.2", false);
    await eventually(async () => (await subsets())?.[0]?.notReadyAddresses?.length === 1 && (await subsets())?.[0]?.addresses?.length === 1);
    const [first] = (await subsets()) ?? [];
    const { uid } = (await client.get(Pod, at("a"))).metadata;
    expect(first).toEqual({
      addresses: [{ ip: "10.0.0.1", hostname: "a", nodeName: "n", targetRef: { kind: "Pod", namespace: "default", name: "a", uid } }],
      notReadyAddresses: [expect.objectContaining({ ip: "10.0.0.2" })],
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    });
    await client.delete(Pod, at("a"));
    await eventually(async () => (await subsets())?.[0]?.addresses === undefined);
    // What somebody has changed is put right.
    await client.patch(Endpoints, at("web"), { type: "merge", body: { subsets: null } });
    await eventually(async () => (await subsets())?.length === 1);
    expect(
      (await slices()).every(({ metadata }) => metadata.labels?.["endpointslice.kubernetes.io/managed-by"] === "endpointslice-controller.k8s.io"),
    ).toBe(true);
    await client.delete(Service, at("web"));
    await gone(client, Endpoints, at("web"));
    expect(cluster.errors).toEqual([]);
  });
});

describe("Endpoints that are written by hand", () => {
  const write = (labels: Record<string, string> = {}): Promise<Endpoints> =>
    client.create(Endpoints, {
      apiVersion: "v1",
      kind: "Endpoints",
      metadata: { ...at("web"), labels },
      subsets: [
        { addresses: [{ ip: "192.0.2.1" }, { ip: "2001:db8::1" }], notReadyAddresses: [{ ip: "192.0.2.2" }], ports: [{ name: "x", port: 90 }] },
        { addresses: [{ ip: "192.0.2.3" }], ports: [{ name: "y", port: 91, protocol: "UDP" }] },
      ],
    });

  test("become slices, change with them and go with them", async () => {
    await serve({ ports: [{ port: 80 }] });
    const written = await write({ custom: "yes" });
    await eventually(async () => (await slices()).length === 3);
    expect(await slices()).toMatchObject([
      {
        metadata: {
          labels: { custom: "yes", "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io" },
          ownerReferences: [{ kind: "Endpoints", uid: written.metadata.uid, controller: true }],
        },
        addressType: "IPv4",
        endpoints: [
          { addresses: ["192.0.2.1"], conditions: { ready: true } },
          { addresses: ["192.0.2.2"], conditions: { ready: false } },
        ],
        ports: [{ name: "x", port: 90, protocol: "TCP" }],
      },
      { addressType: "IPv4", endpoints: [{ addresses: ["192.0.2.3"] }], ports: [{ name: "y", port: 91, protocol: "UDP" }] },
      { addressType: "IPv6", endpoints: [{ addresses: ["2001:db8::1"] }] },
    ]);
    await client.patch(Endpoints, at("web"), {
      type: "merge",
      body: { subsets: [{ addresses: [{ ip: "192.0.2.9" }], ports: [{ name: "x", port: 90 }] }] },
    });
    await eventually(async () => (await slices()).length === 1 && (await slices())[0]?.endpoints[0]?.addresses[0] === "192.0.2.9");
    await client.delete(Endpoints, at("web"));
    await eventually(async () => (await slices()).length === 0);
    expect(cluster.errors).toEqual([]);
  });

  test("are left alone if they say so, or if no service has their name", async () => {
    await write();
    await quiet();
    expect(await slices()).toEqual([]);
    await serve({ ports: [{ port: 80 }] });
    await eventually(async () => (await slices()).length === 3);
    await client.patch(Endpoints, at("web"), {
      type: "merge",
      body: { metadata: { labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } } },
    });
    await eventually(async () => (await slices()).length === 0);
    expect(await client.find(Endpoints, at("web"))).toBeDefined();
  });
});
