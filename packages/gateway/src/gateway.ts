import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { apiErrorOf, LOCAL_USER, rpcHttpStatusOf, rpcStatusOf, type Identity, type Parts, type RouteEnvironment } from "@sluice/component";
import type { Logger } from "@sluice/controller";
import { ApiError, UserError } from "@sluice/kubernetes";
import { Hono, type Context } from "hono";
import { getPath } from "hono/utils/url";
import { dashboard } from "./dashboard.ts";
import { checkOrigin, isLoopback, stripIdentity } from "./guard.ts";
import { kubernetesRoutes, type KubernetesApi } from "./kubernetes-api.ts";

/** Where the gateway offers the Kubernetes API in JSON. */
const KUBERNETES_PREFIX = "/k8s";
/** How long requests under way may take to end once the gateway closes. */
const GRACE_MS = 2000;

/** What the gateway serves, and where. */
export interface GatewayOptions {
  /** A loopback name or address: whoever reaches the gateway is its one local user, unless `authenticate` says otherwise. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly routes: NonNullable<Parts["routes"]>;
  /** Offered below `/k8s`. */
  readonly kubernetes?: KubernetesApi;
  /** Who makes a request; throws `ApiError` Unauthorized. */
  readonly authenticate?: (request: Request) => Promise<Identity>;
  /** The directory of the built dashboard. */
  readonly dashboard: string | undefined;
  /** What `/healthz` says beside `status`: version, components. */
  readonly about?: Readonly<Record<string, unknown>>;
  readonly logger: Logger;
}

/** A serving gateway. Disposing of it refuses new requests and waits a moment for those under way. */
export interface Gateway extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

/** Serves the components' APIs and the dashboard on one port. */
export async function serveGateway(options: GatewayOptions): Promise<Gateway> {
  const { host, authenticate } = options;
  if (authenticate === undefined && !isLoopback(host)) {
    throw new UserError(`host ${host} would let everybody on the network in`, {
      fix: "listen on 127.0.0.1, and reach it from elsewhere through an SSH tunnel",
    });
  }
  const closing = new AbortController();
  const app = gatewayApp(options, closing.signal);
  const listener = getRequestListener((request, env) => app.fetch(request, env as object), { overrideGlobalObjects: false });
  const server = createServer((incoming, outgoing) => {
    stripIdentity(incoming);
    void listener(incoming, outgoing);
  });
  server.requestTimeout = 0; // Uploads may take long, and nobody but the user is there to be slow.
  await listen(server, host, options.port);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await close(server);
    },
  };
}

/** The gateway without its socket. */
export function gatewayApp(options: GatewayOptions, closing: AbortSignal): Hono<RouteEnvironment> {
  const { routes, kubernetes, logger, authenticate = (): Promise<Identity> => Promise.resolve(LOCAL_USER) } = options;
  // A client behind the Kubernetes API's proxy may put one slash too many before a path.
  const app = new Hono<RouteEnvironment>({ getPath: (request) => getPath(request).replace(/^\/{2,}/u, "/") });
  const refuse = (error: unknown, context: Context<RouteEnvironment>): Response => {
    const refused = apiErrorOf(error);
    if (refused.code >= 500) logger.error("request failed", { method: context.req.method, path: context.req.path, error });
    if (context.req.path.startsWith(`${KUBERNETES_PREFIX}/`)) return context.json(refused.toStatus(), refused.code as 500);
    return context.json(rpcStatusOf(refused), rpcHttpStatusOf(refused) as 500);
  };
  app.onError(refuse);
  app.use(async (context, next) => {
    checkOrigin(context.req.raw);
    context.set("identity", await authenticate(context.req.raw));
    await next();
    const { headers } = context.res;
    headers.set("x-content-type-options", "nosniff");
    headers.set("referrer-policy", "no-referrer");
    // What an API answers is data, even if a browser is pointed at it and its type says HTML.
    if (!headers.has("content-security-policy")) headers.set("content-security-policy", "sandbox; default-src 'none'");
  });
  app.get("/healthz", (context) => context.json({ status: "ok", ...options.about }));
  for (const { paths, app: routed } of routes) for (const path of paths) app.route(path, routed);
  if (kubernetes !== undefined) app.route(KUBERNETES_PREFIX, kubernetesRoutes(kubernetes, KUBERNETES_PREFIX, closing));

  const unknown = (context: Context<RouteEnvironment>): Response =>
    refuse(new ApiError("NotFound", `there is no ${context.req.method} ${context.req.path}`), context);
  const prefixes = ["/api", "/apis", KUBERNETES_PREFIX, ...routes.flatMap(({ paths }) => paths)].filter((path) => path !== "/" && path !== "");
  for (const prefix of new Set(prefixes)) app.all(`${prefix.replace(/\/$/u, "")}/*`, unknown);
  const serveDashboard = dashboard(options.dashboard);
  app.get("*", (context) => serveDashboard(context.req.raw));
  app.notFound(unknown);
  return app;
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), GRACE_MS);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
    server.closeIdleConnections();
  });
}
