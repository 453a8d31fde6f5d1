import type { ApiRequest, UserInfo } from "@sluice/client";
import { ApiError, type FieldWriter, type ObjectKey } from "@sluice/kubernetes";
import type { AdmissionPlugin } from "../admission/admission.ts";
import type { Store } from "../store/store.ts";
import type { ApiServerOptions } from "./api-server-options.ts";
import { badRequest } from "./api-errors.ts";
import type { RequestNotes } from "./request-notes.ts";
import type { Registry, ServedResource } from "./registry.ts";
import type { StrategyContext } from "./strategy.ts";

/** What every endpoint works with. */
export interface ServerContext {
  readonly options: ApiServerOptions;
  readonly store: Store;
  readonly registry: Registry;
}

/** One authorised request to a stored resource. */
export interface ResourceRequest {
  readonly server: ServerContext;
  readonly served: ServedResource;
  readonly request: ApiRequest;
  readonly user: UserInfo;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  /** The subresource that the path names, where it is written as another. */
  readonly alias?: string;
  /** The judges of what it writes. */
  readonly admission: readonly AdmissionPlugin[];
  /** What they say besides. */
  readonly notes: RequestNotes;
}

/** The same request as the server's own doing, which nobody judges: it follows from one that has been, or must not fail. */
export function unjudged(target: ResourceRequest): ResourceRequest {
  return { ...target, admission: [] };
}

let last = { second: 0, text: "1970-01-01T00:00:00Z" };

/** The current time as objects carry it. */
export function timestamp(now: number): string {
  const second = Math.floor(now / 1000);
  // One request asks several times, and so do all others of that second.
  if (second !== last.second) last = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` };
  return last.text;
}

/** What a strategy sees of the server. */
export function strategyContext({ options, store }: ServerContext): StrategyContext {
  return {
    now: timestamp(options.clock.now()),
    newId: options.newId,
    find: (table, key) => store.get(table, key),
    list: (table) => store.list(table).items,
  };
}

/** The key of the object that the request names. */
export function keyOfRequest({ namespace, name }: ResourceRequest): ObjectKey {
  if (name === undefined) throw badRequest("name must be provided");
  return { ...(namespace === undefined ? {} : { namespace }), name };
}

/** Whether the request must leave no trace. */
export function isDryRun(query: Readonly<Record<string, string>>, body?: unknown): boolean {
  const fromBody = typeof body === "object" && body !== null && "dryRun" in body && Array.isArray(body.dryRun) ? body.dryRun : [];
  const values = [...(query["dryRun"] === undefined || query["dryRun"] === "" ? [] : [query["dryRun"]]), ...fromBody];
  const unknown = values.find((value) => value !== "All");
  if (unknown !== undefined) {
    throw new ApiError("Invalid", ` "" is invalid: dryRun: Unsupported value: ${JSON.stringify(unknown)}: supported values: "All"`);
  }
  return values.length > 0;
}

/** Who owns the fields that this request writes: `fieldManager`, or what the client calls itself. */
export function writerOf({ request, user, server, subresource }: ResourceRequest): FieldWriter {
  const { fieldManager } = request.query;
  const manager = fieldManager === undefined || fieldManager === "" ? (user.username.split(":").at(-1) ?? "unknown") : fieldManager;
  return { manager, subresource, time: timestamp(server.options.clock.now()) };
}
