import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RouteEndpoint, ServiceRoute } from "../sandbox/network/service-route.ts";
import { ServiceProxy } from "./service-proxy.ts";

let warnings: unknown[];
let proxy: ServiceProxy;
let stack: AsyncDisposableStack;
beforeEach(() => {
  warnings = [];
  stack = new AsyncDisposableStack();
  proxy = stack.use(new ServiceProxy({ info: () => {}, warn: (_, fields) => warnings.push(fields), error: () => {} }));
});
afterEach(() => stack.disposeAsync());

const address = "127.0.0.1";

/** A server that says its name after it has heard all that its client says, and that back. */
async function serve(name: string): Promise<RouteEndpoint> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let heard = "";
    socket.on("data", (bytes) => (heard += bytes.toString()));
    socket.on("end", () => socket.end(`${name} ${heard}`));
  }).listen(0, address);
  stack.defer(() => void server.close());
  await once(server, "listening");
  return { address, port: (server.address() as AddressInfo).port };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function call(port: number, text = "hello"): Promise<string> {
  const socket = connect({ host: address, port });
  socket.end(text);
  let heard = "";
  for await (const bytes of socket) heard += String(bytes);
  return heard;
}

const route = (endpoints: readonly RouteEndpoint[], more: Partial<ServiceRoute> = {}): ServiceRoute => ({
  ...{ name: "default/web:http", address: "10.96.0.9", port: 80, protocol: "TCP" },
  endpoints,
  ...more,
});

test("connections reach any endpoint, each side ends in its own time, and a new choice holds for new ones", async () => {
  const [a, b, c] = await Promise.all([serve("a"), serve("b"), serve("c")]);
  const port = await freePort();
  await proxy.apply([{ address, port, route: route([a, b]) }]);
  const heard = new Set<string>();
  while (heard.size < 2) heard.add(await call(port));
  expect([...heard].sort()).toEqual(["a hello", "b hello"]);
  await proxy.apply([{ address, port, route: route([c]) }]);
  expect(await call(port, "x".repeat(100_000))).toBe(`c ${"x".repeat(100_000)}`);
  await proxy.apply([{ address, port, route: route([]) }]);
  await expect(call(port)).rejects.toMatchObject({ code: "ECONNRESET" });
  await proxy.apply([]);
  await expect(call(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("with affinity a client always reaches the same one", async () => {
  const endpoints = await Promise.all(["a", "b", "c", "d"].map(serve));
  const port = await freePort();
  await proxy.apply([{ address, port, route: route(endpoints, { affinitySeconds: 10 }) }]);
  const heard = new Set(await Promise.all(Array.from({ length: 20 }, () => call(port))));
  expect(heard.size).toBe(1);
});

test("an endpoint that is not there ends its callers' connections", async () => {
  const port = await freePort();
  await proxy.apply([{ address, port, route: route([{ address, port: await freePort() }]) }]);
  await expect(call(port)).rejects.toMatchObject({ code: "ECONNRESET" });
});

test("datagrams go and come back", async () => {
  const server = createSocket("udp4", (message, from) => server.send(`heard ${message.toString()}`, from.port, from.address));
  stack.defer(() => void server.close());
  server.bind(0, address);
  await once(server, "listening");
  const port = await freePort();
  await proxy.apply([{ address, port, route: route([{ address, port: server.address().port }], { protocol: "UDP" }) }]);
  const client = createSocket("udp4");
  stack.defer(() => void client.close());
  for (const text of ["one", "two"]) {
    client.send(text, port, address);
    const [answer] = (await once(client, "message")) as [Buffer];
    expect(answer.toString()).toBe(`heard ${text}`);
  }
});

test("a place that somebody has is told once, and had when it is free", async () => {
  const taken = createServer().listen(0, address);
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const wanted = [{ address, port, route: route([await serve("a")]) }];
  await proxy.apply(wanted);
  await proxy.apply(wanted);
  expect(warnings).toMatchObject([{ service: "default/web:http", address, port }]);
  taken.close();
  await once(taken, "close");
  await proxy.apply(wanted);
  expect(await call(port)).toBe("a hello");
});
