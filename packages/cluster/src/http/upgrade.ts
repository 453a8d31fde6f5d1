import { ServerResponse, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { ApiError } from "@sluice/kubernetes";
import { WebSocketServer, type WebSocket } from "ws";
import { parseRequestPath } from "../api-server/request-info.ts";

/** A request to go on as something else than HTTP. */
export interface Upgrade {
  readonly message: IncomingMessage;
  readonly socket: Duplex;
  /** What the client has sent already. */
  readonly head: Buffer;
}

const CONNECTING: ReadonlySet<string> = new Set(["exec", "attach", "portforward", "proxy"]);

/** Whether a request that asks for another protocol may get it; elsewhere it is answered as if it had not asked. */
export function mayUpgrade({ url = "" }: IncomingMessage): boolean {
  const info = parseRequestPath(url.split("?", 1)[0] ?? "");
  return info.kind === "resource" && info.subresource !== undefined && CONNECTING.has(info.subresource);
}

/** A WebSocket, and what its messages mean. It is paused, so that nothing is lost before somebody listens. */
export interface AcceptedWebSocket {
  readonly socket: WebSocket;
  readonly protocol: string;
}

/** Goes on as a WebSocket in the first of `protocols` that the client offers. */
export async function acceptWebSocket({ message, socket, head }: Upgrade, protocols: readonly string[]): Promise<AcceptedWebSocket> {
  const { [PROTOCOL_HEADER]: header = "" } = message.headers;
  const offered = header.split(",").map((one) => one.trim());
  const protocol = protocols.find((one) => offered.includes(one));
  if (protocol === undefined) {
    throw badUpgrade(`unable to upgrade: the client supports ${JSON.stringify(offered)}, the server accepts ${JSON.stringify(protocols)}`);
  }
  const { promise, resolve, reject } = Promise.withResolvers<AcceptedWebSocket>();
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  // Kubernetes has a protocol with a slash in its name, which no WebSocket library lets pass.
  message.headers[PROTOCOL_HEADER] = undefined;
  server.once("headers", (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  server.once("wsClientError", (cause) => reject(badUpgrade(`unable to upgrade: ${cause.message}`, cause)));
  server.handleUpgrade(message, socket, head, (accepted) => {
    accepted.pause();
    // A client that does not speak the protocol is hung up on, and that is all to be done about it.
    accepted.on("error", () => {});
    resolve({ socket: accepted, protocol });
  });
  return promise;
}

const PROTOCOL_HEADER = "sec-websocket-protocol";

/** Goes on as SPDY, with `protocol` for what its streams mean. */
export function acceptSpdy({ message, socket, head }: Upgrade, protocol: string): Duplex {
  const offered = (message.headersDistinct["x-stream-protocol-version"] ?? []).flatMap((line) => line.split(",").map((one) => one.trim()));
  if (offered.length > 0 && !offered.includes(protocol)) {
    throw new ApiError("Forbidden", `unable to upgrade: the client supports ${JSON.stringify(offered)}, the server accepts ${protocol}`);
  }
  if (head.length > 0) socket.unshift(head);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`);
  return socket;
}

/** For an answer in HTTP after all; the connection ends with it. */
export function plainResponse({ message, socket }: Upgrade): ServerResponse {
  const res = new ServerResponse(message);
  res.shouldKeepAlive = false;
  res.assignSocket(message.socket);
  res.once("finish", () => socket.end());
  return res;
}

/** The client asks for a connection in a way that is not spoken here. */
export function badUpgrade(message: string, cause?: unknown): ApiError {
  return new ApiError("BadRequest", message, { cause });
}
