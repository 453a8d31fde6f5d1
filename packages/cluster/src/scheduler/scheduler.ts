import type { Client } from "@sluice/client";
import {
  createEventRecorder,
  keyOf,
  Reflector,
  Store,
  WorkQueue,
  type ChangeHandler,
  type Clock,
  type EventRecorder,
  type Logger,
} from "@sluice/controller";
import { isApiError, Namespace, Node, pathOf, Pod, type KubernetesObject, type PodCondition } from "@sluice/kubernetes";
import { ClusterState } from "./cluster-state.ts";
import { demandOf } from "./pod-demand.ts";
import { describeReasons, schedule } from "./schedule.ts";
import { SchedulingQueue, type PendingPod } from "./scheduling-queue.ts";

const SCHEDULER_NAME = "default-scheduler";
/** How many bindings may be under way. */
const BINDERS = 256;
const REPORTERS = 16;
/** When a binding fails for no fault of the pod's. */
const RETRY_MS = 1000;

/** What the scheduler needs. */
interface SchedulerOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Gives every pod of `default-scheduler` a node, until the signal aborts. */
export async function runScheduler(options: SchedulerOptions): Promise<void> {
  await new Scheduler(options).run();
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #events: EventRecorder;
  readonly #state = new ClusterState();
  readonly #queue = new SchedulingQueue();
  readonly #reports: WorkQueue;
  readonly #messages = new Map<string, string>();
  readonly #pods = new Store(Pod);
  readonly #bindings = new Set<Promise<void>>();
  /** The pods that are counted on a node though the API does not say yet that they are there. */
  readonly #assumed = new Set<string>();
  #wake: () => void = () => {};

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#events = createEventRecorder({ ...options, component: SCHEDULER_NAME });
    this.#reports = new WorkQueue(options.clock);
  }

  async run(): Promise<void> {
    const { client, clock, logger, signal } = this.#options;
    const onError = (error: unknown): void => logger.warn("the scheduler lost its watch and will try again", { error });
    const nodes = new Reflector({
      client,
      resource: Node,
      store: new Store(Node),
      handler: this.#guarded((before, after) => this.#nodeChanged(before, after)),
      clock,
      signal,
      onError,
    });
    const pods = new Reflector({
      client,
      resource: Pod,
      store: this.#pods,
      handler: this.#guarded((before, after) => this.#podChanged(before, after)),
      clock,
      signal,
      onError,
    });
    const namespaces = new Reflector({
      client,
      resource: Namespace,
      store: new Store(Namespace),
      handler: this.#guarded((before, after) => this.#namespaceChanged(before, after)),
      clock,
      signal,
      onError,
    });
    const running = [namespaces.run(), nodes.run(), pods.run()];
    const stop = (): void => {
      this.#reports.close();
      this.#wake();
    };
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    await Promise.all([namespaces.synced, nodes.synced, pods.synced]);
    const reporters = Array.from({ length: REPORTERS }, () => this.#report());
    await this.#schedule();
    await Promise.all([...running, ...reporters, ...this.#bindings]);
  }

  /** Places pods as long as any can be, then waits until something changes. */
  async #schedule(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const pending = this.#queue.next();
      if (pending !== undefined) {
        this.#place(pending);
        if (this.#bindings.size >= BINDERS) await this.#change();
        continue;
      }
      for (const { uid, message } of this.#queue.takeUntold()) {
        this.#messages.set(uid, message);
        this.#reports.add(uid);
      }
      await this.#change();
    }
  }

  /** Resolves when something has changed that matters. */
  #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }

  #place(pending: PendingPod): void {
    const { nodes, namespaces } = this.#state;
    const placement = schedule(pending.demand, nodes, namespaces);
    if ("reasons" in placement) {
      this.#queue.fail(pending, describeReasons(placement.reasons, nodes.length));
      return;
    }
    this.#queue.remove(pending.uid);
    this.#state.assign(pending.uid, placement.node, pending.demand);
    this.#assumed.add(pending.uid);
    this.#queue.wakeSocial();
    const binding = this.#bind(pending, placement.node).finally(() => {
      this.#bindings.delete(binding);
      this.#wake();
    });
    this.#bindings.add(binding);
  }

  async #bind({ uid, pod, demand }: PendingPod, node: string): Promise<void> {
    const { client, clock, logger, signal } = this.#options;
    const { namespace, name } = pod.metadata;
    const body = { apiVersion: "v1", kind: "Binding", metadata: { namespace, name, uid }, target: { apiVersion: "v1", kind: "Node", name: node } };
    try {
      await client.request({ method: "POST", path: pathOf(Pod, { namespace, name, subresource: "binding" }), body });
      this.#events.record(pod, { type: "Normal", reason: "Scheduled", message: `Successfully assigned ${namespace ?? ""}/${name} to ${node}` });
    } catch (error) {
      // Unless its events have said meanwhile where it is, it is nowhere.
      if (this.#assumed.delete(uid) && this.#state.release(uid)) this.#retry();
      // Gone, on its way out, or placed by somebody else: its events tell what there is to know.
      if (isApiError(error, "NotFound") || isApiError(error, "Conflict") || signal.aborted) return;
      logger.warn("a pod could not be bound to its node and will be tried again", { pod: `${namespace ?? ""}/${name}`, node, error });
      await clock.sleep(RETRY_MS, signal);
      const latest = this.#pods.get(keyOf(pod.metadata));
      if (latest?.metadata.uid === uid && isWaiting(latest) && !this.#state.isAssigned(uid)) this.#queue.add({ uid, pod: latest, demand });
    }
  }

  /** Tells pods, and those who look at them, why they wait. */
  async #report(): Promise<void> {
    const { logger, signal } = this.#options;
    for (let uid = await this.#reports.next(); uid !== undefined; uid = await this.#reports.next()) {
      const message = this.#messages.get(uid);
      const pending = this.#queue.get(uid);
      this.#messages.delete(uid);
      try {
        if (message !== undefined && pending !== undefined) await this.#markUnschedulable(pending.pod, message);
      } catch (error) {
        if (!signal.aborted) logger.warn("a pod could not be told why it waits", { pod: pending?.pod.metadata.name, error });
      } finally {
        this.#reports.done(uid);
      }
    }
  }

  async #markUnschedulable(pod: Pod, message: string): Promise<void> {
    const { client, clock } = this.#options;
    const { namespace, name, uid, resourceVersion } = pod.metadata;
    this.#events.record(pod, { type: "Warning", reason: "FailedScheduling", message });
    const before = pod.status?.conditions ?? [];
    const old = before.find(({ type }) => type === "PodScheduled");
    if (old?.status === "False" && old.reason === "Unschedulable" && old.message === message) return;
    const now = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
    const condition: PodCondition = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      lastTransitionTime: old?.status === "False" ? (old.lastTransitionTime ?? now) : now,
    };
    const conditions = [...before.filter(({ type }) => type !== "PodScheduled"), condition];
    try {
      await client.patch(
        Pod,
        { namespace, name },
        { type: "merge", subresource: "status", body: { metadata: { uid, resourceVersion }, status: { conditions } } },
      );
    } catch (error) {
      if (isApiError(error, "NotFound")) return;
      if (!isApiError(error, "Conflict")) throw error;
      const latest = await client.find(Pod, { namespace, name });
      if (latest !== undefined && latest.metadata.uid === uid && latest.metadata.resourceVersion !== resourceVersion && isWaiting(latest))
        await this.#markUnschedulable(latest, message);
    }
  }

  /** What one object gets wrong, such as an amount that is none, must not stop the watch. */
  #guarded<T extends KubernetesObject>(handler: ChangeHandler<T>): ChangeHandler<T> {
    return (before, after) => {
      try {
        handler(before, after);
      } catch (error) {
        const { kind, metadata } = after ?? before ?? {};
        this.#options.logger.warn("the scheduler cannot read an object and leaves it out", {
          kind,
          namespace: metadata?.namespace,
          name: metadata?.name,
          error,
        });
      }
    };
  }

  #nodeChanged(before: Node | undefined, after: Node | undefined): void {
    const name = (after ?? before)?.metadata.name ?? "";
    this.#state.setNode(name, after);
    if (after !== undefined && before !== undefined && isSameOffer(before, after)) return;
    this.#retry();
  }

  #namespaceChanged(before: Namespace | undefined, after: Namespace | undefined): void {
    this.#state.setNamespace((after ?? before)?.metadata.name ?? "", after === undefined ? undefined : (after.metadata.labels ?? {}));
    this.#queue.wakeSocial();
    this.#wake();
  }

  #podChanged(before: Pod | undefined, after: Pod | undefined): void {
    const uid = (after ?? before)?.metadata.uid ?? "";
    if (after === undefined || isOver(after)) {
      this.#queue.remove(uid);
      this.#assumed.delete(uid);
      if (this.#state.release(uid)) this.#retry();
      return;
    }
    const node = after.spec.nodeName ?? "";
    if (node !== "") {
      this.#queue.remove(uid);
      this.#assumed.delete(uid);
      const isKnown = before !== undefined && before.spec.nodeName === node && before.metadata.generation === after.metadata.generation;
      if (isKnown && this.#state.isAssigned(uid)) return;
      this.#state.assign(uid, node, demandOf(after));
      this.#queue.wakeSocial();
      if (before?.spec.nodeName === node) this.#queue.wake(); // It may ask for less than before.
      this.#wake();
      return;
    }
    if (this.#assumed.has(uid)) return; // Its binding is under way.
    if (isWaiting(after)) this.#queue.add({ uid, pod: after, demand: demandOf(after) });
    else this.#queue.remove(uid);
    this.#wake();
  }

  #retry(): void {
    this.#queue.wake();
    this.#wake();
  }
}

/** Whether this scheduler has to find a node for the pod. */
function isWaiting({ metadata, spec }: Pod): boolean {
  return (
    spec.schedulerName === SCHEDULER_NAME &&
    (spec.nodeName ?? "") === "" &&
    (spec.schedulingGates ?? []).length === 0 &&
    metadata.deletionTimestamp === undefined
  );
}

/** Whether the pod takes nothing of its node any more. */
function isOver({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}

/** Whether a node's change, such as a heartbeat, makes no difference to who fits on it. */
function isSameOffer(a: Node, b: Node): boolean {
  const offer = ({ metadata, spec, status }: Node): string =>
    JSON.stringify([metadata.labels, spec?.taints, spec?.unschedulable, status?.allocatable]);
  return offer(a) === offer(b);
}
