import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { openConnections, type ConnectionWorld } from "./connections.fixture.ts";

let world: ConnectionWorld;
let backend: Server;
let port: number;
const NAMESPACE = "/api/v1/namespaces/default";

beforeAll(async () => {
  backend = createServer((req, res) => {
    let size = 0;
    req.on("data", (chunk: Buffer) => (size += chunk.length));
    req.once("end", () => {
      if (req.url === "/moved") return void res.writeHead(302, { location: "/there?x=1" }).end();
      if (req.url === "/broken") return void res.writeHead(200, { "content-length": 100 }).write("half", () => res.destroy());
      res.writeHead(req.url === "/missing" ? 418 : 200, { "content-type": "application/json", "x-own": "kept" });
      res.end(JSON.stringify({ method: req.method, url: req.url, size, headers: req.headers }));
    });
  });
  const sockets = new WebSocketServer({ noServer: true });
  backend.on("upgrade", (req, socket, head) => {
    if (req.url === "/refused") return void socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\nno!\n");
    sockets.handleUpgrade(req, socket, head, (accepted) =>
      accepted.on("message", (data: Buffer) => accepted.send(Buffer.concat([data, Buffer.from("!")]))),
    );
  });
  backend.listen(0, "127.0.0.1");
  await once(backend, "listening");
  port = (backend.address() as AddressInfo).port;

  world = await openConnections({});
  const patch = { contentType: "application/merge-patch+json", body: { status: { podIP: "127.0.0.1" } } };
  await world.world.send("PATCH", `${NAMESPACE}/pods/p/status`, patch);
  for (const [name, ready] of [
    ["web", true],
    ["idle", false],
  ] as const) {
    const ports = [{ name: "http", port: 80, targetPort: port }];
    await world.world.send("POST", `${NAMESPACE}/services`, { body: { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { ports } } });
    const body = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-0`, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready } }],
      ports: [{ name: "http", port, protocol: "TCP" }],
    };
    await world.world.send("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", { body });
  }
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  backend.close();
  expect(world.errors).toEqual([]);
});

const at = (rest: string, kind = "pods", name = `p:${port}`): string => `${NAMESPACE}/${kind}/${name}/proxy${rest}`;

test("a request goes to the pod as it came, without the credentials, and says where it came from", async () => {
  const path = at("/a%2Fb/../c?x=1&x=2");
  const { status, headers, text } = await world.request(path, {
    headers: { "impersonate-user": "somebody", "x-mine": "too", connection: "close, x-hop", "x-hop": "gone" },
  });
  expect(status).toBe(200);
  expect(headers["x-own"]).toBe("kept");
  const seen = JSON.parse(text) as { url: string; headers: Record<string, string> };
  expect(seen.url).toBe("/a%2Fb/../c?x=1&x=2");
  expect(seen.headers).toMatchObject({ "x-mine": "too", "x-forwarded-uri": path.split("?")[0], "x-forwarded-proto": "https" });
  for (const name of ["authorization", "impersonate-user", "x-hop"]) expect(seen.headers).not.toHaveProperty(name);
});

test("bodies of any size go through, by any method, and so do failures", async () => {
  const body = Readable.from(
    (function* () {
      for (let i = 0; i < 160; i++) yield Buffer.alloc(64 * 1024);
    })(),
  );
  expect(JSON.parse((await world.request(at("/up"), { method: "PUT", body })).text)).toMatchObject({ method: "PUT", size: 10 * 1024 * 1024 });
  for (const method of ["POST", "PATCH", "DELETE", "OPTIONS"])
    expect(JSON.parse((await world.request(at("/"), { method })).text)).toMatchObject({ method });
  expect(await world.request(at("/x"), { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
  expect(await world.request(at("/missing"))).toMatchObject({ status: 418 });
  await expect(world.request(at("/broken"))).rejects.toThrow("aborted");
});

test("a place that the pod names is named as the client finds it", async () => {
  expect((await world.request(at("/moved"))).headers.location).toBe(at("/there?x=1"));
  expect(await world.request(at("?y=2"))).toMatchObject({ status: 301, headers: { location: at("/?y=2") } });
});

test("a service answers by an endpoint that is ready", async () => {
  for (const name of ["web:80", "web:http", "http:web:http"])
    expect(await world.request(at("/s", "services", name)), name).toMatchObject({ status: 200 });
  const refusals: [string, string, number, RegExp][] = [
    ["services", "idle:80", 503, /no endpoints available for service \\"idle\\"/],
    ["services", "web:81", 503, /no service port 81 found/],
    ["services", "none:80", 404, /services \\"none\\" not found/],
    ["services", "ftp:web:80", 400, /invalid service request/],
    ["pods", "p:1", 503, /error trying to reach service: connect ECONNREFUSED/],
    ["pods", "p:nothing", 400, /no port called/],
    ["pods", "unscheduled:80", 400, /address not allowed/],
  ];
  for (const [kind, name, status, message] of refusals) {
    const answer = await world.request(at("/", kind, name));
    expect([name, answer.status, answer.text]).toEqual([name, status, expect.stringMatching(message)]);
  }
});

test("other protocols go through, or are refused by the pod itself", async () => {
  const raw = await world.raw();
  const lines = (path: string): string =>
    [`GET ${path} HTTP/1.1`, "host: x", "authorization: Bearer admin", "connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13"].join(
      "\r\n",
    );
  raw.write(`${lines(at("/socket"))}\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`);
  const [head] = (await once(raw, "data")) as [Buffer];
  expect(head.toString()).toMatch(/^HTTP\/1.1 101 [^]*sec-websocket-accept: /i);
  // A masked text frame of two letters.
  raw.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
  const [answer] = (await once(raw, "data")) as [Buffer];
  expect(answer.subarray(2).toString()).toBe("hi!");
  raw.destroy();
  const refused = await world.raw();
  refused.write(`${lines(at("/refused"))}\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`);
  const [no] = (await once(refused, "data")) as [Buffer];
  expect(no.toString()).toMatch(/^HTTP\/1.1 403 /);
});

test("a node tells whether it is well, and its pods", async () => {
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "here" } };
  await world.world.send("POST", "/api/v1/nodes", { body: node });
  expect(await world.request("/api/v1/nodes/here/proxy/healthz")).toMatchObject({ status: 200, text: "ok" });
  const pods = JSON.parse((await world.request("/api/v1/nodes/here/proxy/pods")).text) as { items: { metadata: { name: string } }[] };
  expect(pods.items.map(({ metadata }) => metadata.name)).toEqual(["p"]);
  expect(await world.request("/api/v1/nodes/here/proxy/else")).toMatchObject({ status: 404 });
});
