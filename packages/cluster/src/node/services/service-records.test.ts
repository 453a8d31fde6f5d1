import type { Endpoint, ServiceSpec } from "@sluice/kubernetes";
import { beforeEach, expect, test } from "vitest";
import { eventually } from "../eventually.fixture.ts";
import { openCatalogWorld, type CatalogWorld } from "./catalog.fixture.ts";
import { reverseRecords, serviceRecords } from "./service-records.ts";

let world: CatalogWorld;
beforeEach(async () => {
  world = await openCatalogWorld();
});

const http = { name: "http", port: 80, protocol: "TCP" as const, targetPort: 8080 };
const cluster = (name: string, spec: Partial<ServiceSpec> = {}): Promise<void> =>
  world.serve(name, { clusterIP: "10.96.9.9", ports: [http], ...spec });
const endpoint = (address: string, more: Partial<Endpoint> = {}): Endpoint => ({ addresses: [address], conditions: { ready: true }, ...more });
/** The records of a name as a zone file has them; undefined if there is no such name. */
const records = (name: string): readonly string[] | undefined =>
  serviceRecords(name, world.catalog)?.map((record) =>
    record.type === "A" ? `A ${record.address}` : record.type === "SRV" ? `SRV ${record.port} ${record.target}` : `${record.type} ${record.target}`,
  );
const names = (address: string): readonly string[] | undefined =>
  reverseRecords(address, world.catalog)?.map((record) => ("target" in record ? record.target : ""));

test("a service with an address", async () => {
  await cluster("web");
  await world.endpoints("web", [endpoint("10.1.0.2", { hostname: "a" })]);
  const name = "web.default.svc.cluster.local";
  await eventually(() => records(name)).toEqual(["A 10.96.9.9", `SRV 80 ${name}`]);
  expect(records(`_http._tcp.${name}`)).toEqual([`SRV 80 ${name}`]);
  expect(records(`_tcp.${name}`)).toEqual([]);
  expect(records(`_udp.${name}`)).toBeUndefined();
  expect(records(`_other._tcp.${name}`)).toBeUndefined();
  expect(records(`a.b.${name}`)).toBeUndefined();
  expect(records("web.other.svc.cluster.local")).toBeUndefined();
  expect(names("10.96.9.9")).toEqual([name]);
  await world.unserve("web");
  await eventually(() => records(name)).toBeUndefined();
  expect(names("10.96.9.9")).toBeUndefined();
});

test("a headless service: those of its endpoints that are ready, at once after they change", async () => {
  await cluster("job", { clusterIP: "None" });
  const name = "job.default.svc.cluster.local";
  await eventually(() => records(name)).toEqual([]);
  await world.endpoints("job", [
    endpoint("10.1.0.2", { hostname: "job-0" }),
    endpoint("10.1.0.3", { hostname: "job-1", conditions: { ready: false } }),
  ]);
  await eventually(() => records(name)).toEqual(["A 10.1.0.2", `SRV 8080 job-0.${name}`]);
  expect(records(`job-0.${name}`)).toEqual(["A 10.1.0.2"]);
  expect(records(`job-1.${name}`)).toBeUndefined();
  await world.endpoints("job", [endpoint("10.1.0.2"), endpoint("10.1.0.3", { hostname: "job-1" })]);
  await eventually(() => records(`job-1.${name}`)).toEqual(["A 10.1.0.3"]);
  expect(records(`10-1-0-2.${name}`)).toEqual(["A 10.1.0.2"]);
  expect(records(`_http._tcp.${name}`)).toEqual([`SRV 8080 10-1-0-2.${name}`, `SRV 8080 job-1.${name}`]);
  expect(names("10.1.0.3")).toEqual([`job-1.${name}`]);
  expect(names("10.1.0.2")).toBeUndefined();
});

test("a service elsewhere", async () => {
  await world.serve("db", { type: "ExternalName", externalName: "db.example.com" });
  await world.serve("address", { type: "ExternalName", externalName: "192.0.2.7" });
  await eventually(() => records("db.default.svc.cluster.local")).toEqual(["CNAME db.example.com"]);
  await eventually(() => records("address.default.svc.cluster.local")).toEqual(["A 192.0.2.7"]);
});

test("pods by their address, and names that only lead to others", async () => {
  await cluster("web");
  await eventually(() => records("default.svc.cluster.local")).toEqual([]);
  expect(records("10-1-2-3.default.pod.cluster.local")).toEqual(["A 10.1.2.3"]);
  expect(records("10-1-2-300.default.pod.cluster.local")).toBeUndefined();
  for (const name of ["cluster.local", "svc.cluster.local", "pod.cluster.local", "default.pod.cluster.local"]) expect(records(name)).toEqual([]);
  for (const name of ["empty.svc.cluster.local", "web.cluster.local"]) expect(records(name)).toBeUndefined();
});
