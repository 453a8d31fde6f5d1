import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Client } from "@sluice/client";
import type { ClusterOptions } from "@sluice/cluster";
import type { OidcOptions } from "@sluice/cluster";
import type { Program } from "@sluice/component";
import type { Clock, Logger } from "@sluice/controller";
import type { Identity } from "@sluice/component";
import type { Database } from "@sluice/database";
import type { KubernetesApi } from "@sluice/gateway";
import type { ObjectStore } from "@sluice/object-store";
import { UserError } from "@sluice/kubernetes";
import type { Config, OidcConfig } from "./config.ts";

/** What a cluster must offer to the platform. */
interface HomeCluster extends AsyncDisposable {
  client(user: Identity): Client;
  readonly api: KubernetesApi;
  readonly url: string;
  readonly kubeconfigPath: string;
}

/** What a cluster is started with. */
interface HomeClusterOptions {
  readonly programs: readonly Program[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Where the platform lives: what keeps its state, and the cluster that it runs on. */
export interface Home {
  openDatabase(): Promise<Database>;
  openObjectStore(): Promise<ObjectStore>;
  startCluster(options: HomeClusterOptions): Promise<HomeCluster>;
}

/** What of the configuration is the embedded cluster's. */
export async function clusterOptionsOf(config: Config): Promise<ClusterOptions> {
  const { dataDir, apiPort, address, sandbox, imageProfiles, nodes, auditLog, auditPolicy, oidc } = config;
  return {
    ...{ directory: dataDir, apiPort, host: address, sandbox, imageProfiles, nodes },
    audit: auditLog === undefined ? undefined : { path: resolve(dataDir, auditLog), policy: auditPolicy },
    oidc: oidc === undefined ? undefined : await withCertificates(oidc),
  };
}

/** All in this process, and in one directory. */
export function embeddedHome(config: Config): Home {
  const { dataDir } = config;
  return {
    async openDatabase() {
      const { openDatabase } = await import("@sluice/database");
      return openDatabase({ path: join(dataDir, "sluice.db") });
    },
    async openObjectStore() {
      const { openDirectoryStore } = await import("@sluice/object-store");
      return openDirectoryStore({ directory: join(dataDir, "objects") });
    },
    async startCluster({ programs, clock, logger, environment }) {
      const { startCluster } = await import("@sluice/cluster");
      return startCluster({
        ...(await clusterOptionsOf(config)),
        ...{ programs, environment, clock, logger, newId: randomUUID },
      });
    },
  };
}

async function withCertificates({ caFile, ...oidc }: OidcConfig): Promise<OidcOptions> {
  if (caFile === undefined) return oidc;
  try {
    return { ...oidc, ca: await readFile(caFile, "utf8") };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`cannot read the certificates of ${oidc.issuer}: ${reason}`, { fix: "let oidc.caFile name a PEM file", cause });
  }
}
