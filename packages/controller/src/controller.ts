import type { Client } from "@sluice/client";
import type { KubernetesObject, ObjectKey, Resource } from "@sluice/kubernetes";
import type { Cache, IndexDefinition } from "./cache.ts";
import type { Clock } from "./clock.ts";
import type { EventRecorder } from "./event-recorder.ts";

/** Where controllers say what they do. */
export interface Logger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Something went wrong and healed itself, or will. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** A related resource, and which keys to reconcile when one of its objects changes. */
export interface Watch<T extends KubernetesObject = KubernetesObject> {
  readonly resource: Resource<T>;
  keys(object: T, cache: Cache): readonly ObjectKey[];
}

/** What a reconciler works with. */
export interface ReconcileContext {
  /** What is written through it is in the cache before the same key is reconciled again. */
  readonly client: Client;
  readonly cache: Cache;
  /** Where users read what was done to their objects, and why not. */
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Finds work by other means than watching named resources, until the signal aborts. */
export type Source = (context: ReconcileContext & { readonly enqueue: (key: ObjectKey) => void }) => Promise<void>;

/** How a reconciliation went on: `requeueAfter` asks for another one in that many milliseconds. */
export interface ReconcileResult {
  readonly requeueAfter?: number;
}

/** A loop that makes the world match the objects of one resource. */
export interface Controller<T extends KubernetesObject = KubernetesObject> {
  readonly name: string;
  /** Absent where all keys come from `watches` and `sources`. */
  readonly for?: Resource<T>;
  /** Resources whose changes reconcile the object that controls them. */
  readonly owns?: readonly Resource<KubernetesObject>[];
  readonly watches?: readonly Watch[];
  readonly sources?: readonly Source[];
  /** Ways to find watched objects besides by key, by namespace and by `owner`. */
  readonly indexes?: readonly IndexDefinition[];
  /** Which changes of `for` objects matter; all, unless given. */
  when?(before: T | undefined, after: T | undefined): boolean;
  /** How many keys are worked on at once; 1 unless given. */
  readonly concurrency?: number;
  /** Told a key, never an event: it must look at what is. */
  reconcile(key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult | void>;
}

/** Defines a controller; `runManager` runs it. */
export function defineController<T extends KubernetesObject>(controller: Controller<T>): Controller {
  return controller;
}
