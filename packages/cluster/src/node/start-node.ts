import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { LogOptions } from "@sluice/client";
import { Reflector, Store, type ChangeHandler } from "@sluice/controller";
import { ApiError, ConfigMap, PersistentVolumeClaim, Pod, Secret, type KubernetesObject, type ObjectKey, type Resource } from "@sluice/kubernetes";
import { References } from "./environment/references.ts";
import { HostPorts } from "./host-ports.ts";
import { RESTART_BACKOFF } from "./lifecycle/restart-backoff.ts";
import type { NodeContext } from "./node-context.ts";
import { capacityOf } from "./node-object.ts";
import { keepNode, registerNode, type RegistrationOptions } from "./node-registration.ts";
import type { Node, NodeOptions } from "./node.ts";
import { inspectMachine } from "./machine.ts";
import { killPod, orphansOf } from "./pod/adopt-containers.ts";
import { Limiter } from "./pod/limiter.ts";
import { PodEvents } from "./pod/pod-events.ts";
import { PodWorker } from "./pod/pod-worker.ts";
import { PodDirectory } from "./runtime/pod-directory.ts";
import { openStartJournal } from "./runtime/start-journal.ts";
import { removeVolumes } from "./volumes/pod-volumes.ts";
import { TokenSource } from "./volumes/service-account-token.ts";
import { join } from "node:path";

const DEFAULT_VERSION = "v1.34.0+sluice";

/** Starts the embedded node: registers it, adopts what earlier runs have left, and runs the pods that are bound to it. */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { client, name, directory, sandboxes, clock, logger } = options;
  mkdirSync(directory, { recursive: true });
  const stopping = new AbortController();
  const registration: RegistrationOptions = {
    ...{ client, name, directory, clock, logger },
    features: sandboxes.features,
    hostIp: sandboxes.hostIp,
    version: options.version ?? DEFAULT_VERSION,
    signal: stopping.signal,
  };
  const registered = await registerNode(registration);
  const fieldSelector = `spec.nodeName=${name}`;
  const pods = await listPods(options, fieldSelector);
  await removeOrphans(options, pods);

  const context: NodeContext = {
    ...{ name, directory, client, sandboxes, clock, logger },
    images: options.images,
    programs: new Map(options.programs.map((program) => [program.image, program])),
    api: options.api,
    references: new References(client, options.api.caCertificate),
    tokens: new TokenSource(client, clock),
    journal: await openStartJournal(join(directory, "starts.journal"), new Set(pods.map(({ metadata }) => metadata.uid ?? ""))),
    events: new PodEvents({ client, node: name, clock, logger }),
    starts: new Limiter(2 * availableParallelism()),
    restartBackoff: options.restartBackoff ?? RESTART_BACKOFF,
    allocatable: capacityOf(inspectMachine(directory)),
  };
  return new RunningNode(context, { stopping, fieldSelector, heartbeat: (beat) => keepNode(registered, registration, beat) });
}

interface RunningNodeOptions {
  readonly stopping: AbortController;
  readonly fieldSelector: string;
  readonly heartbeat: (beat: () => void) => Promise<void>;
}

class RunningNode implements Node {
  readonly #context: NodeContext;
  readonly #stopping: AbortController;
  readonly #workers = new Map<string, PodWorker>();
  readonly #uids = new Map<string, string>();
  /** Which pods refer to an object. */
  readonly #dependents = new Map<string, Set<PodWorker>>();
  readonly #ports = new HostPorts();
  readonly #loops: Promise<void>[];

