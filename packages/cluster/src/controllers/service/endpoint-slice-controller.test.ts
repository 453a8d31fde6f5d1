import type { Client } from "@sluice/client";
import { EndpointSlice, Pod, Service, type ServiceSpec } from "@sluice/kubernetes";
import { beforeEach, expect, test } from "vitest";
import { eventually, quiet, startTestCluster, type TestCluster } from "../control-plane.fixture.ts";

let cluster: TestCluster;
let client: Client;
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client } = cluster);
});
const at = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });
const serve = (spec: Partial<ServiceSpec> = {}): Promise<Service> =>
  client.create(Service, {
    apiVersion: "v1",
    kind: "Service",
    metadata: at("web"),
    spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }], ...spec },
  });
const run = async (name: string, ip: string, ready: boolean, containerPort = 8080): Promise<void> => {
  const ports = [{ name: "http", containerPort }];
  await client.create(Pod, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...at(name), labels: { app: "web" } },
    spec: { nodeName: "n", hostname: name, subdomain: "web", containers: [{ name: "main", image: "x", ports }] },
  });
  const status = { phase: "Running", podIP: ip, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] };
  await client.patch(Pod, at(name), { type: "merge", subresource: "status", body: { status } });
};
const slices = async (): Promise<EndpointSlice[]> => (await client.list(EndpointSlice, { labelSelector: "kubernetes.io/service-name=web" })).items;
/** The addresses of each slice, in brackets if not ready, with its ports. */
const shown = async (): Promise<string[]> =>
  (await slices()).map(
    ({ endpoints, ports = [] }) =>
      `${endpoints.map(({ addresses, conditions }) => (conditions?.ready === true ? addresses[0] : `(${addresses[0]})`)).join(" ")}:${ports.map(({ port }) => port).join(",")}`,
  );
const shows = (...expected: string[]): Promise<true> => eventually(async () => JSON.stringify(await shown()) === JSON.stringify(expected));

test("a service's slice follows its pods", async () => {
  await serve();
  await shows(":");
  await run("a", "10.0.0.1", true);
  await run("b", "10.0.0.2", false);
  await shows("10.0.0.1 (10.0.0.2):8080");
  const [slice] = await slices();
  expect(slice).toMatchObject({
    addressType: "IPv4",
    metadata: {
      labels: { "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" },
      ownerReferences: [{ kind: "Service", name: "web", controller: true }],
    },
  });
  expect(slice?.endpoints[0]).toMatchObject({
    hostname: "a",
    nodeName: "n",
    targetRef: { kind: "Pod", name: "a" },
    conditions: { serving: true, terminating: false },
  });
  await client.delete(Pod, at("a"));
  await shows("(10.0.0.1) (10.0.0.2):8080");
  await client.delete(Pod, at("a"), { gracePeriodSeconds: 0 });
  await client.patch(Pod, at("b"), { type: "merge", body: { metadata: { labels: { app: "other" } } } });
  await shows(":");
  await client.delete(Service, at("web"));
  await eventually(async () => (await slices()).length === 0);
  expect(cluster.errors).toEqual([]);
});

test("a headless service publishes pods before they are ready if it says so", async () => {
  await serve({ clusterIP: "None", publishNotReadyAddresses: true, ports: [] });
  await run("a", "10.0.0.1", false);
  await shows("10.0.0.1:");
  expect((await slices())[0]?.metadata.labels).toHaveProperty("service.kubernetes.io/headless");
});

test("pods that disagree about a named port, and more than a hundred, fill several slices", async () => {
  await serve();
  await run("a", "10.0.0.1", true);
  await run("b", "10.0.0.2", true, 9090);
  await shows("10.0.0.1:8080", "10.0.0.2:9090");
  await Promise.all(Array.from({ length: 120 }, (_, i) => run(`p${i}`, `10.0.1.${i}`, true)));
  const sizes = async (): Promise<number[]> => (await slices()).map(({ endpoints }) => endpoints.length);
  expect(await eventually(async () => (await sizes()).length === 3 && (await sizes())[1] === 21 && (await sizes()))).toEqual([100, 21, 1]);
});

test("a service without selector is left to others", async () => {
  await client.create(Service, { apiVersion: "v1", kind: "Service", metadata: at("web"), spec: { ports: [{ port: 80 }] } });
  await quiet();
  expect(await slices()).toEqual([]);
});
