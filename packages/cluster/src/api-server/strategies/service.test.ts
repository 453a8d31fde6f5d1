import type { Client } from "@sluice/client";
import { Service, type ApiError, type ServiceSpec } from "@sluice/kubernetes";
import { beforeEach, describe, expect, test } from "vitest";
import { openWorld } from "../world.fixture.ts";

let client: Client;
beforeEach(async () => {
  ({ client } = await openWorld());
});

const namespace = "default";
const ports = [{ port: 80 }];
const body = (name: string, spec: ServiceSpec): Service => ({ apiVersion: "v1", kind: "Service", metadata: { namespace, name }, spec });
const serve = (name: string, spec: ServiceSpec = { ports }): Promise<Service> => client.create(Service, body(name, spec));
const change = (name: string, spec: unknown): Promise<Service> => client.patch(Service, { namespace, name }, { type: "merge", body: { spec } });
const refusal = async (attempt: Promise<unknown>): Promise<string> => {
  const error: ApiError = await attempt.then(
    () => expect.fail("it was accepted"),
    (caught) => caught,
  );
  expect(error).toMatchObject({ code: 422, reason: "Invalid" });
  return error.message.replace(/^Service "\w+" is invalid: /, "");
};

test("a service has its defaults, an address and no load balancer", async () => {
  expect(await serve("a")).toMatchObject({
    spec: {
      ...{ type: "ClusterIP", sessionAffinity: "None", internalTrafficPolicy: "Cluster", ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack" },
      ...{ clusterIP: expect.stringMatching(/^10\.96\.\d+\.\d+$/), ports: [{ port: 80, protocol: "TCP", targetPort: 80 }] },
    },
    status: { loadBalancer: {} },
  });
  expect((await serve("b", { ports, sessionAffinity: "ClientIP" })).spec.sessionAffinityConfig).toEqual({ clientIP: { timeoutSeconds: 10_800 } });
  expect((await serve("c", { clusterIP: "None" })).spec).toMatchObject({
    clusterIPs: ["None"],
    ipFamilies: ["IPv4", "IPv6"],
    ipFamilyPolicy: "RequireDualStack",
  });
  expect((await serve("d", { clusterIP: "None", selector: { a: "b" } })).spec).toMatchObject({ clusterIP: "None", ipFamilies: ["IPv4"] });
  expect((await serve("e", { type: "ExternalName", externalName: "x.y" })).spec).toEqual({
    type: "ExternalName",
    externalName: "x.y",
    sessionAffinity: "None",
  });
  expect((await serve("f", { type: "LoadBalancer", ports })).spec).toMatchObject({
    ...{ allocateLoadBalancerNodePorts: true, externalTrafficPolicy: "Cluster", ports: [{ nodePort: expect.any(Number) }] },
  });
  expect((await serve("g", { type: "LoadBalancer", ports, allocateLoadBalancerNodePorts: false })).spec.ports?.[0]).not.toHaveProperty("nodePort");
});

test("no two services that are made at once share an address or a node port", async () => {
  const all = await Promise.all(Array.from({ length: 200 }, (_, index) => serve(`s${index}`, { type: "NodePort", ports })));
  expect(new Set(all.map(({ spec }) => spec.clusterIP)).size).toBe(200);
  expect(new Set(all.map(({ spec }) => spec.ports?.[0]?.nodePort)).size).toBe(200);
  for (const { spec } of all) expect(spec.ports?.[0]?.nodePort).toSatisfy((port: number) => port >= 30_000 && port <= 32_767);
});

test("ports that differ in protocol only share a node port, others do not", async () => {
  const { spec } = await serve("a", {
    type: "NodePort",
    ports: [
      { name: "a", port: 53 },
      { name: "b", port: 53, protocol: "UDP" },
      { name: "c", port: 54 },
    ],
  });
  const [a, b, c] = (spec.ports ?? []).map(({ nodePort }) => nodePort);
  expect(a).toBe(b);
  expect(c).not.toBe(a);
});

describe("what a service asks for", () => {
  test("it gets, once", async () => {
    expect((await serve("a", { type: "NodePort", clusterIP: "10.96.0.10", ports: [{ port: 80, nodePort: 30_123 }] })).spec).toMatchObject({
      ...{ clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"], ports: [{ nodePort: 30_123 }] },
    });
    expect(await refusal(serve("b", { clusterIP: "10.96.0.10", ports }))).toBe(
      'spec.clusterIPs: Invalid value: []string{"10.96.0.10"}: failed to allocate IP 10.96.0.10: provided IP is already allocated',
    );
    expect(await refusal(serve("b", { type: "NodePort", ports: [{ port: 80, nodePort: 30_123 }] }))).toBe(
      "spec.ports[0].nodePort: Invalid value: 30123: provided port is already allocated",
    );
    await client.delete(Service, { namespace, name: "a" });
    expect((await serve("b", { type: "NodePort", clusterIP: "10.96.0.10", ports: [{ port: 80, nodePort: 30_123 }] })).spec.clusterIP).toBe(
      "10.96.0.10",
    );
  });

  test.each<[string, ServiceSpec, string]>([
    [
      "an address of others",
      { clusterIP: "192.0.2.1", ports },
      'spec.clusterIPs: Invalid value: []string{"192.0.2.1"}: failed to allocate IP 192.0.2.1: the provided IP (192.0.2.1) is not in the valid range. The range of valid IPs is 10.96.0.0/16',
    ],
    [
      "no address",
      { clusterIP: "web", ports },
      'spec.clusterIPs[0]: Invalid value: "web": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
    [
      "a port beyond",
      { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] },
      "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767",
    ],
    ["no port", {}, "spec.ports: Required value"],
    ["ports without names", { ports: [{ port: 1, name: "a" }, { port: 2 }] }, "spec.ports[1].name: Required value"],
    [
      "one port twice",
      {
        ports: [
          { port: 1, name: "a" },
          { port: 1, name: "b" },
        ],
      },
      'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":1}',
    ],
    [
      "a node port without type",
      { ports: [{ port: 1, nodePort: 30_000 }] },
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ],
    [
      "a headless one with node ports",
      { type: "NodePort", clusterIP: "None", ports },
      "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services",
    ],
    ["another name without one", { type: "ExternalName" }, "spec.externalName: Required value"],
    ["another family", { ports, ipFamilies: ["IPv6"] }, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
    [
      "two families",
      { ports, ipFamilyPolicy: "RequireDualStack" },
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ],
    [
      "to be remembered too long",
      { ports, sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 90_000 } } },
      "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than 86400",
    ],
  ])("may not be %s", async (_, spec, message) => expect(await refusal(serve("a", spec))).toBe(message));
});

describe("over its life a service", () => {
  test("keeps what it has", async () => {
    const { spec, metadata } = await serve("a", { type: "NodePort", ports });
    const replaced = await client.update(Service, {
      ...body("a", { type: "NodePort", ports: [{ port: 80 }, { port: 81, name: "b" }].map((port, i) => ({ name: `p${i}`, ...port })) }),
      metadata,
    });
    expect(replaced.spec).toMatchObject({
      clusterIP: spec.clusterIP,
      ports: [{ nodePort: spec.ports?.[0]?.nodePort }, { nodePort: expect.any(Number) }],
    });
    expect(await refusal(change("a", { clusterIP: "10.96.0.77" }))).toBe(
      'spec.clusterIPs[0]: Invalid value: []string{"10.96.0.77"}: may not change once set',
    );
    expect(await refusal(change("a", { clusterIP: "None" }))).toContain("may not change once set");
  });

  test("gets and loses what its type needs", async () => {
    const { spec } = await serve("a");
    expect((await change("a", { type: "NodePort" })).spec).toMatchObject({
      clusterIP: spec.clusterIP,
      externalTrafficPolicy: "Cluster",
      ports: [{ nodePort: expect.any(Number) }],
    });
    const back = await change("a", { type: "ClusterIP" });
    expect(back.spec).not.toHaveProperty("externalTrafficPolicy");
    expect(back.spec.ports?.[0]).not.toHaveProperty("nodePort");
    expect((await change("a", { type: "ExternalName", externalName: "x.y" })).spec).not.toHaveProperty("clusterIP");
    expect((await serve("b", { clusterIP: spec.clusterIP ?? "", ports })).spec.clusterIP).toBe(spec.clusterIP);
    expect((await change("a", { type: "ClusterIP", externalName: null })).spec.clusterIP).toMatch(/^10\.96\./);
  });
});
