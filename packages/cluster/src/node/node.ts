import type { Client } from "@sluice/client";
import type { Program } from "@sluice/component";
import type { Clock, Logger } from "@sluice/controller";
import type { NodeAccess } from "../api-server/api-server.ts";
import type { Images } from "./images/images.ts";
import type { HostPorts } from "./host-ports.ts";
import type { RestartBackoff } from "./lifecycle/restart-backoff.ts";
import type { NodeSpec } from "./node-spec.ts";
import type { Limiter } from "./pod/limiter.ts";
import type { Launcher } from "./runtime/launcher.ts";
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
  /** The addresses of this machine at which node ports are; only one node of a machine has them, and serves the services. */
  readonly nodePortAddresses: readonly string[] | undefined;
  /** What pods need to reach the API: `KUBERNETES_SERVICE_HOST` and `_PORT`, and the CA of the service account volume. */
  readonly api: { readonly host: string; readonly port: number; readonly caCertificate: string };
  /** How the node differs from this machine. */
  readonly spec?: NodeSpec | undefined;
  /** The numbers of the node's GPUs; none unless given. */
  readonly gpus?: readonly string[] | undefined;
  /** Belongs to the caller, and outlives the node; its own unless given. */
  readonly launcher?: Launcher | undefined;
  /** What it shares with other nodes on this machine; its own unless given. */
  readonly shared?: SharedMachine | undefined;
  /** Kubernetes' own unless given. */
  readonly restartBackoff?: RestartBackoff;
  /** What the node reports as its version. */
  readonly version?: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What there is once on a machine, however many nodes it has. */
export interface SharedMachine {
  readonly ports: HostPorts;
  /** How many containers may be starting at once. */
  readonly starts: Limiter;
  /** The directory below which the data of claims lie. */
  readonly volumes: string;
}

/** A running node: the kubelet's counterpart. Disposing of it leaves the pods running, to be adopted by the next one. */
export interface Node extends NodeAccess, AsyncDisposable {}
