import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { ApiError, type ObjectKey, pathOf, STATUS_CODES, type StatusReason } from "@sluice/kubernetes";
import { WebSocket } from "ws";
import type { ClusterAccess } from "./cluster-access.ts";
import { tlsOf } from "./tls-of.ts";

/** What is asked of a pod, and in which of Kubernetes' protocols. */
export interface ChannelsRequest {
  readonly subresource: "exec" | "portforward";
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly protocols: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Several streams in one WebSocket: each message begins with the number of its channel. */
export interface Channels {
  readonly protocol: string;
  /** Resolves once the network has it. */
  send(channel: number, bytes: Uint8Array): Promise<void>;
  /** Calls for each message, in order and one after the other; resolves when the connection is over. */
  receive(take: (channel: number, bytes: Buffer) => Promise<void> | void): Promise<void>;
  close(): void;
}

/** Connects with a pod. What the server refuses is an `ApiError`. */
export async function openChannels(
  access: ClusterAccess,
  pod: ObjectKey,
  { subresource, query, protocols, signal }: ChannelsRequest,
): Promise<Channels> {
  const url = new URL(access.server);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.pathname = `${url.pathname.replace(/\/$/u, "")}${pathOf({ group: "", version: "v1", plural: "pods" }, { ...pod, subresource })}`;
  url.search = new URLSearchParams(query.map(([name, value]): [string, string] => [name, value])).toString();
  const token = await access.token?.();
  signal?.throwIfAborted();
  const socket = new WebSocket(url, [...protocols], {
    ...tlsOf(access),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  socket.once("open", () => {
    // Nothing is to come before somebody listens.
    socket.pause();
    resolve();
  });
  socket.once("unexpected-response", (_, response) => void refusalOf(response, subresource).then(reject));
  socket.on("error", (cause) => reject(new ApiError("ServiceUnavailable", `cannot reach ${access.server}: ${cause.message}`, { cause })));
  const stop = (): void => socket.terminate();
  signal?.addEventListener("abort", stop, { once: true });
  socket.once("close", () => signal?.removeEventListener("abort", stop));
  await opened;
  return channelsOf(socket);
}

function channelsOf(socket: WebSocket): Channels {
  return {
    protocol: socket.protocol,
    send(channel, bytes) {
      const { promise, resolve } = Promise.withResolvers<void>();
      // Of a connection that has closed, `receive` tells.
      if (socket.readyState !== WebSocket.OPEN) resolve();
      else socket.send(Buffer.concat([Buffer.of(channel), bytes]), { binary: true }, () => resolve());
      return promise;
    },
    receive(take) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      let taken: Promise<void> = Promise.resolve();
      socket.on("message", (data: Buffer) => {
        const [channel] = data;
        if (channel === undefined) return;
        socket.pause();
        taken = taken.then(() => take(channel, data.subarray(1))).then(() => socket.resume());
        taken.catch(reject);
      });
      socket.once("close", () => void taken.then(resolve, reject));
      socket.resume();
      return promise;
    },
    close: () => socket.close(1000),
  };
}

async function refusalOf(response: IncomingMessage, what: string): Promise<ApiError> {
  const { statusCode: code = 500 } = response;
  const body = await text(response);
  const reason = (Object.keys(STATUS_CODES) as StatusReason[]).find((one) => STATUS_CODES[one] === code) ?? "InternalError";
  return new ApiError(reason, messageIn(body) ?? `${what}: the server answered with status ${code}: ${body.slice(0, 200)}`, { code });
}

function messageIn(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && "message" in value && typeof value.message === "string" ? value.message : undefined;
  } catch {
    return undefined; // Not from a Kubernetes API; the caller makes do with the code.
  }
}
