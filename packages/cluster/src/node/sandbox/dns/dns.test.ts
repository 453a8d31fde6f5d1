import { Resolver } from "node:dns/promises";
import { createSocket } from "node:dgram";
import { systemClock } from "@sluice/controller";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseSubnet } from "../network/subnet.ts";
import { clusterAnswer, nameserversIn, PodNames, resolverConfiguration } from "./cluster-names.ts";
import { unframed, framed } from "./forward.ts";
import { decodeQuery, type DnsRecord, encodeResponse } from "./message.ts";
import { type DnsServer, openDnsServer } from "./server.ts";

const subnet = parseSubnet("10.200.16.0/20") ?? { base: 0, prefix: 32 };
const many = Array.from({ length: 200 }, (_, index): DnsRecord => ({ type: "A", address: `10.200.17.${index}` }));
const services: Readonly<Record<string, readonly DnsRecord[]>> = {
  "web.default.svc.cluster.local": [{ type: "A", address: "10.96.0.7" }],
  "many.default.svc.cluster.local": many,
  "alias.default.svc.cluster.local": [{ type: "CNAME", target: "web.example.com" }],
  "_http._tcp.web.default.svc.cluster.local": [{ type: "SRV", priority: 0, weight: 100, port: 8080, target: "web.default.svc.cluster.local" }],
  "empty.default.svc.cluster.local": [],
};

let pods: PodNames;
let elsewhere: DnsServer;
let server: DnsServer;
let resolver: Resolver;
let upstreams: { address: string; port: number }[];
beforeEach(async () => {
  pods = new PodNames();
  const open = (answer: Parameters<typeof openDnsServer>[0]["answer"]): Promise<DnsServer> =>
    openDnsServer({ address: "127.0.0.1", port: 0, answer, upstreams: () => upstreams, clock: systemClock });
  elsewhere = await open((name) => (name === "example.com" ? many : "unknown"));
  server = await open((name, type) => clusterAnswer(name, type, { pods, subnet, lookup: (wanted) => services[wanted] }));
  upstreams = [{ address: "127.0.0.1", port: elsewhere.port }];
  resolver = new Resolver({ timeout: 5000, tries: 1 });
  resolver.setServers([`127.0.0.1:${server.port}`]);
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await elsewhere[Symbol.asyncDispose]();
});

test("services are answered as they are looked up", async () => {
  expect(await resolver.resolve4("web.default.svc.cluster.local")).toEqual(["10.96.0.7"]);
  expect(await resolver.resolve4("WEB.default.SVC.cluster.local")).toEqual(["10.96.0.7"]);
  expect(await resolver.resolveSrv("_http._tcp.web.default.svc.cluster.local")).toMatchObject([
    { priority: 0, weight: 100, port: 8080, name: "web.default.svc.cluster.local" },
  ]);
  expect(await resolver.resolveCname("alias.default.svc.cluster.local")).toEqual(["web.example.com"]);
  await expect(resolver.resolve4("empty.default.svc.cluster.local")).rejects.toMatchObject({ code: "ENODATA" });
  await expect(resolver.resolve6("web.default.svc.cluster.local")).rejects.toMatchObject({ code: "ENODATA" });
  await expect(resolver.resolve4("nobody.default.svc.cluster.local")).rejects.toMatchObject({ code: "ENOTFOUND" });
});

test("what does not fit into a datagram comes by TCP", async () => {
  expect(await resolver.resolve4("many.default.svc.cluster.local")).toHaveLength(200);
});

test("other names are asked for elsewhere, by UDP and by TCP", async () => {
  expect(await resolver.resolve4("example.com")).toHaveLength(200);
  await expect(resolver.resolve4("nobody.example.com")).rejects.toMatchObject({ code: "ENOTFOUND" });
  upstreams = [{ address: "127.0.0.1", port: 1 }, ...upstreams];
  expect(await resolver.resolve4("example.com")).toHaveLength(200);
  upstreams = [];
  await expect(resolver.resolve4("example.com")).rejects.toMatchObject({ code: "ESERVFAIL" });
});

