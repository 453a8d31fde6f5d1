import type { Client } from "@sluice/client";
import type { Program } from "@sluice/component";
import type { Clock, EventRecorder, Logger } from "@sluice/controller";
import type { References } from "./environment/references.ts";
import type { Gpus } from "./gpu/gpus.ts";
import type { Images } from "./images/images.ts";
import type { RestartBackoff } from "./lifecycle/restart-backoff.ts";
import type { SharedMachine } from "./node.ts";
import type { Launcher } from "./runtime/launcher.ts";
import type { StartJournal } from "./runtime/start-journal.ts";
import type { Sandboxes } from "./sandbox/sandbox.ts";
import type { ServiceCatalog } from "./services/service-catalog.ts";
import type { TokenSource } from "./volumes/service-account-token.ts";

/** What all pods of a node share. */
export interface NodeContext {
  readonly name: string;
  readonly directory: string;
  readonly client: Client;
  readonly sandboxes: Sandboxes;
  readonly images: Images;
  readonly services: ServiceCatalog;
  /** The addresses of this machine at which node ports are; only one node of a machine has them, and serves the services. */
  readonly nodePortAddresses: readonly string[] | undefined;
  /** By image, without tag. */
  readonly programs: ReadonlyMap<string, Program>;
  readonly api: { readonly host: string; readonly port: number };
  readonly references: References;
  readonly tokens: TokenSource;
  readonly journal: StartJournal;
  readonly launcher: Launcher;
  readonly events: EventRecorder;
  readonly shared: SharedMachine;
  readonly gpus: Gpus;
  readonly restartBackoff: RestartBackoff;
  readonly allocatable: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly logger: Logger;
}
