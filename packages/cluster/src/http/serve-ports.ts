import type { Duplex } from "node:stream";
import type { Connection } from "@sluice/client";
import type { WebSocket } from "ws";
import { joinStreams } from "./join-streams.ts";
import { SpdySession } from "./spdy/session.ts";
import { WebSocketChannels } from "./websocket-channels.ts";

type Ports = Extract<Connection, { kind: "ports" }>;

/** SPDY in the messages of a WebSocket: as many connections with as many ports as the client likes. */
export const TUNNEL_PROTOCOL = "SPDY/3.1+portforward.k8s.io";
/** The same without a WebSocket around it. */
export const SPDY_PORT_PROTOCOL = "portforward.k8s.io";
/** Two channels for each port that the request names, the first for its bytes, the second for what went wrong. */
export const PORT_PROTOCOLS: readonly string[] = ["v4.channel.k8s.io", "portforward.k8s.io", "v4.base64.channel.k8s.io"];

/** Forwards ports over SPDY: each connection has a stream for its bytes and one for what went wrong. */
export async function servePortStreams(connection: Duplex, ports: Ports, signal: AbortSignal): Promise<void> {
  const waiting = new Map<string, Duplex>();
  const session = new SpdySession(connection, (stream, { streamtype: type, port = "", requestid: request = port }) => {
    const other = waiting.get(request);
    if (type !== "data" && type !== "error") return void stream.destroy();
    if (other === undefined) {
      waiting.set(request, stream);
      stream.once("close", () => {
        if (waiting.get(request) === stream) waiting.delete(request);
      });
      return;
    }
    waiting.delete(request);
    const [data, error] = type === "data" ? [stream, other] : [other, stream];
    error.resume();
    void forward(ports, Number(port), data).then((message) => {
      error.end(message);
      if (message !== undefined) data.end();
    });
  });
  const stop = (): void => void connection.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await session.run();
  } catch {
    // The client is gone, or does not speak SPDY: the connection has ended either way.
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Forwards the ports that the request names, each once, over the channels of a WebSocket. */
export async function servePortChannels(socket: WebSocket, ports: Ports, { isBase64 }: { readonly isBase64: boolean }): Promise<void> {
  const channels = new WebSocketChannels(socket, { isBase64, canClose: false });
  const forwarded = ports.ports.map(async (port, index) => {
    const [data, error] = [2 * index, 2 * index + 1];
    const number = Buffer.alloc(2);
    number.writeUInt16LE(port);
    for (const channel of [data, error]) channels.send(channel, number);
    const stream = channels.duplex(data);
    // A channel cannot say that one side alone has ended.
    stream.once("finish", () => stream.destroy());
    const message = await forward(ports, port, stream);
    if (message !== undefined) channels.send(error, Buffer.from(message));
  });
  socket.resume();
  await Promise.all(forwarded);
  socket.close(1000);
}

/** Connects one stream with a port until both are done; what went wrong, if it could not. */
async function forward({ dial }: Ports, port: number, data: Duplex): Promise<string | undefined> {
  let socket: Duplex;
  try {
    socket = await dial(port);
  } catch (error) {
    data.resume();
    return `error forwarding port ${port}: ${error instanceof Error ? error.message : String(error)}`;
  }
  // A connection that breaks later just ends: the client cannot be told more.
  await joinStreams(data, socket);
  return undefined;
}
