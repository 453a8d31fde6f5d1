import type { Client } from "@sluice/client";
import { WorkQueue, type Clock, type EventRecorder, type Logger } from "@sluice/controller";
import { isApiError, Pod, type PodCondition } from "@sluice/kubernetes";

const REPORTERS = 16;
/** Most pods that wait have a node before anybody could read why they did not have one. */
const TELL_AFTER_MS = 1000;

/** What a reporter needs. */
export interface ReporterOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventRecorder;
  readonly signal: AbortSignal;
  /** The pod as it waits, if it still does. */
  readonly find: (uid: string) => Pod | undefined;
  /** Whether a pod, read anew, still waits. */
  readonly isWaiting: (pod: Pod) => boolean;
}

/** Tells pods, and those who look at them, why they wait: in the background, and of several reasons only the last. */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #queue: WorkQueue;
  readonly #messages = new Map<string, string>();

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#queue = new WorkQueue(options.clock);
  }

  /** Says why a pod waits, if it still does in a moment. */
  tell(uid: string, message: string): void {
    this.#messages.set(uid, message);
    this.#queue.addAfter(uid, TELL_AFTER_MS);
  }

  /** Runs until the signal aborts. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const close = (): void => this.#queue.close();
    if (signal.aborted) close();
    signal.addEventListener("abort", close, { once: true });
    await Promise.all(Array.from({ length: REPORTERS }, () => this.#work()));
  }

  async #work(): Promise<void> {
    const { logger, signal, find } = this.#options;
    for (let uid = await this.#queue.next(); uid !== undefined; uid = await this.#queue.next()) {
      const message = this.#messages.get(uid);
      const pod = find(uid);
      this.#messages.delete(uid);
      try {
        if (message !== undefined && pod !== undefined) await this.#report(pod, message);
      } catch (error) {
        if (!signal.aborted) logger.warn("a pod could not be told why it waits", { pod: pod?.metadata.name, error });
      } finally {
        this.#queue.done(uid);
      }
    }
  }

  async #report(pod: Pod, message: string): Promise<void> {
    const { client, clock, events, isWaiting } = this.#options;
    const { namespace, name, uid, resourceVersion } = pod.metadata;
    events.record(pod, { type: "Warning", reason: "FailedScheduling", message });
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
        await this.#report(latest, message);
    }
  }
}
