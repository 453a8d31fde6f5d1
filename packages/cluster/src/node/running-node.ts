import type { LogOptions } from "@sluice/client";
import { Reflector, Store, type ChangeHandler } from "@sluice/controller";
import { ApiError, ConfigMap, PersistentVolumeClaim, Pod, Secret, type KubernetesObject, type ObjectKey, type Resource } from "@sluice/kubernetes";
import type { NodeContext } from "./node-context.ts";
import type { Node } from "./node.ts";
import { PodWorker } from "./pod/pod-worker.ts";
import { removeClaim } from "./volumes/claim.ts";

/** What a node runs with. */
export interface RunningNodeOptions {
  readonly stopping: AbortController;
  readonly fieldSelector: string;
  readonly heartbeat: (beat: () => void) => Promise<void>;
}

/** Gives every pod of the node a worker, and tells the workers what changes. */
export class RunningNode implements Node {
  readonly #context: NodeContext;
  readonly #stopping: AbortController;
  readonly #workers = new Map<string, PodWorker>();
  readonly #uids = new Map<string, string>();
  /** Which pods refer to an object. */
  readonly #dependents = new Map<string, Set<PodWorker>>();
  /** Claims that are gone while pods still use their data. */
  readonly #goneClaims = new Map<string, KubernetesObject>();
  readonly #pods: Reflector<Pod>;
  readonly #loops: Promise<void>[];

  constructor(context: NodeContext, { stopping, fieldSelector, heartbeat }: RunningNodeOptions) {
    this.#context = context;
    this.#stopping = stopping;
    this.#pods = this.#reflector(Pod, (before, after) => this.#podChanged(before, after), fieldSelector);
    this.#loops = [
      this.#pods.run(),
      ...[ConfigMap, Secret, PersistentVolumeClaim].map((resource) =>
        this.#reflector<KubernetesObject>(resource, (before, after) => this.#referenceChanged(resource, before, after)).run(),
      ),
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
    await Promise.all([...this.#workers.values()].map((worker) => worker.release()));
    await this.#context.journal[Symbol.asyncDispose]();
    await this.#context.launcher[Symbol.asyncDispose]();
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
    if (isOver && this.#goneClaims.size > 0) for (const name of this.#goneClaims.keys()) this.#reclaim(name);
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
          this.#reclaim(name);
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
    if (resource.kind !== PersistentVolumeClaim.kind || before === undefined || after !== undefined) return;
    this.#goneClaims.set(dependency, before);
    this.#reclaim(dependency);
  }

  /** The data of a claim go with it, once no pod uses them any more. */
  #reclaim(dependency: string): void {
    const claim = this.#goneClaims.get(dependency);
    if (claim === undefined || [...(this.#dependents.get(dependency) ?? [])].some((worker) => !worker.isOver)) return;
    this.#goneClaims.delete(dependency);
    const { namespace = "", name, uid = "" } = claim.metadata;
    const { shared, logger } = this.#context;
    void removeClaim(shared.volumes, { namespace, name }, uid).catch((error: unknown) =>
      logger.error("the data of a claim could not be deleted", { namespace, name, error }),
    );
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
