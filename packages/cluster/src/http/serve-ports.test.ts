import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createWebSocketStream } from "ws";
import { openConnections, podPath, type ConnectionWorld } from "./connections.fixture.ts";
import { spdyClient, type ClientStream, type SpdyClient } from "./spdy/client.fixture.ts";

let world: ConnectionWorld;
let server: Server;
let port: number;
const accepted: Socket[] = [];

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
  world = await openConnections({
    dial: async (_pod, wanted): Promise<Duplex> => {
      const socket = connect({ host: "127.0.0.1", port: wanted, allowHalfOpen: true });
      await once(socket, "connect");
      return socket;
    },
  });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  for (const socket of accepted.splice(0)) socket.destroy();
  server.close();
  expect(world.errors).toEqual([]);
});

async function tunnel(): Promise<SpdyClient & { readonly connection: Duplex }> {
  const { socket } = await world.open(podPath("portforward"), ["SPDY/3.1+portforward.k8s.io"]);
  const connection = createWebSocketStream(socket);
  connection.on("error", () => {});
  return { ...spdyClient(connection), connection };
}

let requests = 0;
async function forward(client: SpdyClient, to: number): Promise<{ readonly data: ClientStream; readonly error: ClientStream }> {
  const headers = { port: String(to), requestID: String(requests++) };
  const error = await client.open({ ...headers, streamType: "error" });
  error.send("", true);
  return { error, data: await client.open({ ...headers, streamType: "data" }) };
}

test("a tunnel carries many connections, each with its own end", async () => {
  const client = await tunnel();
  const [one, two] = [await forward(client, port), await forward(client, port)];
  one.data.send("first");
  expect(await one.data.first).toBe("first");
  two.data.send("x".repeat(3_000_000).slice(0, 900_000));
  two.data.send("end", true);
  expect((await two.data.ended).text).toHaveLength(900_003);
  expect(await two.error.ended).toEqual({ text: "", how: "end" });
  one.data.send(" and last", true);
  expect(await one.data.ended).toEqual({ text: "first and last", how: "end" });
  expect(await client.ping(5)).toBe(5);
});

test("a port where nobody listens is told on its own stream, and the others go on", async () => {
  const client = await tunnel();
  const good = await forward(client, port);
  server.close();
  good.data.send("still");
  await good.data.first;
  const bad = await forward(client, port);
  expect(await bad.error.ended).toMatchObject({ text: expect.stringMatching(/^error forwarding port \d+: connect ECONNREFUSED/) });
  expect(await bad.data.ended).toMatchObject({ text: "" });
  good.data.send(" here", true);
  expect((await good.data.ended).text).toBe("still here");
});

test("a connection ends with its stream, and all end with the client", async () => {
  const client = await tunnel();
  const one = await forward(client, port);
  one.data.send("x");
  await one.data.first;
  const closed = once(accepted[0] ?? server, "close");
  one.data.reset();
  await closed;
  const two = await forward(client, port);
  two.data.send("y");
  await two.data.first;
  const gone = once(accepted[1] ?? server, "close");
  client.connection.destroy();
  await gone;
  expect(accepted.map(({ destroyed }) => destroyed)).toEqual([true, true]);
});

test("what is no SPDY ends the connection, and nothing else", async () => {
  const client = await tunnel();
  client.connection.write("GET / HTTP/1.1\r\n\r\n");
  await once(client.connection, "end");
  const { data } = await forward(await tunnel(), port);
  data.send("alive", true);
  expect((await data.ended).text).toBe("alive");
});

test("channels name their ports first, and tell what went wrong", async () => {
  const dead = createServer();
  dead.listen(0, "127.0.0.1");
  await once(dead, "listening");
  const { port: refused } = dead.address() as AddressInfo;
  dead.close();
  const path = podPath("portforward", [
    ["ports", String(port)],
    ["ports", String(refused)],
  ]);
  const client = await world.open(path, ["v4.channel.k8s.io"]);
  client.send(0, "hello");
  const prefix = (number: number): string => {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16LE(number);
    return bytes.toString();
  };
  expect(await client.until(0, /hello$/)).toBe(`${prefix(port)}hello`);
  expect(await client.until(3, /ECONNREFUSED/)).toContain(prefix(refused));
  accepted[0]?.end();
  const got = await client.closed;
  expect(got.get(1)).toBe(prefix(port));
});

test("ports are named in the request where streams cannot name them, and are ports", async () => {
  await expect(world.open(podPath("portforward"), ["v4.channel.k8s.io"])).rejects.toMatchObject({ code: 400 });
  await expect(world.open(podPath("portforward", [["ports", "http"]]), ["v4.channel.k8s.io"])).rejects.toMatchObject({ code: 400 });
});

test("SPDY needs no WebSocket around it, neither for ports nor for commands", async () => {
  await world[Symbol.asyncDispose]();
  world = await openConnections({
    dial: async () => connect({ host: "127.0.0.1", port, allowHalfOpen: true }),
    exec: async (_pod, { command }) => {
      return async ({ stdin, stdout }) => {
        for await (const chunk of stdin ?? []) stdout?.write(`${command.join(" ")} ${String(chunk)}`);
        return 3;
      };
    },
  });
  const open = async (path: string, protocol: string): Promise<SpdyClient> => {
    const socket = await world.raw();
    const lines = [`POST ${path} HTTP/1.1`, "host: x", "authorization: Bearer admin", "connection: Upgrade", "upgrade: SPDY/3.1"];
    socket.write(`${[...lines, `x-stream-protocol-version: v9, ${protocol}`].join("\r\n")}\r\n\r\n`);
    const [head] = (await once(socket, "data")) as [Buffer];
    expect(head.toString()).toMatch(new RegExp(`^HTTP/1.1 101 [^]*X-Stream-Protocol-Version: ${protocol}\r\n\r\n$`));
    return spdyClient(socket);
  };
  const { data } = await forward(await open(podPath("portforward"), "portforward.k8s.io"), port);
  data.send("bare", true);
  expect((await data.ended).text).toBe("bare");

  const query: [string, string][] = [
    ["container", "main"],
    ["command", "say"],
    ["stdin", "true"],
    ["stderr", "false"],
  ];
  const client = await open(podPath("exec", query), "v4.channel.k8s.io");
  const [error, stdin, stdout] = [
    await client.open({ streamType: "error" }),
    await client.open({ streamType: "stdin" }),
    await client.open({ streamType: "stdout" }),
  ];
  stdin.send("it", true);
  expect((await stdout.ended).text).toBe("say it");
  expect(JSON.parse((await error.ended).text)).toMatchObject({ reason: "NonZeroExitCode" });
});
