import type { Client } from "@sluice/client";
import type { Program } from "@sluice/component";
import type { Clock, Logger } from "@sluice/controller";
import type { NodeAccess } from "../api-server/api-server.ts";
import type { Images } from "./images/images.ts";
import type { RestartBackoff } from "./lifecycle/restart-backoff.ts";
import type { Sandboxes } from "./sandbox/sandbox.ts";
import type { ServiceCatalog } from "./services/service-catalog.ts";

/** What the embedded node needs. */
export interface NodeOptions {
  /** As `system:node:<name>`. */
  readonly client: Client;
  readonly name: string;
  /** Where it keeps pods' volumes, logs and what re-adopts them: `<data-dir>/node`. */
  readonly directory: string;
  /** The programs that run in this process, by image. */
  readonly programs: readonly Program[];
  /** Both belong to the caller, and outlive the node. */
  readonly sandboxes: Sandboxes;
  readonly images: Images;
  /** What the node keeps up to date, and its sandboxes answer from. */
  readonly services: ServiceCatalog;
  /** The addresses of this machine at which node ports are. */
  readonly nodePortAddresses: readonly string[];
  /** What pods need to reach the API: `KUBERNETES_SERVICE_HOST` and `_PORT`, and the CA of the service account volume. */
  readonly api: { readonly host: string; readonly port: number; readonly caCertificate: string };
  /** Kubernetes' own unless given. */
  readonly restartBackoff?: RestartBackoff;
  /** What the node reports as its version. */
  readonly version?: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A running node: the kubelet's counterpart. Disposing of it leaves the pods running, to be adopted by the next one. */
export interface Node extends NodeAccess, AsyncDisposable {}
