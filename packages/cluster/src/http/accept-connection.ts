import type { IncomingMessage, ServerResponse } from "node:http";
import type { Connection } from "@sluice/client";
import { COMMAND_PROTOCOLS, serveCommand } from "./serve-command.ts";
import { acceptWebSocket, badUpgrade, type Upgrade } from "./upgrade.ts";

/** Serves an accepted connection to its end, or until the signal aborts. */
export type Serve = (signal: AbortSignal) => Promise<void>;

/** Agrees with a client on how to speak; throws `ApiError` while it can still be told. */
export async function acceptConnection(connection: Connection, upgrade: Upgrade): Promise<Serve> {
  const protocol = upgrade.message.headers.upgrade?.toLowerCase();
  switch (connection.kind) {
    case "command": {
      if (protocol !== "websocket") throw badUpgrade("unable to upgrade: commands are reached by WebSocket");
      const socket = await acceptWebSocket(upgrade, Object.keys(COMMAND_PROTOCOLS));
      const framing = COMMAND_PROTOCOLS[socket.protocol] ?? { isBase64: false, canClose: false };
      return (signal) => serveCommand(socket, connection, { framing, signal });
    }
    case "ports":
    case "proxy":
      throw badUpgrade("TBD");
  }
}

/** Answers a client that has not asked for another protocol: what is proxied may do without. */
export async function answerConnection(connection: Connection, message: IncomingMessage, res: ServerResponse): Promise<void> {
  if (connection.kind !== "proxy") throw badUpgrade("Upgrade request required");
}
