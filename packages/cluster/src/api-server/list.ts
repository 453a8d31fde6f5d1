import type { ApiResponse } from "@sluice/client";
import { ApiError, apiVersionOf, isApiError, type UnknownObject } from "@sluice/kubernetes";
import type { Store } from "../store/store.ts";
import { badRequest, notFound } from "./api-errors.ts";
import { everything, select } from "./selection.ts";
import { keyOfRequest, type ResourceRequest } from "./request-context.ts";

/** GET of one object. */
export function get(target: ResourceRequest): ApiResponse {
  return { kind: "object", status: 200, object: target.served.view(find(target)) };
}

/** The stored object that a request names; throws NotFound. */
export function find(target: ResourceRequest): UnknownObject {
  const { served, server } = target;
  const key = keyOfRequest(target);
  const object = server.store.get(served.table, key);
  if (object === undefined) throw notFound(served.resource, key.name);
  return object;
}

/** Where a list goes on: the revision that all of its pages show (0: whatever is current), and the last key before. */
interface Continuation {
  readonly revision: number;
  readonly after: string;
}

/** GET of a collection, in pages if `limit` asks for them; every page shows the revision of the first. */
export function list(target: ResourceRequest): ApiResponse {
  const { served, server, request, namespace } = target;
  const { query } = request;
  const matches = select(served, query, target.name);
  const limit = readLimit(query["limit"]);
  const start = readContinuation(query);
  const pinned = start === undefined ? exactRevision(query, limit) : start.revision === 0 ? undefined : start.revision;
  const revision = pinned ?? server.store.revision;
  const page: UnknownObject[] = [];
  let after: string | undefined;
  let remaining = 0;
  for (const object of snapshot(target, server.store, pinned, start)) {
    if (limit > 0 && page.length >= limit) remaining++;
    else if (matches(object)) {
      page.push(object);
      after = keyIn(object);
    }
  }
  const isMore = remaining > 0 && after !== undefined;
  const isCounted = matches === everything;
  const { resource } = served;
  return {
    kind: "object",
    status: 200,
    object: listObject(apiVersionOf(resource), resource.listKind, page.map(served.view), {
      resourceVersion: String(revision),
      ...(isMore && after !== undefined ? { continue: encode({ revision, after }) } : {}),
      ...(isMore && isCounted ? { remainingItemCount: remaining } : {}),
    }),
  };

  function* snapshot(of: ResourceRequest, store: Store, at: number | undefined, from: Continuation | undefined): Iterable<UnknownObject> {
    if (at === undefined || at === store.revision) {
      yield* store.list(of.served.table, { namespace, continueKey: from?.after }).items;
      return;
    }
    try {
      yield* objectsAt(store, of.served.table, { namespace, after: from?.after, revision: at });
    } catch (error) {
      if (!isApiError(error, "Expired") || from === undefined) throw error;
      const message =
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results.";
      throw new ExpiredContinuation(message, encode({ revision: 0, after: from.after }));
    }
  }
}

/** A continuation whose snapshot is forgotten; `continue` goes on with what is current. */
export class ExpiredContinuation extends ApiError {
  readonly continue: string;

  constructor(message: string, next: string) {
    super("Expired", message);
    this.continue = next;
  }

  override toStatus(): ReturnType<ApiError["toStatus"]> {
    return { ...super.toStatus(), metadata: { continue: this.continue } };
  }
}

/** A list as the wire carries it. */
export function listObject(
  apiVersion: string,
  kind: string,
  items: readonly UnknownObject[],
  metadata: { readonly resourceVersion: string },
): UnknownObject {
  // A list's metadata has no name; UnknownObject is nevertheless the type of every body.
  const bare: object = metadata;
  return { apiVersion, kind, metadata: bare as UnknownObject["metadata"], items };
}

