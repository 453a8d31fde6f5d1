import type { Duplex } from "node:stream";
import type { LogOptions, RemoteCommand } from "@sluice/client";
import { Reflector, Store, type ChangeHandler } from "@sluice/controller";
import type { AttachOptions, ExecOptions } from "../api-server/api-server.ts";
import {
  ApiError,
  ConfigMap,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Secret,
  type KubernetesObject,
  type ObjectKey,
  type Resource,
} from "@sluice/kubernetes";
import type { NodeContext } from "./node-context.ts";
import type { Node } from "./node.ts";
import { notRunning } from "./pod/not-running.ts";
import { PodWorker } from "./pod/pod-worker.ts";
import { reclaimVolume } from "./volumes/bound-volume.ts";
import { routeServices } from "./services/route-services.ts";

/** What a node runs with. */
export interface RunningNodeOptions {
  readonly stopping: AbortController;
  readonly fieldSelector: string;
  readonly heartbeat: (beat: () => void) => Promise<void>;
  /** Called when nothing of the node is under way any more. */
  readonly released: () => Promise<void>;
}

/** Gives every pod of the node a worker, and tells the workers what changes. */
export class RunningNode implements Node {
  readonly #context: NodeContext;
  readonly #stopping: AbortController;
  readonly #workers = new Map<string, PodWorker>();
  readonly #uids = new Map<string, string>();
  /** Which pods refer to an object. */
  readonly #dependents = new Map<string, Set<PodWorker>>();
  readonly #pods: Reflector<Pod>;
  readonly #loops: Promise<void>[];

  readonly #released: () => Promise<void>;

  constructor(context: NodeContext, { stopping, fieldSelector, heartbeat, released }: RunningNodeOptions) {
    this.#released = released;
    this.#context = context;
    this.#stopping = stopping;
    this.#pods = this.#reflector(Pod, (before, after) => this.#podChanged(before, after), fieldSelector);
    this.#loops = [
      this.#pods.run(),
      ...(context.nodePortAddresses === undefined ? [] : this.#serveServices(context.nodePortAddresses)),
      ...[ConfigMap, Secret, PersistentVolumeClaim].map((resource) =>
        this.#reflector<KubernetesObject>(resource, (before, after) => this.#referenceChanged(resource, before, after)).run(),
      ),
      this.#reflector(PersistentVolume, (_before, after) => this.#volumeChanged(after)).run(),
      heartbeat(() => this.#check()),
    ];
  }

  async log(pod: ObjectKey, options: LogOptions): Promise<AsyncIterable<Uint8Array>> {
    await this.#pods.synced;
    const worker = this.#workers.get(this.#uids.get(keyOf(pod)) ?? "");
    if (worker === undefined) {
      throw new ApiError(
        "BadRequest",
        `container ${JSON.stringify(options.container ?? "")} in pod ${JSON.stringify(pod.name)} is waiting to start: ContainerCreating`,
      );
    }
    return worker.log(options);
  }

  async exec(pod: ObjectKey, options: ExecOptions): Promise<RemoteCommand> {
    return (await this.#workerOf(pod, options.container)).exec(options);
  }

  async attach(pod: ObjectKey, options: AttachOptions): Promise<RemoteCommand> {
    return (await this.#workerOf(pod, options.container)).attach(options);
  }

  async dial(pod: ObjectKey, port: number): Promise<Duplex> {
    return (await this.#workerOf(pod)).dial(port);
  }

  async #workerOf(pod: ObjectKey, container = ""): Promise<PodWorker> {
    await this.#pods.synced;
    const worker = this.#workers.get(this.#uids.get(keyOf(pod)) ?? "");
    if (worker === undefined) throw notRunning(container);
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
    await Promise.all([...this.#workers.values()].map((worker) => worker.release()));
    await this.#context.journal[Symbol.asyncDispose]();
    await this.#released();
  }

  #reflector<T extends KubernetesObject>(resource: Resource<T>, handler: ChangeHandler<T>, fieldSelector?: string): Reflector<T> {
    const { client, clock, logger } = this.#context;
    const onError = (error: unknown): void => logger.warn("a watch of the node failed", { resource: resource.plural, error });
    const guarded: ChangeHandler<T> = (before, after) => {
      try {
        handler(before, after);
      } catch (error) {
        logger.error("a change could not be taken in", { resource: resource.plural, name: (after ?? before)?.metadata.name, error });
      }
    };
    const options = { client, resource, store: new Store(resource), handler: guarded, clock, signal: this.#stopping.signal, onError };
    return new Reflector(fieldSelector === undefined ? options : { ...options, fieldSelector });
  }

  #podChanged(before: Pod | undefined, after: Pod | undefined): void {
    const { uid = "", phase } = { uid: (after ?? before)?.metadata.uid, phase: after?.status?.phase };
    const worker = this.#workers.get(uid);
    if (after === undefined) {
      if (before !== undefined) this.#release(before);
      void worker?.gone().catch((error: unknown) => this.#context.logger.error("a pod could not be removed", { pod: before?.metadata.name, error }));
      return;
    }
    const isOver = phase === "Succeeded" || phase === "Failed";
    if (isOver) this.#release(after);
    if (worker === undefined) this.#add(after, isOver ? undefined : this.#claim(after));
    else worker.update(after);
  }

  /** Takes what of the machine a pod has for itself, or says why it cannot have it. */
  #claim(pod: Pod): { readonly reason: string; readonly message: string } | undefined {
    const { shared, gpus } = this.#context;
    return shared.ports.claim(pod) ?? gpus.claim(pod);
  }

  #release(pod: Pod): void {
    this.#context.shared.ports.release(pod);
    this.#context.gpus.release(pod);
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
    const dependency = dependencyOf(resource.kind, namespace, name);
    for (const worker of this.#dependents.get(dependency) ?? []) worker.referenceChanged();
  }

  /** Keeps the cluster's services in view, and leads their addresses to their endpoints. */
  #serveServices(addresses: readonly string[]): readonly Promise<void>[] {
    const { client, services, sandboxes, clock, logger } = this.#context;
    const running = { clock, logger, signal: this.#stopping.signal };
    return [services.run({ client, ...running }), routeServices({ catalog: services, routing: sandboxes.services, addresses, ...running })];
  }

  /** Volumes of claims that are gone go too, with their data. */
  #volumeChanged(volume: PersistentVolume | undefined): void {
    if (volume === undefined) return;
    const { client, shared, logger } = this.#context;
    void reclaimVolume(client, volume, shared.volumes).catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) logger.error("a volume could not be taken away", { volume: volume.metadata.name, error });
    });
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
