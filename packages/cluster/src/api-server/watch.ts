import type { ApiResponse } from "@sluice/client";
import { ApiError, apiVersionOf, type UnknownObject, type WatchEvent } from "@sluice/kubernetes";
import type { StoreEvent, StoreWatch } from "../store/history.ts";
import { invalidOptions, readRevision } from "./list.ts";
import type { ServedResource } from "./registry.ts";
import type { ResourceRequest } from "./request-context.ts";
import { isTrue } from "./request-info.ts";
import { everything, select } from "./selection.ts";
import { WatchStream } from "./watch-stream.ts";

/** GET of a collection with `watch`: what is there, if asked for, then every change. */
export function watch(target: ResourceRequest): ApiResponse {
  const { served, server, request, namespace } = target;
  const { query } = request;
  const { store, options } = server;
  const matches = select(served, query, target.name);
  const revision = readRevision(query["resourceVersion"]);
  const withInitial = readInitial(query);
  const bookmarks = isTrue(query["allowWatchBookmarks"]);
  const timeout = Number(query["timeoutSeconds"] ?? 0);

  const start = (withInitial ?? (revision === undefined || revision === 0)) ? store.revision : (revision ?? store.revision);
  const initial: WatchEvent[] = [];
  if (withInitial ?? (revision === undefined || revision === 0)) {
    for (const object of store.list(served.table, { namespace }).items)
      if (matches(object)) initial.push({ type: "ADDED", object: served.view(object) });
  }
  if (withInitial === true && bookmarks) initial.push(bookmark(served, start, { "k8s.io/initial-events-end": "true" }));

  let source: StoreWatch;
  try {
    source = store.watch(served.table, { from: start, namespace });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { kind: "watch", events: failed(error) };
  }
  const stream = new WatchStream({
    initial,
    source,
    convert: matches === everything ? (event) => eventOf(served, event) : (event) => selectedEvent(served, event, matches),
    bookmark: bookmarks ? () => bookmark(served, store.revision) : undefined,
    timeoutMs: Number.isFinite(timeout) && timeout > 0 ? timeout * 1000 : undefined,
    clock: options.clock,
    signal: request.signal,
  });
  return { kind: "watch", events: stream };
}

/** What an expired watch says before it ends. */
async function* failed(error: ApiError): AsyncGenerator<WatchEvent> {
  yield { type: "ERROR", object: error.toStatus() };
}

/** Whether the watch starts with what exists; undefined leaves it to the resource version. */
function readInitial(query: Readonly<Record<string, string>>): boolean | undefined {
  const { sendInitialEvents, resourceVersionMatch = "" } = query;
  if (sendInitialEvents === undefined || sendInitialEvents === "") {
    if (resourceVersionMatch === "") return undefined;
    throw invalidOptions("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
  }
  if (resourceVersionMatch === "") {
    throw invalidOptions("resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  }
  if (resourceVersionMatch !== "NotOlderThan") {
    throw invalidOptions(`resourceVersionMatch: Unsupported value: ${JSON.stringify(resourceVersionMatch)}: supported values: "NotOlderThan"`);
  }
  return isTrue(sendInitialEvents);
}

const eventsByView = new WeakMap<UnknownObject, WatchEvent>();

/** The event as all watchers of this version get it: one object, so that its encoding can be cached by identity. */
function eventOf(served: ServedResource, event: StoreEvent): WatchEvent {
  const object = served.view(event.object);
  let shared = eventsByView.get(object);
  if (shared === undefined) eventsByView.set(object, (shared = { type: event.type, object }));
  return shared;
}

/** The event as a watcher with a selector gets it: entering the selection is an addition, leaving it a deletion. */
function selectedEvent(served: ServedResource, event: StoreEvent, matches: (object: UnknownObject) => boolean): WatchEvent | undefined {
  const is = matches(event.object);
  const was = event.previous !== undefined && matches(event.previous);
  if (event.type === "DELETED") return was ? eventOf(served, event) : undefined;
  if (is)
    return was === (event.type === "MODIFIED") ? eventOf(served, event) : { type: was ? "MODIFIED" : "ADDED", object: served.view(event.object) };
  if (!was || event.previous === undefined) return undefined;
  const { resourceVersion } = event.object.metadata;
  const last = { ...event.previous, metadata: { ...event.previous.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) } };
  return { type: "DELETED", object: served.view(last) };
}

function bookmark({ resource }: ServedResource, revision: number, annotations?: Record<string, string>): WatchEvent {
  const metadata = { name: "", resourceVersion: String(revision), ...(annotations === undefined ? {} : { annotations }) };
  return { type: "BOOKMARK", object: { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata } };
}
