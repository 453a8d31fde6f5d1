import type { Client } from "@sluice/client";
import { Event, isApiError, type KubernetesObject } from "@sluice/kubernetes";
import type { Clock } from "./clock.ts";
import { WorkQueue } from "./work-queue.ts";

/** How many different events are remembered, for counting repetitions; beyond it the oldest are forgotten, even if unsent. */
const REMEMBERED = 4096;
const SENDERS = 16;
/** Events of one such span of milliseconds are written together, in one commit: nobody waits for them. */
const TOGETHER_MS = 100;
/** Leaves room in an object's name for the suffix that makes it an event's. */
const LONGEST_NAME = 230;

/** What happened to an object, in words for people. */
export interface EventContent {
  readonly type: "Normal" | "Warning";
  /** One word in CamelCase, for programs. */
  readonly reason: string;
  readonly message: string;
  /** The part of the object that it is about; all of it unless given. */
  readonly fieldPath?: string | undefined;
}

/** Where controllers tell users what happened. */
export interface EventRecorder {
  /** Says it, or counts it if it was said before. Best effort: never waits, never fails. */
  record(object: KubernetesObject, content: EventContent): void;
}

/** What a recorder needs; `component` is who speaks. */
export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly component: string;
  /** The node that it speaks from, if it does. */
  readonly host?: string;
  readonly signal: AbortSignal;
}

/** Makes a recorder that writes core Events in the background until the signal aborts. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new Recorder(options);
}

interface Remembered {
  readonly event: Event;
  count: number;
  lastTimestamp: string;
  isSent: boolean;
}

class Recorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #queue: WorkQueue;
  readonly #known = new Map<string, Remembered>();
  #serial = 0n;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#queue = new WorkQueue(options.clock);
    const close = (): void => this.#queue.close();
    if (options.signal.aborted) close();
    options.signal.addEventListener("abort", close, { once: true });
    for (let sender = 0; sender < SENDERS; sender++) void this.#send();
  }

  record(object: KubernetesObject, content: EventContent): void {
    const { kind, metadata } = object;
    const key = [kind, metadata.namespace, metadata.name, metadata.uid, content.type, content.reason, content.message, content.fieldPath].join("\0");
    const time = this.#options.clock.now();
    const now = `${new Date(time).toISOString().slice(0, 19)}Z`;
    const known = this.#known.get(key);
    // The most recently used come last.
    this.#known.delete(key);
    if (known === undefined) this.#known.set(key, { event: this.#eventOf(object, content, now), count: 1, lastTimestamp: now, isSent: false });
    else this.#known.set(key, Object.assign(known, { count: known.count + 1, lastTimestamp: now }));
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED) break;
      this.#known.delete(oldest);
    }
    this.#queue.addAfter(key, TOGETHER_MS - (time % TOGETHER_MS));
  }

  #eventOf({ apiVersion, kind, metadata }: KubernetesObject, { fieldPath, ...content }: EventContent, now: string): Event {
    const { component, host, clock } = this.#options;
    const { namespace, name, uid, resourceVersion } = metadata;
    const nanoseconds = BigInt(clock.now()) * 1_000_000n;
    this.#serial = nanoseconds > this.#serial ? nanoseconds : this.#serial + 1n;
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${name.slice(0, LONGEST_NAME)}.${this.#serial.toString(16)}`, namespace: namespace ?? "default" },
      involvedObject: {
        apiVersion,
        kind,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        ...(fieldPath === undefined ? {} : { fieldPath }),
      },
      ...content,
      source: { component, ...(host === undefined ? {} : { host }) },
      reportingComponent: component,
      ...(host === undefined ? {} : { reportingInstance: host }),
      firstTimestamp: now,
    };
  }

  async #send(): Promise<void> {
    for (let key = await this.#queue.next(); key !== undefined; key = await this.#queue.next()) {
      const known = this.#known.get(key);
      try {
        if (known !== undefined) await this.#write(known);
      } catch {
        // Best effort: the namespace is going, or the API is not to be had. What the event is about matters more.
        this.#known.delete(key);
      } finally {
        this.#queue.done(key);
      }
    }
  }

  async #write(known: Remembered): Promise<void> {
    const { client } = this.#options;
    const { event, count, lastTimestamp } = known;
    const { namespace, name } = event.metadata;
    if (known.isSent) {
      try {
        await client.patch(Event, { namespace, name }, { type: "merge", body: { count, lastTimestamp } });
        return;
      } catch (error) {
        if (!isApiError(error, "NotFound")) throw error; // Old events expire: then it is said anew.
      }
    }
    await client.create(Event, { ...event, count, lastTimestamp });
    known.isSent = true;
  }
}
