import { Resolver } from "node:dns/promises";
import { createSocket } from "node:dgram";
import { systemClock } from "@sluice/controller";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseSubnet } from "../network/subnet.ts";
import { clusterAnswer, type ClusterNames } from "./cluster-names.ts";
import { unframed, framed } from "./forward.ts";
import { decodeQuery, type DnsRecord, encodeResponse } from "./message.ts";
import { nameserversIn, type PodResolver, resolverConfiguration } from "./resolver-configuration.ts";
import { type DnsServer, openDnsServer } from "./server.ts";

const subnet = parseSubnet("10.200.16.0/20") ?? { base: 0, prefix: 32 };
const many = Array.from({ length: 200 }, (_, index): DnsRecord => ({ type: "A", address: `10.200.17.${index}` }));
const services: Readonly<Record<string, readonly DnsRecord[]>> = {
  "web.default.svc.cluster.local": [{ type: "A", address: "10.96.0.7" }],
  "many.default.svc.cluster.local": many,
  "alias.default.svc.cluster.local": [{ type: "CNAME", target: "web.example.com" }],
  "inner.default.svc.cluster.local": [{ type: "CNAME", target: "WEB.default.svc.cluster.local" }],
  "lost.default.svc.cluster.local": [{ type: "CNAME", target: "nobody.example.com" }],
  "_http._tcp.web.default.svc.cluster.local": [{ type: "SRV", priority: 0, weight: 100, port: 8080, target: "web.default.svc.cluster.local" }],
  "empty.default.svc.cluster.local": [],
};

let isKnown = true;
let elsewhere: DnsServer;
let server: DnsServer;
let resolver: Resolver;
let upstreams: { address: string; port: number }[];
beforeEach(async () => {
  isKnown = true;
  const open = (answer: Parameters<typeof openDnsServer>[0]["answer"]): Promise<DnsServer> =>
    openDnsServer({ address: "127.0.0.1", port: 0, answer, upstreams: () => upstreams, clock: systemClock });
  elsewhere = await open((name) => (name === "example.com" ? many : name === "web.example.com" ? [{ type: "A", address: "192.0.2.80" }] : "unknown"));
  const names: ClusterNames = {
    get isKnown() {
      return isKnown;
    },
    find: (name) => services[name],
    reverse: (address) => (address === "10.200.16.9" ? [{ type: "PTR", target: "job-1.job.default.svc.cluster.local" }] : undefined),
  };
  server = await open((name, type) => clusterAnswer(name, type, { names, subnets: [subnet] }));
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

test("an alias brings the addresses that it leads to, wherever those are known", async () => {
  expect(await resolver.resolve4("alias.default.svc.cluster.local")).toEqual(["192.0.2.80"]);
  expect(await resolver.resolve4("inner.default.svc.cluster.local")).toEqual(["10.96.0.7"]);
  expect(await resolver.resolve4("lost.default.svc.cluster.local")).toEqual([]);
});

test("addresses of ours have names or none; others are asked for elsewhere", async () => {
  expect(await resolver.reverse("10.200.16.9")).toEqual(["job-1.job.default.svc.cluster.local"]);
  await expect(resolver.reverse("10.200.16.77")).rejects.toMatchObject({ code: "ENOTFOUND" });
});

test("while not everything is known, nobody is told that a name does not exist", async () => {
  isKnown = false;
  expect(await resolver.resolve4("web.default.svc.cluster.local")).toEqual(["10.96.0.7"]);
  await expect(resolver.resolve4("nobody.default.svc.cluster.local")).rejects.toMatchObject({ code: "ESERVFAIL" });
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

describe("resolver configurations", () => {
  const machine =
    "# nameserver 9.9.9.9\nnameserver 1.1.1.1\n  nameserver  ::1 # local\nsearch example.com\noptions edns0 ndots:1\nnameserver fe80::1%eth0\n";
  const config = { nameservers: ["8.8.8.8"], searches: ["extra"], options: [{ name: "ndots", value: "2" }, { name: "rotate" }] };
  test.each<[string, PodResolver, string]>([
    [
      "the cluster's",
      { policy: "cluster" },
      "nameserver 10.0.0.1\nsearch team.svc.cluster.local svc.cluster.local cluster.local example.com\noptions ndots:5\n",
    ],
    [
      "the cluster's and more",
      { policy: "cluster", config },
      "nameserver 10.0.0.1\nnameserver 8.8.8.8\nsearch team.svc.cluster.local svc.cluster.local cluster.local example.com extra\noptions ndots:2 rotate\n",
    ],
    ["the machine's", { policy: "machine" }, "nameserver 1.1.1.1\nnameserver ::1\nnameserver fe80::1\nsearch example.com\noptions edns0 ndots:1\n"],
    ["its own", { policy: "none", config }, "nameserver 8.8.8.8\nsearch extra\noptions ndots:2 rotate\n"],
    ["nobody's", { policy: "none" }, ""],
  ])("%s", (_, resolver, expected) => {
    expect(resolverConfiguration(resolver, { nameserver: "10.0.0.1", namespace: "team", machine })).toBe(expected);
  });

  test("name servers", () => expect(nameserversIn(machine)).toEqual(["1.1.1.1", "::1", "fe80::1"]));
});
