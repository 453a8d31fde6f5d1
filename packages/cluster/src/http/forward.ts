import { once } from "node:events";
import {
  request as requestHttp,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import { request as requestHttps } from "node:https";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Connection } from "@sluice/client";
import { ApiError } from "@sluice/kubernetes";
import { joinStreams } from "./join-streams.ts";
import { plainResponse, type Upgrade } from "./upgrade.ts";
import { writeStream } from "./write-response.ts";

type Proxy = Extract<Connection, { kind: "proxy" }>;

/** What belongs to one connection, not to the message. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  ...["connection", "proxy-connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"],
]);

/** Lets a pod or a service answer a request: its body goes there, and what comes back to the client, as it comes. */
export async function forward(proxy: Proxy, message: IncomingMessage, res: ServerResponse): Promise<void> {
  const { pathname, search } = requestUrl(message);
  if (proxy.path === "" && (message.method === "GET" || message.method === "HEAD")) {
    // What the page refers to relatively must be below it.
    res.writeHead(301, { location: `${pathname}/${search}`, "content-length": 0 }).end();
    return;
  }
  const outgoing = open(proxy, message, {});
  res.once("close", () => outgoing.destroy());
  const sent = pipeline(message, outgoing);
  const [answer] = (await Promise.race([once(outgoing, "response"), sent.then(() => once(outgoing, "response"))]).catch((cause: unknown) => {
    throw unreachable(cause);
  })) as [IncomingMessage];
  // Whoever has answered already need not read all of the body.
  sent.catch(() => {});
  await relay(proxy, answer, message, res);
}

/** Lets a pod or a service agree to another protocol, and connects the client with it. */
export async function forwardUpgrade(proxy: Proxy, upgrade: Upgrade): Promise<() => Promise<void>> {
  const { message, socket, head } = upgrade;
  const { connection, upgrade: protocol } = message.headers;
  const outgoing = open(proxy, message, {
    ...(connection === undefined ? {} : { connection }),
    ...(protocol === undefined ? {} : { upgrade: protocol }),
  });
  socket.once("close", () => outgoing.destroy());
  const answered = Promise.race([once(outgoing, "upgrade"), once(outgoing, "response")]);
  outgoing.end();
  const [answer, target, first] = (await answered.catch((cause: unknown) => {
    throw unreachable(cause);
  })) as [IncomingMessage, Duplex | undefined, Buffer | undefined];
  if (target === undefined) return () => relay(proxy, answer, message, plainResponse(upgrade));
  return async () => {
    const headers = answer.rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
    socket.write(`HTTP/1.1 101 ${answer.statusMessage ?? "Switching Protocols"}\r\n${headers}\r\n`);
    if (first !== undefined) socket.write(first);
    target.write(head);
    await joinStreams(socket, target);
  };
}

function open({ origin, path }: Proxy, message: IncomingMessage, headers: OutgoingHttpHeaders): ClientRequest {
  const { pathname, search } = requestUrl(message);
  const isSecure = origin.protocol === "https:";
  const outgoing = (isSecure ? requestHttps : requestHttp)({
    agent: false,
    hostname: origin.hostname.replace(/^\[|\]$/gu, ""),
    port: origin.port,
    method: message.method,
    path: `${path === "" ? "/" : path}${search}`,
    // As upstream: a pod has no certificate that anybody could know.
    rejectUnauthorized: false,
    headers: { ...passedOn(message.headers), ...forwarded(message, pathname), ...headers },
  });
  // What goes wrong once there is an answer ends that.
  outgoing.on("error", () => {});
  return outgoing;
}

/** The client's credentials are for the API alone. */
function passedOn(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(endToEnd(headers).filter(([name]) => name !== "authorization" && !name.startsWith("impersonate-")));
}

function endToEnd(headers: IncomingHttpHeaders): [string, string | string[]][] {
  const named = new Set((headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase()));
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || HOP_BY_HOP.has(name) || named.has(name) ? [] : [[name, value] as [string, string | string[]]],
  );
}

function forwarded({ headers, socket }: IncomingMessage, pathname: string): OutgoingHttpHeaders {
  const before = headers["x-forwarded-for"];
  const client = socket.remoteAddress;
  const chain = [...(before === undefined ? [] : [before].flat()), ...(client === undefined ? [] : [client])];
  return {
    "x-forwarded-uri": pathname,
    "x-forwarded-proto": "https",
    ...(headers.host === undefined ? {} : { "x-forwarded-host": headers.host }),
    ...(chain.length === 0 ? {} : { "x-forwarded-for": chain.join(", ") }),
  };
}

async function relay({ origin, path }: Proxy, answer: IncomingMessage, message: IncomingMessage, res: ServerResponse): Promise<void> {
  const { pathname } = requestUrl(message);
  const headers: OutgoingHttpHeaders = Object.fromEntries(endToEnd(answer.headers));
  const { location } = answer.headers;
  if (location !== undefined) headers["location"] = throughProxy(location, origin, pathname.slice(0, pathname.length - path.length));
  res.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers);
  try {
    await writeStream(res, answer as AsyncIterable<Uint8Array>, (chunk) => [chunk]);
  } catch {
    // One of the two is gone in the middle of the answer: the broken connection tells the other.
  }
}

/** Where a client that only sees the proxy finds what `location` means there. */
function throughProxy(location: string, origin: URL, prefix: string): string {
  const isElsewhere = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/iu.test(location) && URL.parse(location, origin)?.origin !== origin.origin;
  if (isElsewhere || (!location.startsWith("/") && !location.startsWith(origin.origin))) return location;
  const url = new URL(location, origin);
  return `${prefix}${url.pathname}${url.search}${url.hash}`;
}

function requestUrl({ url = "/" }: IncomingMessage): { readonly pathname: string; readonly search: string } {
  const mark = url.indexOf("?");
  return mark < 0 ? { pathname: url, search: "" } : { pathname: url.slice(0, mark), search: url.slice(mark) };
}

function unreachable(cause: unknown): ApiError {
  return new ApiError("ServiceUnavailable", `error trying to reach service: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}
