import type { IncomingMessage, ServerResponse } from "node:http";
import type { Connection } from "@sluice/client";
import { createWebSocketStream } from "ws";
import { forward, forwardUpgrade } from "./forward.ts";
import { COMMAND_PROTOCOLS, serveCommand } from "./serve-command.ts";
import { PORT_PROTOCOLS, servePortChannels, servePortStreams, SPDY_PORT_PROTOCOL, TUNNEL_PROTOCOL } from "./serve-ports.ts";
import { serveSpdyCommand, SPDY_COMMAND_PROTOCOL } from "./serve-spdy-command.ts";
import { acceptSpdy, acceptWebSocket, badUpgrade, type Upgrade } from "./upgrade.ts";

/** Serves an accepted connection to its end, or until the signal aborts. */
export type Serve = (signal: AbortSignal) => Promise<void>;

/** Agrees with a client on how to speak; throws `ApiError` while it can still be told. */
export async function acceptConnection(connection: Connection, upgrade: Upgrade): Promise<Serve> {
  const protocol = upgrade.message.headers.upgrade?.toLowerCase();
  switch (connection.kind) {
    case "command": {
      if (protocol === "spdy/3.1") {
        const socket = acceptSpdy(upgrade, SPDY_COMMAND_PROTOCOL);
        return (signal) => serveSpdyCommand(socket, connection, signal);
      }
      const { socket, protocol: spoken } = await acceptWebSocket(upgrade, Object.keys(COMMAND_PROTOCOLS));
      const framing = COMMAND_PROTOCOLS[spoken] ?? { isBase64: false, canClose: false };
      return (signal) => serveCommand(socket, connection, { framing, signal });
    }
    case "ports": {
      if (protocol === "spdy/3.1") {
        const socket = acceptSpdy(upgrade, SPDY_PORT_PROTOCOL);
        return (signal) => servePortStreams(socket, connection, signal);
      }
      const { socket, protocol: spoken } = await acceptWebSocket(upgrade, [
        TUNNEL_PROTOCOL,
        ...(connection.ports.length === 0 ? [] : PORT_PROTOCOLS),
      ]);
      if (spoken !== TUNNEL_PROTOCOL) return () => servePortChannels(socket, connection, { isBase64: spoken.includes("base64") });
      const tunnel = createWebSocketStream(socket);
      socket.resume();
      return (signal) => servePortStreams(tunnel, connection, signal);
    }
    case "proxy":
      return forwardUpgrade(connection, upgrade);
  }
}

/** Answers a client that has not asked for another protocol: what is proxied may do without. */
export async function answerConnection(connection: Connection, message: IncomingMessage, res: ServerResponse): Promise<void> {
  if (connection.kind !== "proxy") throw badUpgrade("Upgrade request required");
  await forward(connection, message, res);
}
