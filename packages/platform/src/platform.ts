import { randomUUID } from "node:crypto";
import type { Client } from "@sluice/client";
import type { Capabilities, Component, Identity, Parts } from "@sluice/component";
import { runManager, systemClock, type Logger } from "@sluice/controller";
import { serveGateway } from "@sluice/gateway";
import { UserError } from "@sluice/kubernetes";
import { loadComponents } from "./components.ts";
import { flagOf, type Config } from "./config.ts";
import { installResources } from "./crds.ts";
import { claimDataDirectory, type Running } from "./data-directory.ts";
import { deferredClient } from "./deferred-client.ts";
import { clusterGate } from "./gate.ts";
import { embeddedHome, type Home } from "./home.ts";
import { openLogger } from "./logger.ts";
import { checkPort } from "./ports.ts";
import { publishServices } from "./publish-services.ts";

/** What a start may be told besides its configuration. */
export interface PlatformOptions {
  readonly version: string;
  /** The built dashboard of this installation. */
  readonly dashboard?: string;
  /** This program's environment variables: where the node looks for interpreters and tools. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Instead of the embedded home. */
  readonly home?: Home;
}

/** A running platform. Disposing of it stops it; pods go on, and the next start adopts them. */
export interface Platform extends AsyncDisposable {
  readonly config: Config;
  readonly components: readonly string[];
  readonly url: string;
  readonly apiUrl: string;
  readonly kubeconfigPath: string;
}

/** The platform itself, where it acts for no component. */
const SYSTEM: Identity = { username: "system:sluice", groups: ["system:masters", "system:authenticated"] };

/** Starts everything that the configuration asks for, in order of dependence; if one thing fails, what has started stops. */
export async function startPlatform(config: Config, options: PlatformOptions): Promise<Platform> {
  const components = await loadComponents(config);
  await using stack = new AsyncDisposableStack();
  const running: Running = { pid: process.pid, version: options.version };
  const directory = stack.use(await claimDataDirectory(config.dataDir, running));
  await checkPorts(config);
  const logger = stack.use(openLogger(config));
  const home = options.home ?? embeddedHome(config);
  const database = stack.use(await home.openDatabase());
  const objects = stack.use(await home.openObjectStore());
  for (const { name, migrations = [] } of components) await database.migrate(name, migrations);

  const stopping = new AbortController();
  const { signal } = stopping;
  const ready = Promise.withResolvers<(user: Identity) => Client>();
  const clientOf = (user: Identity): Client => deferredClient(ready.promise.then((client) => client(user)));
  const shared = { database, objects, gate: clusterGate(clientOf(SYSTEM)), clock: systemClock, newId: randomUUID, signal };
  const built = components.map((component) =>
    build(component, { ...shared, logger: named(logger, component.name), client: clientOf(identityOf(component)) }),
  );

  const programs = built.flatMap(({ parts }) => parts.programs ?? []);
  const cluster = stack.use(
    await home.startCluster({ programs, clock: systemClock, logger: named(logger, "cluster"), environment: options.environment }),
  );
  ready.resolve((user) => cluster.client(user));
  await installResources(
    cluster.client(SYSTEM),
    components.flatMap(({ resources = [] }) => resources),
    signal,
  );

  const managers = built.map(({ parts, context: { client, clock, logger: own } }) =>
    runManager({ client, controllers: parts.controllers ?? [], clock, logger: own, signal }).catch((error: unknown) =>
      own.error("the controllers have ended", { error }),
    ),
  );
  stack.defer(async () => {
    stopping.abort();
    await Promise.all(managers);
  });
  const gateway = stack.use(
    await serveGateway({
      host: config.address,
      port: config.port,
      routes: built.flatMap(({ parts }) => parts.routes ?? []),
      kubernetes: cluster.api,
      dashboard: config.dashboard ?? options.dashboard,
      about: { version: options.version, components: components.map(({ name }) => name) },
      logger: named(logger, "gateway"),
    }),
  );
  const services = built.flatMap(({ parts }) => parts.services ?? []);
  await publishServices(cluster.client(SYSTEM), services, { host: config.address, port: gateway.port });
  stack.defer(() => stopping.abort()); // First of all, so that streams end before the gateway waits for them.
  for (const { parts } of built) await parts.start?.();

  await directory.describe({ ...running, url: gateway.url, apiUrl: cluster.url, kubeconfig: cluster.kubeconfigPath });
  logger.info("started", { version: options.version, url: gateway.url, api: cluster.url, components: components.map(({ name }) => name) });
  stack.defer(() => logger.info("stopping"));
  const started = stack.move();
  return {
    config,
    components: components.map(({ name }) => name),
    url: gateway.url,
    apiUrl: cluster.url,
    kubeconfigPath: cluster.kubeconfigPath,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

function build(component: Component, context: Capabilities): { readonly parts: Parts; readonly context: Capabilities } {
  return { parts: component.build(context), context };
}

/** A component's own name in the cluster's audit; what it may do is not narrowed yet. */
function identityOf({ name }: Component): Identity {
  return { username: `system:sluice:${name}`, groups: ["system:masters", "system:authenticated"] };
}

function named(logger: Logger, part: string): Logger {
  return {
    info: (message, fields) => logger.info(message, { part, ...fields }),
    warn: (message, fields) => logger.warn(message, { part, ...fields }),
    error: (message, fields) => logger.error(message, { part, ...fields }),
  };
}

async function checkPorts({ address, port, apiPort }: Config): Promise<void> {
  if (port !== 0 && port === apiPort) throw new UserError(`port ${port} cannot serve both`, { fix: `choose another one with ${flagOf("apiPort")}` });
  await checkPort(address, port, flagOf("port"));
  await checkPort(address, apiPort, flagOf("apiPort"));
}
