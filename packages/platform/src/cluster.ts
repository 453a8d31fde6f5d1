import { randomUUID } from "node:crypto";
import { systemClock } from "@sluice/controller";
import { flagOf, type Config } from "./config.ts";
import { claimDataDirectory, type Running } from "./data-directory.ts";
import { clusterOptionsOf } from "./home.ts";
import { openLogger } from "./logger.ts";
import { checkPort } from "./ports.ts";

/** How much of a cluster to run: its API alone, also what schedules and keeps objects, or also a node that runs pods. */
export const CLUSTER_MODES = ["api-server", "control-plane", "all"] as const;

/** What a cluster that stands alone may be told besides its configuration. */
export interface StandaloneOptions {
  readonly version: string;
  /** This program's environment variables: where the node looks for interpreters and tools. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly mode: (typeof CLUSTER_MODES)[number];
}

/** A running cluster. Disposing of it stops it; pods go on, and the next start adopts them. */
export interface StandaloneCluster extends AsyncDisposable {
  readonly config: Config;
  readonly url: string;
  readonly kubeconfigPath: string;
}

/** Starts the embedded Kubernetes and nothing else: no component, no gateway, no dashboard. */
export async function startStandaloneCluster(config: Config, { version, environment, mode }: StandaloneOptions): Promise<StandaloneCluster> {
  const { startCluster } = await import("@sluice/cluster");
  const { dataDir, apiPort, address } = config;
  await using stack = new AsyncDisposableStack();
  const running: Running = { pid: process.pid, version };
  const directory = stack.use(await claimDataDirectory(dataDir, running));
  await checkPort(address, apiPort, flagOf("apiPort"));
  const logger = stack.use(openLogger(config));
  const options = await clusterOptionsOf(config);
  const cluster = stack.use(await startCluster({ ...options, mode, environment, clock: systemClock, logger, newId: randomUUID }));
  const { url, kubeconfigPath } = cluster;
  await directory.describe({ ...running, apiUrl: url, kubeconfig: kubeconfigPath });
  logger.info("started", { version, api: url, mode });
  const started = stack.move();
  return { config, url, kubeconfigPath, [Symbol.asyncDispose]: () => started.disposeAsync() };
}