/** The objects as they were: the current ones, with every change since undone. */
function objectsAt(
  store: Store,
  table: string,
  options: { readonly namespace: string | undefined; readonly after: string | undefined; readonly revision: number },
): UnknownObject[] {
  const { namespace, after } = options;
  const objects = new Map(store.list(table, { namespace, continueKey: after }).items.map((object) => [keyIn(object), object]));
  for (const { object, previous } of store.changesSince(table, options.revision).toReversed()) {
    const key = keyIn(object);
    if ((namespace !== undefined && object.metadata.namespace !== namespace) || (after !== undefined && key <= after)) continue;
    if (previous === undefined) objects.delete(key);
    else objects.set(key, previous);
  }
  return [...objects].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
}

function keyIn({ metadata }: UnknownObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

function readLimit(text: string | undefined): number {
  if (text === undefined || text === "") return 0;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 0) throw badRequest(`limit: Invalid value: ${JSON.stringify(text)}: must be greater than or equal to 0`);
  return limit;
}

/** A resource version as a number; undefined where none is given. */
export function readRevision(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (!/^\d+$/.test(text)) throw badRequest(`resourceVersion: Invalid value: ${JSON.stringify(text)}: must be a number`);
  return Number(text);
}

/**
 * The revision that a list must show exactly: with `resourceVersionMatch=Exact`, or, as ever, in pages without any match.
 * Undefined for the current one, which is newer than any other that can be asked for.
 */
function exactRevision(query: Readonly<Record<string, string>>, limit: number): number | undefined {
  const revision = readRevision(query["resourceVersion"]);
  const match = query["resourceVersionMatch"] ?? "";
  if (isSet(query["sendInitialEvents"])) throw invalidOptions("sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list");
  if (match !== "" && match !== "Exact" && match !== "NotOlderThan") {
    throw invalidOptions(`resourceVersionMatch: Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`);
  }
  if (match !== "" && revision === undefined)
    throw invalidOptions("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (match === "Exact" && revision === 0)
    throw invalidOptions('resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  return match === "Exact" || (match === "" && limit > 0 && revision !== 0) ? revision : undefined;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}

/** How long a request waits for a revision that it has heard of elsewhere: from before a restart, or from another cluster. */
const FUTURE_MS = 3000;

/** Waits a little for the revision that a request has seen, and refuses one that does not come. */
export async function untilReached({ server, request }: ResourceRequest): Promise<void> {
  const { store, options } = server;
  const revision = readRevision(request.query["resourceVersion"]) ?? 0;
  if (revision <= store.revision) return;
  const waiting = new AbortController();
  void options.clock.sleep(FUTURE_MS, waiting.signal).then(() => waiting.abort());
  await store.reached(revision, request.signal === undefined ? waiting.signal : AbortSignal.any([waiting.signal, request.signal]));
  waiting.abort();
  if (revision <= store.revision) return;
  throw new ApiError("Timeout", `Timeout: Too large resource version: ${revision}, current: ${store.revision}`, {
    details: { retryAfterSeconds: 1, causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }] },
  });
}

/** The 422 for list and watch options that exclude each other. */
export function invalidOptions(why: string): ApiError {
  return new ApiError("Invalid", `ListOptions.meta.k8s.io "" is invalid: ${why}`);
}

function readContinuation(query: Readonly<Record<string, string>>): Continuation | undefined {
  const token = query["continue"];
  if (token === undefined || token === "") return undefined;
  if (isSet(query["resourceVersionMatch"]))
    throw invalidOptions("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided");
  if (isSet(query["resourceVersion"]) && query["resourceVersion"] !== "0")
    throw badRequest("specifying resource version is not allowed when using continue");
  const [version, revision, after] = decodeToken(token);
  if (version !== "v1" || typeof revision !== "number" || typeof after !== "string") throw badRequest("continue key is not valid");
  return { revision, after };
}

function encode({ revision, after }: Continuation): string {
  return Buffer.from(JSON.stringify(["v1", revision, after])).toString("base64url");
}

function decodeToken(token: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    return Array.isArray(value) ? value : [];
  } catch {
    return []; // The caller says that the token is not valid.
  }
}
