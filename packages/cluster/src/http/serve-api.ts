import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { ApiRequest, UserInfo } from "@sluice/client";
import type { Clock, Logger } from "@sluice/controller";
import { ApiError, isApiError, UserError, type Resource } from "@sluice/kubernetes";
import type { ApiServer } from "../api-server/api-server.ts";
import type { RequestAuthorizer } from "../api-server/api-server-options.ts";
import { isTrue, parseRequestPath, verbOf, type RequestInfo } from "../api-server/request-info.ts";
import type { IncludeObject } from "../api-server/table.ts";
import type { AuditLog, RequestOrigin } from "../audit/audit-log.ts";
import { Authenticator } from "../auth/authenticate.ts";
import { impersonate } from "../auth/impersonation.ts";
import type { Pki } from "../auth/pki.ts";
import { acceptConnection, answerConnection } from "./accept-connection.ts";
import { documentHeaders } from "./document-headers.ts";
import { negotiate, notAcceptable } from "./negotiate.ts";
import { originOf } from "./origin-of.ts";
import { readRequest } from "./read-request.ts";
import type { RequestCounts } from "./request-counts.ts";
import { LIMITS, RequestLimits, type AdmittedRequest, type Limits } from "./request-limits.ts";
import { badUpgrade, mayUpgrade, plainResponse, type Upgrade } from "./upgrade.ts";
import { writeError, writeResponse } from "./write-response.ts";

/** What is served, where, and to whom it proves itself. */
export interface ServeApiOptions {
  readonly server: ApiServer;
  readonly authorizer: RequestAuthorizer;
  readonly pki: Pick<Pki, "authority" | "server">;
  /** The addresses to listen on, all at the same port. */
  readonly hosts: readonly string[];
  /** 0 takes any that the first address has. */
  readonly port: number;
  readonly counts: RequestCounts;
  /** Hears of those who are not let in; of all others, the server tells it. */
  readonly audit?: AuditLog | undefined;
  /** What is not given is as in `LIMITS`. */
  readonly limits?: Partial<Limits>;
  readonly clock: Clock;
  /** A fresh UUID. */
  readonly newId: () => string;
  readonly logger: Logger;
}

/** The Kubernetes API on a socket. Disposing of it ends the streams and lets other requests finish. */
export interface ServedApi extends AsyncDisposable {
  readonly port: number;
  /** Presents another certificate to connections from now on. */
  renew(pki: Pick<Pki, "authority" | "server">): void;
}

/** Who has come in with which request. */
interface Entered {
  /** The caller, or whom they act as. */
  readonly user: UserInfo;
  readonly request: ApiRequest;
  /** Names the caller too, if they act as another. */
  readonly origin: RequestOrigin;
}

const NOBODY: UserInfo = { username: "", groups: [] };

/** Connections are kept; those whose other end has died without a word are found out by TCP. */
const CONNECTIONS = { keepAliveTimeout: 90_000, keepAlive: true, keepAliveInitialDelay: 30_000, maxHeaderSize: 64 * 1024 } as const;
/** How long requests may take to finish once the server stops. */
const GRACE_MS = 5000;

