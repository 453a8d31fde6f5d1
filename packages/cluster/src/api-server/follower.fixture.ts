import { setImmediate as turn } from "node:timers/promises";
import type { Transport } from "@sluice/client";
import { ApiError, isApiError, type KubernetesList, type UnknownObject, type WatchEvent } from "@sluice/kubernetes";
import { expect } from "vitest";
import type { StoreEvent } from "../store/history.ts";

/** What a follower follows: a kind in one namespace or all, with a label or whatever it has. */
export interface Selection {
  readonly plural: string;
  readonly namespace?: string | undefined;
  readonly label?: string | undefined;
}

/**
 * A client that wants to hear of every change once and in order. It compares all that a watch tells it with what has
 * happened (`history`), goes on where it was when a watch ends, and lists anew where the server says that it must.
 */
export class Follower {
  readonly #history: readonly StoreEvent[];
  readonly #selection: Selection;
  /** Since when it has heard of everything, and up to when. */
  #from: number;
  #last: number;
  #events: WatchEvent[] = [];
  #following: { readonly end: AbortController; readonly done: Promise<void> } | undefined;
  #gate = Promise.withResolvers<void>();
  /** How often it was told that what it wants is forgotten. */
  expirations = 0;

  constructor(history: readonly StoreEvent[], selection: Selection, from: number) {
    this.#history = history;
    this.#selection = selection;
    this.#from = from;
    this.#last = from;
    this.#gate.resolve();
  }

  /** Resolves once it has heard of what happened at `revision`, or will hear no more. */
  async reach(revision: number): Promise<void> {
    let isOver = false;
    const over = (): void => void (isOver = true);
    this.#following?.done.then(over, over);
    while (this.#last < revision && !isOver) await turn();
  }

  /** Follows, from where it was, until it is disconnected or the server ends. */
  connect(transport: Transport): void {
    if (this.#following !== undefined) return;
    const end = new AbortController();
    this.#following = { end, done: this.#follow(transport, end.signal) };
    this.#following.done.catch(() => {}); // `disconnect` tells it.
  }

  async disconnect(): Promise<void> {
    this.resume();
    this.#following?.end.abort();
    await this.#following?.done;
    this.#following = undefined;
    this.check();
  }

  /** Stops reading, without the server knowing. */
  pause(): void {
    this.#gate = Promise.withResolvers();
  }

  resume(): void {
    this.#gate.resolve();
  }

  /** Throws unless what it has heard is what has happened. */
  check(): void {
    expect(this.#events.map(shown)).toEqual(expectedEvents(this.#history, this.#selection, this.#from, this.#last).map(shown));
  }

  async #follow(transport: Transport, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (!(await this.#watch(transport, signal))) return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isApiError(error, "Expired")) throw error;
        this.check();
        this.expirations++;
        await this.#list(transport);
      }
    }
  }

  /** Whether the watch is to be opened again: it has ended by itself. */
  async #watch(transport: Transport, signal: AbortSignal): Promise<boolean> {
    const query = { watch: "1", allowWatchBookmarks: "true", resourceVersion: String(this.#last), ...this.#selector };
    const response = await transport.send({ method: "GET", path: this.#path, query, signal });
    if (response.kind !== "watch") throw new Error("this is no watch");
    for await (const event of response.events) {
      await this.#gate.promise;
      if (signal.aborted) return false;
      if (event.type === "ERROR") throw errorOf(event.object);
      const revision = Number(event.object.metadata.resourceVersion);
      expect(revision).toBeGreaterThanOrEqual(this.#last);
      this.#last = revision;
      if (event.type !== "BOOKMARK") this.#events.push(event);
      // A bookmark too says that there is nothing up to it that has not been told.
      this.check();
    }
    return false;
  }

  async #list(transport: Transport): Promise<void> {
    const response = await transport.send({ method: "GET", path: this.#path, query: this.#selector });
    if (response.kind !== "object") throw new Error(`a list was answered with ${response.kind}`);
    const { metadata } = response.object;
    const { items } = response.object as Partial<KubernetesList>;
    if (items === undefined) throw new Error("this is no list");
    this.#from = this.#last = Number(metadata.resourceVersion);
    this.#events = [];
    expect(items.map(({ metadata: { namespace, name, resourceVersion } }) => `${namespace}/${name} ${resourceVersion}`)).toEqual(
      stateAt(this.#history, this.#selection, this.#from),
    );
  }

  get #path(): string {
    const { plural, namespace } = this.#selection;
    return namespace === undefined ? `/api/v1/${plural}` : `/api/v1/namespaces/${namespace}/${plural}`;
  }

  get #selector(): Record<string, string> {
    return this.#selection.label === undefined ? {} : { labelSelector: `l=${this.#selection.label}` };
  }
}

function errorOf(status: unknown): ApiError {
  const { reason, code, message } = status as { reason: "Expired"; code: number; message: string };
  expect([reason, code]).toEqual(["Expired", 410]);
  return new ApiError(reason, message);
}

function isSelected({ namespace, label }: Selection, object: UnknownObject | undefined): boolean {
  if (object === undefined || (namespace !== undefined && object.metadata.namespace !== namespace)) return false;
  return label === undefined || object.metadata.labels?.["l"] === label;
}

function expectedEvents(history: readonly StoreEvent[], selection: Selection, from: number, to: number): WatchEvent[] {
  return history.flatMap(({ resource, revision, type, object, previous }): WatchEvent[] => {
    if (resource !== selection.plural || revision <= from || revision > to) return [];
    const was = isSelected(selection, previous);
    const is = type !== "DELETED" && isSelected(selection, object);
    if (!was && !is) return [];
    // What leaves a selection is told as it was while it belonged to it, at the revision at which it left.
    const last =
      is || previous === undefined || type === "DELETED"
        ? object
        : { ...previous, metadata: { ...previous.metadata, resourceVersion: String(revision) } };
    return [{ type: !was ? "ADDED" : is ? "MODIFIED" : "DELETED", object: last }];
  });
}

function stateAt(history: readonly StoreEvent[], selection: Selection, revision: number): string[] {
  const state = new Map<string, string>();
  for (const event of history) {
    if (event.resource !== selection.plural || event.revision > revision) continue;
    const { namespace, name } = event.object.metadata;
    if (event.type !== "DELETED" && isSelected(selection, event.object)) state.set(`${namespace}/${name}`, String(event.revision));
    else state.delete(`${namespace}/${name}`);
  }
  return [...state].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, at]) => `${key} ${at}`);
}

function shown({ type, object }: WatchEvent): string {
  if (type === "ERROR") return type;
  const { namespace, name, resourceVersion, labels } = object.metadata;
  return `${type} ${namespace}/${name} ${resourceVersion} ${labels?.["l"] ?? ""} ${JSON.stringify("data" in object ? object.data : undefined)}`;
}