test("pods are found by hostname and subdomain, by subdomain, and by address; of two with one name the later counts", async () => {
  const first = { namespace: "default", hostname: "job-0", subdomain: "job", address: "10.200.16.2" };
  const second = { ...first, address: "10.200.16.3" };
  pods.add(first);
  pods.add({ ...first, hostname: "job-1", address: "10.200.16.9" });
  pods.add({ namespace: "default", hostname: "alone", address: "10.200.16.10" });
  expect(await resolver.resolve4("job-0.job.default.svc.cluster.local")).toEqual(["10.200.16.2"]);
  pods.add(second);
  expect(await resolver.resolve4("job-0.job.default.svc.cluster.local")).toEqual(["10.200.16.3"]);
  expect((await resolver.resolve4("job.default.svc.cluster.local")).sort()).toEqual(["10.200.16.3", "10.200.16.9"]);
  expect(await resolver.resolve4("10-1-2-3.default.pod.cluster.local")).toEqual(["10.1.2.3"]);
  expect(await resolver.reverse("10.200.16.9")).toEqual(["job-1.job.default.svc.cluster.local"]);
  await expect(resolver.reverse("10.200.16.77")).rejects.toMatchObject({ code: "ENOTFOUND" });
  pods.remove(second);
  expect(await resolver.resolve4("job-0.job.default.svc.cluster.local")).toEqual(["10.200.16.2"]);
  pods.remove(first);
  await expect(resolver.resolve4("job-0.job.default.svc.cluster.local")).rejects.toMatchObject({ code: "ENOTFOUND" });
  await expect(resolver.resolve4("alone.default.svc.cluster.local")).rejects.toMatchObject({ code: "ENOTFOUND" });
});

test("nothing that is sent stops it", async () => {
  const socket = createSocket("udp4");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => decodeQuery(Buffer.from(bytes)) !== null),
    { numRuns: 2000 },
  );
  await new Promise((resolve) => socket.send(Buffer.alloc(40, 0xff), server.port, "127.0.0.1", resolve));
  socket.close();
  expect(await resolver.resolve4("web.default.svc.cluster.local")).toEqual(["10.96.0.7"]);
});

const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/);

function queryFor(name: string, id: number, type: number): Buffer {
  const labels = name.split(".").flatMap((part) => [Buffer.from([part.length]), Buffer.from(part)]);
  return Buffer.concat([Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), ...labels, Buffer.from([0, type >> 8, type & 255, 0, 1])]);
}

test("a query is read as it was written, and its answer repeats it", () => {
  const names = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
  fc.assert(
    fc.property(names, fc.nat(65_535), fc.nat(65_535), (name, id, type) => {
      const query = decodeQuery(queryFor(name, id, type));
      expect(query).toMatchObject({ name, id, type, recursionDesired: true, maxBytes: 512 });
      if (query === undefined) return;
      const answer = encodeResponse(query, { code: 0, records: many, maxBytes: 512 });
      expect(answer.readUInt16BE(0)).toBe(id);
      expect(answer.length).toBeLessThanOrEqual(512);
      expect(answer.readUInt16BE(2) & 0x0200).toBe(0x0200);
      expect(answer.subarray(12)).toEqual(Buffer.from(query.question));
    }),
  );
});

test("frames come out as they went in, however they are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), fc.nat(20), (messages, cut) => {
      const all = Buffer.concat(messages.map((message) => framed(Buffer.from(message))));
      const whole = unframed(all);
      expect(whole.messages.map((message) => [...message])).toEqual(messages.map((message) => [...message]));
      const part = unframed(all.subarray(0, Math.max(0, all.length - cut)));
      expect(Buffer.concat([...part.messages.map(framed), part.rest])).toEqual(all.subarray(0, Math.max(0, all.length - cut)));
    }),
  );
});

test("resolver configurations", () => {
  expect(resolverConfiguration("10.0.0.1", "team")).toBe(
    "nameserver 10.0.0.1\nsearch team.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n",
  );
  expect(nameserversIn("# nameserver 9.9.9.9\nnameserver 1.1.1.1\n  nameserver  ::1 # local\nsearch x\nnameserver fe80::1%eth0\n")).toEqual([
    "1.1.1.1",
    "::1",
    "fe80::1",
  ]);
});