/** Serves the Kubernetes API over HTTPS. */
export async function serveApi(options: ServeApiOptions): Promise<ServedApi> {
  const { server, authorizer, hosts, clock, counts, audit, newId, logger } = options;
  const authenticator = new Authenticator((token) => server.authenticate(token));
  const limits = new RequestLimits({ ...LIMITS, ...options.limits });
  const streams = new Set<AbortController>();
  let isStopping = false;
  const resources = resourceFinder(server);

  const handle = async (message: IncomingMessage, res: ServerResponse): Promise<void> => {
    const arrived = originOf(message, clock.now(), newId);
    res.setHeader("audit-id", arrived.auditId);
    const isConnecting = mayUpgrade(message);
    const admitted = limits.admit(message, res);
    const { user, request, origin } = await enter(message, arrived, isConnecting ? undefined : admitted);
    const { query, path, method } = request;
    const info = parseRequestPath(path);
    const verb = verbOf(method, info, query);
    res.once("close", () => counts.add(verb, res.statusCode));
    const resource = resources(info);
    const form = path === "/api" || path === "/apis" || isConnecting ? "object" : negotiate(request.accept, { canTransform: resource !== undefined });
    if (form === undefined && !path.startsWith("/openapi")) throw notAcceptable();
    const mayStream = isConnecting || verb === "watch" || path.endsWith("/log");
    if (mayStream) admitted.becomeStream();
    const response = await server.send(mayStream ? { ...request, signal: streamSignal(res) } : request, user, origin);
    if (response.kind === "connect") return answerConnection(response.connection, message, res);
    const headers = response.kind === "object" && resource === undefined ? documentHeaders(request, response.object, clock.now()) : {};
    if (headers["etag"] !== undefined && message.headers["if-none-match"] === headers["etag"]) {
      res.writeHead(304, headers);
      res.end();
      return;
    }
    await writeResponse(res, response, {
      form: form ?? "object",
      resource,
      includeObject: readInclude(query["includeObject"]),
      now: () => clock.now(),
      isPretty: query["pretty"] !== undefined && isTrue(query["pretty"]),
      takesGzip: message.headers["accept-encoding"]?.includes("gzip") === true,
      headers,
    });
  };

  const connect = async (upgrade: Upgrade): Promise<void> => {
    const { message, socket } = upgrade;
    limits.openStream(socket);
    const { user, request, origin } = await enter(message, originOf(message, clock.now(), newId), undefined);
    const signal = streamSignal(socket);
    const response = await server.send({ ...request, signal }, user, origin);
    if (response.kind !== "connect") throw badUpgrade("unable to upgrade: there is nothing to connect with at this path");
    const serve = await acceptConnection(response.connection, upgrade);
    counts.add("connect", 101);
    signal.addEventListener("abort", () => socket.destroy());
    await serve(signal).catch((error: unknown) => {
      logger.error("a connection broke for a reason that is no Kubernetes error", { url: message.url, error });
      socket.destroy();
    });
  };

  /** Who makes a request, and which; its body is left to others unless it was admitted. The log hears of those who fail here. */
  const enter = async (message: IncomingMessage, arrived: RequestOrigin, admitted: AdmittedRequest | undefined): Promise<Entered> => {
    let caller = NOBODY;
    try {
      caller = await authenticator.authenticate(message);
      const user = await impersonate(message, caller, authorizer);
      const request = await readRequest(message, admitted);
      return { user, request, origin: caller === user ? arrived : { ...arrived, impersonator: caller } };
    } catch (error) {
      audit?.refused(message, { user: caller, origin: arrived, error });
      throw error;
    }
  };

  /** A signal for what may stream: it aborts when the client goes, or the server stops. */
  const streamSignal = (connection: ServerResponse | Duplex): AbortSignal => {
    const stream = new AbortController();
    streams.add(stream);
    connection.once("close", () => {
      streams.delete(stream);
      stream.abort();
    });
    return stream.signal;
  };

  const refuse = (message: IncomingMessage, res: ServerResponse, error: unknown): void => {
    if (!isApiError(error))
      logger.error("a request failed for a reason that is no Kubernetes error", { method: message.method, url: message.url, error });
    if (res.headersSent || res.destroyed) return;
    writeError(
      res,
      isApiError(error)
        ? error
        : new ApiError("InternalError", `an error on the server (${String(error)}) has prevented the request from succeeding`, { cause: error }),
    );
  };

  const onUpgrade = (message: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // A client that goes is seen by the end of its connection.
    socket.on("error", () => {});
    const upgrade: Upgrade = { message, socket, head };
    connect(upgrade).catch((error: unknown) => refuse(message, plainResponse(upgrade), error));
  };

  const listener = (message: IncomingMessage, res: ServerResponse): void => {
    res.once("close", () => {
      if (isStopping) message.socket.end();
    });
    handle(message, res).catch((error: unknown) => refuse(message, res, error));
  };
  await using stack = new AsyncDisposableStack();
  const servers: Server[] = [];
  let { port } = options;
  for (const host of hosts) {
    const https = createServer(
      { ...tls(options.pki), requestCert: true, rejectUnauthorized: false, shouldUpgradeCallback: mayUpgrade, ...CONNECTIONS },
      listener,
    );
    https.on("upgrade", onUpgrade);
    await listen(https, host, port);
    port = (https.address() as AddressInfo).port;
    stack.defer(() => close(https, clock));
    servers.push(https);
  }
  stack.defer(() => streams.forEach((stream) => stream.abort()));

  const listening = stack.move();
  return {
    port,
    renew: (pki) => servers.forEach((https) => https.setSecureContext(tls(pki))),
    [Symbol.asyncDispose]: () => listening.disposeAsync(),
  };
}

/** Refuses new connections and waits for the requests under way, within limits. */
async function close(https: Server, clock: Clock): Promise<void> {
  const closed = new Promise((resolve) => https.close(resolve));
  https.closeIdleConnections();
  const settled = new AbortController();
  void clock.sleep(GRACE_MS, settled.signal).then(() => https.closeAllConnections());
  await closed;
  settled.abort();
}

function tls({ authority, server }: Pick<Pki, "authority" | "server">): { readonly ca: string; readonly cert: string; readonly key: string } {
  return { ca: authority, cert: server.certificate, key: server.key };
}

async function listen(https: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  https.once("error", reject);
  https.listen({ host, port }, resolve);
  try {
    await promise;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`the Kubernetes API cannot listen on ${host}:${port}: ${reason}`, {
      fix: "choose another port, or stop the program that has this one",
      cause,
    });
  }
}

/** The kind whose objects a path is about; only they can be shown as tables or by their metadata alone. */
function resourceFinder(server: ApiServer): (info: RequestInfo) => Resource | undefined {
  let byPath: Map<string, Resource> | undefined;
  server.onResourcesChange(() => {
    byPath = undefined;
  });
  return (info) => {
    if (info.kind !== "resource" || (info.subresource !== undefined && info.subresource !== "status")) return undefined;
    byPath ??= new Map(server.resources().map((resource) => [`${resource.group}/${resource.version}/${resource.plural}`, resource]));
    return byPath.get(`${info.group}/${info.version}/${info.plural}`);
  };
}

function readInclude(text: string | undefined): IncludeObject {
  switch (text) {
    case undefined:
    case "":
    case "Metadata":
      return "Metadata";
    case "None":
    case "Object":
      return text;
    default:
      throw new ApiError("BadRequest", `unrecognized includeObject value: ${JSON.stringify(text)}`);
  }
}
