import type { Client } from "@sluice/client";
import { createEventRecorder, type Logger } from "@sluice/controller";
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Pod } from "@sluice/kubernetes";
import { References } from "./environment/references.ts";
import { RESTART_BACKOFF } from "./lifecycle/restart-backoff.ts";
import { Gpus } from "./gpu/gpus.ts";
import { KUBERNETES_VERSION } from "../kubernetes-version.ts";
import { HostPorts } from "./host-ports.ts";
import type { NodeContext } from "./node-context.ts";
import { keepNode, registerNode, type RegistrationOptions } from "./node-registration.ts";
import type { Node, NodeOptions } from "./node.ts";
import { killPod, orphansOf } from "./pod/adopt-containers.ts";
import { Limiter } from "./pod/limiter.ts";
import { RunningNode } from "./running-node.ts";
import { Launcher } from "./runtime/launcher.ts";
import { PodDirectory } from "./runtime/pod-directory.ts";
import { openStartJournal } from "./runtime/start-journal.ts";
import { removeVolumes } from "./volumes/pod-volumes.ts";
import { TokenSource } from "./volumes/service-account-token.ts";

/** Starts the embedded node: registers it, adopts what earlier runs have left, and runs the pods that are bound to it. */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { client, name, directory, sandboxes, clock, logger } = options;
  mkdirSync(directory, { recursive: true });
  const stopping = new AbortController();
  const shared = options.shared ?? { ports: new HostPorts(), starts: new Limiter(2 * availableParallelism()), volumes: directory };
  const registration: RegistrationOptions = {
    ...{ client, name, directory, volumes: shared.volumes, clock, logger },
    features: sandboxes.features,
    hostIp: sandboxes.hostIp,
    images: options.images,
    version: options.version ?? `${KUBERNETES_VERSION}+sluice`,
    ...{ spec: options.spec, gpus: options.gpus?.length ?? 0 },
    signal: stopping.signal,
  };
  const registered = await registerNode(registration, options.spec?.taints);
  const fieldSelector = `spec.nodeName=${name}`;
  const pods = await listPods(client, fieldSelector);
  await removeOrphans(directory, pods, logger);
  const uids = pods.map(({ metadata }) => metadata.uid ?? "");
  const live = pods.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");

  const launcher = options.launcher ?? new Launcher();
  const context: NodeContext = {
    ...{ name, directory, client, sandboxes, clock, logger },
    images: options.images,
    services: options.services,
    nodePortAddresses: options.nodePortAddresses,
    programs: new Map(options.programs.map((program) => [program.image, program])),
    api: options.api,
    references: new References(client, options.api.caCertificate),
    tokens: new TokenSource(client, clock),
    journal: await openStartJournal(join(directory, "starts.journal"), new Set(uids)),
    launcher,
    events: createEventRecorder({ client, clock, component: "kubelet", host: name, signal: stopping.signal }),
    shared,
    gpus: new Gpus(
      directory,
      options.gpus ?? [],
      live.map(({ metadata }) => metadata.uid ?? ""),
    ),
    restartBackoff: options.restartBackoff ?? RESTART_BACKOFF,
    allocatable: registered.status?.allocatable ?? {},
  };
  return new RunningNode(context, {
    ...{ stopping, fieldSelector, heartbeat: (beat) => keepNode(registered, registration, beat) },
    released: async () => (options.launcher === undefined ? launcher[Symbol.asyncDispose]() : undefined),
  });
}

/** All pods that the selector chooses. */
export async function listPods(client: Client, fieldSelector: string): Promise<readonly Pod[]> {
  const pods: Pod[] = [];
  let next: string | undefined;
  do {
    const page = await client.list(Pod, { fieldSelector, limit: 500, continue: next });
    pods.push(...page.items);
    next = page.metadata.continue;
  } while (next !== undefined && next !== "");
  return pods;
}

/** Ends what runs for pods that are no more, and takes away what is left of them. */
export async function removeOrphans(directory: string, pods: readonly Pod[], logger: Logger): Promise<void> {
  const orphans = orphansOf(directory, pods).map((uid) => ({ uid, home: new PodDirectory(directory, uid) }));
  for (const { home } of orphans) killPod(home);
  for (const { uid, home } of orphans) {
    await removeVolumes(home.volumes, uid);
    await home.remove();
  }
  if (orphans.length > 0) logger.info("removed what was left of pods that are gone", { pods: orphans.length });
}