  constructor(context: NodeContext, { stopping, fieldSelector, heartbeat }: RunningNodeOptions) {
    this.#context = context;
    this.#stopping = stopping;
    this.#loops = [
      this.#reflect(Pod, (before, after) => this.#podChanged(before, after), fieldSelector),
      ...[ConfigMap, Secret, PersistentVolumeClaim].map((resource) => this.#reflect<KubernetesObject>(resource, (before, after) => this.#referenceChanged(resource, before, after))),
      heartbeat(() => this.#check()),
    ];
  }

  async log(pod: ObjectKey, options: LogOptions): Promise<AsyncIterable<Uint8Array>> {
    const worker = this.#workers.get(this.#uids.get(keyOf(pod)) ?? "");
    if (worker === undefined) {
      throw new ApiError("BadRequest", `container ${JSON.stringify(options.container ?? "")} in pod ${JSON.stringify(pod.name)} is waiting to start: ContainerCreating`);
    }
    return worker.log(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
    await Promise.all([...this.#workers.values()].map((worker) => worker.release()));
    await this.#context.events.settle();
    await this.#context.journal[Symbol.asyncDispose]();
  }

  #reflect<T extends KubernetesObject>(resource: Resource<T>, handler: ChangeHandler<T>, fieldSelector?: string): Promise<void> {
    const { client, clock, logger } = this.#context;
    const onError = (error: unknown): void => logger.warn("a watch of the node failed", { resource: resource.plural, error });
    const options = { client, resource, store: new Store(resource), handler, clock, signal: this.#stopping.signal, onError };
    return new Reflector(fieldSelector === undefined ? options : { ...options, fieldSelector }).run();
  }

  #podChanged(before: Pod | undefined, after: Pod | undefined): void {
    const { uid = "", phase } = { uid: (after ?? before)?.metadata.uid, phase: after?.status?.phase };
    const worker = this.#workers.get(uid);
    if (after === undefined) {
      if (before !== undefined) this.#ports.release(before);
      void worker?.gone().catch((error: unknown) => this.#context.logger.error("a pod could not be removed", { pod: before?.metadata.name, error }));
      return;
    }
    const isOver = phase === "Succeeded" || phase === "Failed";
    if (isOver) this.#ports.release(after);
    if (worker === undefined) this.#add(after, isOver ? undefined : this.#ports.claim(after));
    else worker.update(after);
  }

  #add(pod: Pod, refused: { readonly reason: string; readonly message: string } | undefined): void {
    const uid = pod.metadata.uid ?? "";
    const key = keyOf(pod.metadata);
    const worker = new PodWorker(pod, {
      node: this.#context,
      refused,
      onGone: () => {
        this.#workers.delete(uid);
        if (this.#uids.get(key) === uid) this.#uids.delete(key);
        for (const name of names) {
          const dependents = this.#dependents.get(name);
          dependents?.delete(worker);
          if (dependents?.size === 0) this.#dependents.delete(name);
        }
      },
    });
    const names = worker.references().map(({ kind, name }) => dependencyOf(kind, pod.metadata.namespace, name));
    for (const name of names) this.#dependents.set(name, (this.#dependents.get(name) ?? new Set()).add(worker));
    this.#workers.set(uid, worker);
    this.#uids.set(key, uid);
  }

  #referenceChanged(resource: Resource<KubernetesObject>, before: KubernetesObject | undefined, after: KubernetesObject | undefined): void {
    const { namespace, name = "" } = (after ?? before)?.metadata ?? {};
    for (const worker of this.#dependents.get(dependencyOf(resource.kind, namespace, name)) ?? []) worker.referenceChanged();
  }

  #check(): void {
    for (const worker of this.#workers.values()) worker.check();
  }
}

function keyOf({ namespace, name }: ObjectKey): string {
  return `${namespace ?? ""}/${name}`;
}

function dependencyOf(kind: string, namespace: string | undefined, name: string): string {
  return `${kind} ${namespace ?? ""}/${name}`;
}

async function listPods({ client }: NodeOptions, fieldSelector: string): Promise<readonly Pod[]> {
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
async function removeOrphans({ directory, sandboxes, logger }: NodeOptions, pods: readonly Pod[]): Promise<void> {
  const orphans = orphansOf(directory, pods).map((uid) => new PodDirectory(directory, uid));
  for (const orphan of orphans) killPod(orphan);
  const live = pods.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");
  await sandboxes.retain(new Set(live.map(({ metadata }) => metadata.uid ?? "")));
  for (const orphan of orphans) {
    removeVolumes(orphan.volumes);
    orphan.remove();
  }
  if (orphans.length > 0) logger.info("removed what was left of pods that are gone", { pods: orphans.length });
}
