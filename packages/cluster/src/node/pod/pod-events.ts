import type { Client } from "@sluice/client";
import type { Clock, Logger } from "@sluice/controller";
import { Event, isApiError, type Pod } from "@sluice/kubernetes";
import { timestamp } from "../../api-server/request-context.ts";

/** Something worth telling about a pod. */
export interface PodEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  /** What of the pod it is about; all of it unless given. */
  readonly container?: string | undefined;
}

interface Told {
  readonly name: string;
  readonly first: string;
  count: number;
}

/** Tells users what happens to their pods, as `kubectl describe pod` shows it. What is told again only counts up. */
export class PodEvents {
  readonly #client: Client;
  readonly #node: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #told = new Map<string, Map<string, Told>>();
  readonly #writing = new Set<Promise<void>>();
  #serial = 0;

  constructor(options: { readonly client: Client; readonly node: string; readonly clock: Clock; readonly logger: Logger }) {
    this.#client = options.client;
    this.#node = options.node;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  record(pod: Pod, event: PodEvent): void {
    const writing = this.#write(pod, event).catch((error: unknown) => {
      // A namespace that is being deleted takes no events.
      if (!isApiError(error, "Forbidden") && !isApiError(error, "NotFound")) this.#logger.warn("an event was lost", { pod: pod.metadata.name, event, error });
    });
    this.#writing.add(writing);
    void writing.then(() => this.#writing.delete(writing));
  }

  /** A pod that is gone has no more to tell. */
  forget(pod: Pod): void {
    this.#told.delete(pod.metadata.uid ?? "");
  }

  /** Resolves once all is written. */
  async settle(): Promise<void> {
    await Promise.all(this.#writing);
  }

  async #write(pod: Pod, { type, reason, message, container }: PodEvent): Promise<void> {
    const { uid = "", name, namespace, resourceVersion } = pod.metadata;
    const time = timestamp(this.#clock.now());
    const told = this.#told.get(uid) ?? new Map<string, Told>();
    this.#told.set(uid, told);
    const key = `${reason}\n${container ?? ""}\n${message}`;
    const before = told.get(key);
    if (before !== undefined) {
      before.count++;
      await this.#client.patch(Event, { namespace, name: before.name }, { type: "merge", body: { count: before.count, lastTimestamp: time } });
      return;
    }
    const entry: Told = { name: `${name}.${(this.#clock.now() * 1000 + (this.#serial++ % 1000)).toString(16)}`, first: time, count: 1 };
    told.set(key, entry);
    const isInit = (pod.spec.initContainers ?? []).some((one) => one.name === container);
    await this.#client.create(Event, {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: entry.name, ...(namespace === undefined ? {} : { namespace }) },
      involvedObject: {
        apiVersion: "v1",
        kind: "Pod",
        name,
        uid,
        ...(namespace === undefined ? {} : { namespace }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        ...(container === undefined ? {} : { fieldPath: `spec.${isInit ? "initContainers" : "containers"}{${container}}` }),
      },
      type,
      reason,
      message,
      source: { component: "kubelet", host: this.#node },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      reportingComponent: "kubelet",
      reportingInstance: this.#node,
    });
  }
}
