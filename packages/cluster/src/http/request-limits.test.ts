import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { connect, type TLSSocket } from "node:tls";
import type { Status } from "@sluice/kubernetes";
import { afterEach, expect, test } from "vitest";
import { openWorld, type World } from "../api-server/world.fixture.ts";
import type { Limits } from "./request-limits.ts";
import { serveWorld, type ServedWorld } from "./serve-world.fixture.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const WATCH = `${MAPS}?watch=1`;
const WITHIN = { timeout: 15_000 };
let stack = new AsyncDisposableStack();
let world: World;
let served: ServedWorld;
let agent: Agent;
afterEach(() => stack.disposeAsync());

async function serve(limits: Partial<Limits>): Promise<void> {
  stack = new AsyncDisposableStack();
  world = stack.use(await openWorld());
  served = stack.use(await serveWorld(world, { limits }));
  agent = new Agent({ ca: served.authority, keepAlive: false });
  stack.defer(() => agent.destroy());
}

/** Sends a request; without an end its body is never complete. */
async function send(
  path: string,
  { body, isEndless = false }: { readonly body?: string; readonly isEndless?: boolean } = {},
): Promise<IncomingMessage> {
  const headers = { authorization: "Bearer anybody", "content-type": "application/json", ...(isEndless ? { "transfer-encoding": "chunked" } : {}) };
  const outgoing = request({ host: "127.0.0.1", port: served.port, agent, path, method: body === undefined ? "GET" : "POST", headers });
  if (body !== undefined) outgoing.write(body);
  if (!isEndless) outgoing.end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  return response;
}

/** A connection of one's own. */
async function open(): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port: served.port, ca: served.authority });
  await once(socket, "secureConnect");
  socket.on("error", () => {}); // The server may be gone first.
  stack.defer(() => void socket.destroy());
  return socket;
}

const head = (method: string, path: string, more = ""): string =>
  `${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer anybody\r\n${more}\r\n`;
const configMap = (name: string): string => JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });

async function refused(response: IncomingMessage): Promise<void> {
  expect([response.statusCode, response.headers["retry-after"]]).toEqual([429, "1"]);
  expect(JSON.parse(await text(response)) as Status).toMatchObject({ kind: "Status", reason: "TooManyRequests" });
}

test("more streams than there may be are told to come again, and let in once others have gone", async () => {
  await serve({ streams: 2 });
  const [first, second] = await Promise.all([send(WATCH), send(WATCH)]);
  await refused(await send(WATCH));
  expect((await send(MAPS)).statusCode).toBe(200);
  first.destroy();
  await expect.poll(async () => (await send(WATCH)).statusCode, WITHIN).toBe(200);
  expect(second.statusCode).toBe(200);
});

test("more requests than there may be are told to come again; watches are not counted", async () => {
  await serve({ requests: 2 });
  await Promise.all([send(WATCH), send(WATCH), send(WATCH)]);
  const held = await Promise.all([open(), open()]);
  for (const socket of held) socket.write(head("POST", MAPS, "content-type: application/json\r\ncontent-length: 100\r\n"));
  await expect.poll(async () => (await send(MAPS)).statusCode, WITHIN).toBe(429);
  await refused(await send(MAPS, { body: configMap("a") }));
  for (const socket of held) socket.destroy();
  await expect.poll(async () => (await send(MAPS)).statusCode, WITHIN).toBe(200);
});

test("one connection cannot take the place of all others, however much it pipelines", async () => {
  await serve({ requests: 1000, requestsOfConnection: 10 });
  const socket = await open();
  let received = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (received += chunk));
  socket.write(head("GET", `${MAPS}/none`).repeat(60));
  expect((await send(MAPS)).statusCode).toBe(200);
  const count = (code: number): number => received.split(`HTTP/1.1 ${code} `).length - 1;
  await expect.poll(() => count(404) + count(429), WITHIN).toBe(60);
  expect([count(404), count(429)]).toEqual([10, 50]);
  (await open()).write(head("GET", MAPS).repeat(5000));
  expect((await send(MAPS)).statusCode).toBe(200);
});

test("bodies together are no larger than there is room for", async () => {
  await serve({ bodyBytes: 100_000 });
  const large = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { x: "x".repeat(90_000) } });
  expect((await send(MAPS, { body: large })).statusCode).toBe(201);
  const held = await open();
  held.write(`${head("POST", MAPS, "content-type: application/json\r\ncontent-length: 90000\r\n")}${"x".repeat(50_000)}`);
  await expect.poll(async () => (await send(MAPS, { body: large })).statusCode, WITHIN).toBe(429);
  held.destroy();
  await expect.poll(async () => (await send(MAPS, { body: large })).statusCode, WITHIN).toBe(409);
});

test("a request whose body does not come is ended, and a watch that is quiet as long is not", async () => {
  await serve({ idleMs: 200 });
  const watch = await send(WATCH);
  const socket = await open();
  socket.resume().write(head("POST", MAPS, "content-type: application/json\r\ncontent-length: 100\r\n"));
  await once(socket, "close");
  await world.send("POST", MAPS, { body: JSON.parse(configMap("later")) as object });
  const [line] = (await once(watch, "data")) as [Buffer];
  expect(String(line)).toContain("later");
});

test("an answer that nobody reads is ended", { timeout: 30_000 }, async () => {
  await serve({ idleMs: 200, requests: 1 });
  const data = { x: "x".repeat(500_000) };
  for (let index = 0; index < 60; index++) {
    await world.store.write("configmaps", { namespace: "default", name: `m-${index}` }, () => ({
      ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: `m-${index}`, namespace: "default" }, data },
    }));
  }
  const list = await send(MAPS);
  expect((await send(MAPS)).statusCode).toBe(429);
  await expect.poll(async () => (await send(`${MAPS}/m-1`)).statusCode, WITHIN).toBe(200);
  await expect(list.toArray()).rejects.toThrow("aborted");
});
