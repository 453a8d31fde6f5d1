import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request } from "node:https";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { UserInfo } from "@sluice/client";
import { ApiError } from "@sluice/kubernetes";
import WebSocket from "ws";
import type { NodeAccess } from "../api-server/api-server.ts";
import type { RequestAuthorizer } from "../api-server/api-server-options.ts";
import { openWorld, type World } from "../api-server/world.fixture.ts";
import { serveWorld } from "./serve-world.fixture.ts";

/** A WebSocket whose messages are kept. */
interface Channels {
  readonly socket: WebSocket;
  send(channel: number, text: string | Uint8Array): void;
  /** Resolves once all that a channel has got matches. */
  until(channel: number, pattern: RegExp): Promise<string>;
  /** All that has come when the server closes the connection, by channel. */
  readonly closed: Promise<ReadonlyMap<number, string>>;
}

/** An API server on a socket, whose pods are on a node of the test's. */
export interface ConnectionWorld extends AsyncDisposable {
  readonly world: World;
  readonly port: number;
  /** What was logged as an error of the server's own. */
  readonly errors: unknown[];
  /** Opens a WebSocket; rejects with the Status that the server answers instead. */
  open(path: string, protocols: readonly string[], options?: { readonly token?: string }): Promise<Channels>;
  /** Sends one request as the administrator. */
  request(
    path: string,
    options?: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: Readable },
  ): Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string }>;
  /** A TLS connection with nothing sent yet. */
  raw(): Promise<TLSSocket>;
}

const nobody: NodeAccess = {
  log: () => Promise.reject(new Error("not in this test")),
  exec: () => Promise.reject(new Error("not in this test")),
  attach: () => Promise.reject(new Error("not in this test")),
  dial: () => Promise.reject(new Error("not in this test")),
};

/** The path of a pod's subresource, with parameters that may repeat. */
export function podPath(part: string, query: readonly (readonly [string, string])[] = [], name = "p"): string {
  return `/api/v1/namespaces/default/pods/${name}/${part}?${new URLSearchParams(query.map(([key, value]) => [key, value])).toString()}`;
}

/** Serves an API with one pod `p` on a node that is what a test says. Tokens are names of users. */
export async function openConnections(
  node: Partial<NodeAccess>,
  authorizer: RequestAuthorizer = { authorize: () => ({ allowed: true, reason: "" }) },
): Promise<ConnectionWorld> {
  const errors: unknown[] = [];
  const logger = { info: () => {}, warn: () => {}, error: (...what: unknown[]) => void errors.push(what) };
  const authenticate = async (username: string): Promise<UserInfo> => ({ username, groups: ["system:authenticated"] });
  const world = await openWorld({ nodes: (name) => (name === "here" ? { ...nobody, ...node } : undefined), authorizer, authenticate, logger });
  const served = await serveWorld(world, { authorizer, logger });
  for (const [name, nodeName] of [
    ["p", "here"],
    ["unscheduled", undefined],
    ["elsewhere", "away"],
  ]) {
    const spec = { ...(nodeName === undefined ? {} : { nodeName }), containers: ["main", "side"].map((one) => ({ name: one, image: "x" })) };
    await world.send("POST", "/api/v1/namespaces/default/pods", { body: { apiVersion: "v1", kind: "Pod", metadata: { name }, spec } });
  }
  const tls = { host: "127.0.0.1", port: served.port, ca: served.authority };
  return {
    world,
    port: served.port,
    errors,
    request: async (path, { method = "GET", headers = {}, body = Readable.from([]) } = {}) => {
      const options = { ...tls, agent: false, path, method, headers: { authorization: "Bearer admin", ...headers } };
      const outgoing = request(options);
      void pipeline(body, outgoing).catch(() => {}); // The answer says more.
      const [response] = (await once(outgoing, "response")) as [IncomingMessage];
      return { status: response.statusCode ?? 0, headers: response.headers, text: await text(response) };
    },
    raw: () =>
      new Promise((resolve, reject) => {
        const socket = connectTls(tls, () => resolve(socket));
        socket.once("error", reject);
      }),
    open: (path, protocols, { token = "admin" } = {}) =>
      new Promise((resolve, reject) => {
        const headers = { authorization: `Bearer ${token}`, "sec-websocket-protocol": protocols.join(", ") };
        const socket = new WebSocket(`wss://127.0.0.1:${served.port}${path}`, { ca: served.authority, headers });
        socket.once("upgrade", ({ headers: answered }) => {
          if (!protocols.includes(answered["sec-websocket-protocol"] ?? "")) reject(new Error(`the server speaks ${JSON.stringify(answered)}`));
          // The library would rather check by itself, and does not know a protocol with a slash.
          delete answered["sec-websocket-protocol"];
        });
        const channels = channelsOf(socket);
        socket.once("open", () => resolve(channels));
        socket.once("error", reject);
        socket.once("unexpected-response", (_request, response) => {
          let body = "";
          response.on("data", (chunk: Buffer) => (body += chunk.toString()));
          response.once("end", () => {
            const { message, reason, code } = JSON.parse(body) as { message: string; reason: never; code: number };
            reject(new ApiError(reason, message, { code }));
          });
        });
      }),
    [Symbol.asyncDispose]: async () => {
      await served[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

function channelsOf(socket: WebSocket): Channels {
  const got = new Map<number, string>();
  let look = (): void => {};
  const closed = Promise.withResolvers<ReadonlyMap<number, string>>();
  socket.on("message", (data: Buffer) => {
    const [channel = -1] = data;
    got.set(channel, (got.get(channel) ?? "") + data.toString("utf8", 1));
    look();
  });
  socket.once("close", () => closed.resolve(got));
  return {
    socket,
    closed: closed.promise,
    send: (channel, bytes) => socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(bytes)])),
    until: (channel, pattern) =>
      new Promise((resolve, reject) => {
        look = () => {
          const all = got.get(channel) ?? "";
          if (pattern.test(all)) resolve(all);
        };
        look();
        void closed.promise.then(() => reject(new Error(`the connection has ended with ${JSON.stringify([...got])}`)));
      }),
  };
}
