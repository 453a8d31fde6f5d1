import type { ApiRequest, ApiResponse, UserInfo } from "@sluice/client";
import type { Clock } from "@sluice/controller";
import { ApiError, isApiError, isJsonObject } from "@sluice/kubernetes";
import type { RequestAttributes } from "../api-server/api-server-options.ts";
import { attributesOfRequest } from "../api-server/request-attributes.ts";
import { timestamp } from "../api-server/request-context.ts";
import { auditDecider, type AuditDecision, type AuditPolicy, type AuditStage } from "./audit-policy.ts";

/** Where a request came from. */
export interface RequestOrigin {
  /** Names the request in the log, and to the client. */
  readonly auditId: string;
  /** When it arrived. */
  readonly receivedAt: number;
  readonly sourceIPs: readonly string[];
  readonly userAgent: string | undefined;
  /** As the client wrote it. */
  readonly requestURI: string;
  /** Who made it, if it is to be answered as if somebody else had. */
  readonly impersonator?: UserInfo | undefined;
}

/** A request, as far as the log tells of it. */
export interface AuditedRequest {
  readonly request: ApiRequest;
  readonly user: UserInfo;
  readonly attributes: RequestAttributes;
  /** Absent if it came from this process. */
  readonly origin: RequestOrigin | undefined;
  /** What those who judged it have to say; read at its end. */
  readonly annotations: ReadonlyMap<string, string>;
}

/** An `Event` of audit.k8s.io/v1. */
export type AuditEvent = Readonly<Record<string, unknown>>;

/** What the log is made of. */
export interface AuditLogOptions {
  readonly policy: AuditPolicy;
  /** Takes an event, at once and without waiting. */
  readonly write: (event: AuditEvent) => void;
  readonly clock: Clock;
  readonly newId: () => string;
}

/** A request that did not get as far as to be answered, and why. */
export interface Refusal {
  readonly user: UserInfo;
  readonly origin: RequestOrigin;
  readonly error: unknown;
}

const LONGEST_AGENT = 1024;

/** Writes down who asked for what and what came of it, as far as its policy wants. */
export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #decide: ReturnType<typeof auditDecider>;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#decide = auditDecider(options.policy);
  }

  /** Answers a request by `answer`, and tells of it. */
  async follow(audited: AuditedRequest, answer: () => Promise<ApiResponse>): Promise<ApiResponse> {
    const { user, attributes, origin } = audited;
    const decision = this.#decide(origin?.impersonator ?? user, attributes);
    if (decision === undefined) return answer();
    const begun = origin ?? this.#internal(audited);
    const tell = (stage: AuditStage, end: ApiResponse | ApiError | undefined): void => {
      if (!decision.omitStages.includes(stage)) this.#options.write(this.#event(audited, decision, begun, { stage, end }));
    };
    tell("RequestReceived", undefined);
    let response: ApiResponse;
    try {
      response = await answer();
    } catch (error) {
      tell("ResponseComplete", isApiError(error) ? error : new ApiError("InternalError", String(error)));
      throw error;
    }
    if (response.kind === "object") {
      tell("ResponseComplete", response);
      return response;
    }
    const streaming = response;
    tell("ResponseStarted", streaming);
    const onEnd = (): void => tell("ResponseComplete", streaming);
    if (streaming.kind === "connect") {
      // Whoever connects keeps the signal until the connection has ended.
      audited.request.signal?.addEventListener("abort", onEnd, { once: true });
      return streaming;
    }
    return streaming.kind === "watch"
      ? { ...streaming, events: noticing(streaming.events, onEnd) }
      : { ...streaming, bytes: noticing(streaming.bytes, onEnd) };
  }

  /** Tells of a request that was refused before anybody looked at what it wants. */
  refused({ method = "GET", url = "/" }: { readonly method?: string | undefined; readonly url?: string | undefined }, refusal: Refusal): void {
    const { user, origin, error } = refusal;
    const [path = "/", query] = url.split("?", 2);
    const request: ApiRequest = { method, path, query: Object.fromEntries(new URLSearchParams(query)) };
    const attributes = attributesOfRequest(request);
    const decision = this.#decide(user, attributes);
    if (decision === undefined || decision.omitStages.includes("ResponseComplete")) return;
    const end = isApiError(error) ? error : new ApiError("InternalError", String(error));
    this.#options.write(
      this.#event({ request, user, attributes, origin, annotations: new Map() }, decision, origin, { stage: "ResponseComplete", end }),
    );
  }

  /** The origin of a request of this process. */
  #internal({ request: { path, query } }: AuditedRequest): RequestOrigin {
    const { clock, newId } = this.#options;
    const text = new URLSearchParams(query).toString();
    return {
      auditId: newId(),
      receivedAt: clock.now(),
      sourceIPs: ["127.0.0.1"],
      userAgent: "sluice",
      requestURI: text === "" ? path : `${path}?${text}`,
    };
  }

  #event(
    { request, user, attributes, annotations }: AuditedRequest,
    { level, omitManagedFields }: AuditDecision,
    origin: RequestOrigin,
    { stage, end }: { readonly stage: AuditStage; readonly end: ApiResponse | ApiError | undefined },
  ): AuditEvent {
    const { auditId, receivedAt, sourceIPs, userAgent, requestURI, impersonator } = origin;
    const show = (value: unknown): unknown => (omitManagedFields ? withoutManagedFields(value) : value);
    const response = end instanceof ApiError ? end.toStatus() : end?.kind === "object" ? end.object : undefined;
    // What is undefined here is not there once it is JSON.
    return {
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level,
      auditID: auditId,
      stage,
      requestURI,
      verb: attributes.verb,
      user: showUser(impersonator ?? user),
      impersonatedUser: impersonator === undefined ? undefined : showUser(user),
      sourceIPs,
      userAgent: userAgent !== undefined && userAgent.length > LONGEST_AGENT ? `${userAgent.slice(0, LONGEST_AGENT)}...TRUNCATED` : userAgent,
      objectRef: attributes.kind === "path" ? undefined : referenceTo(attributes, request.body),
      responseStatus: end === undefined ? undefined : statusOf(end),
      requestObject: level === "Metadata" || request.body === undefined ? undefined : show(request.body),
      responseObject: level === "RequestResponse" && response !== undefined ? show(response) : undefined,
      requestReceivedTimestamp: microTime(receivedAt),
      stageTimestamp: microTime(this.#options.clock.now()),
      annotations: annotations.size === 0 ? undefined : Object.fromEntries(annotations),
    };
  }
}

function showUser({ username, uid, groups, extra }: UserInfo): object {
  return { username: given(username), uid, groups: groups.length === 0 ? undefined : groups, extra };
}

/** The object that a request is about; what the path does not say of it, its body may. */
function referenceTo(attributes: Extract<RequestAttributes, { kind: "resource" }>, body: unknown): object {
  const { group, version, resource, subresource, namespace, name } = attributes;
  const metadata = isJsonObject(body) && isJsonObject(body["metadata"]) ? body["metadata"] : undefined;
  return {
    resource,
    namespace: namespace ?? given(metadata?.["namespace"]),
    name: name ?? given(metadata?.["name"]),
    uid: given(metadata?.["uid"]),
    apiGroup: given(group),
    apiVersion: version,
    resourceVersion: given(metadata?.["resourceVersion"]),
    subresource,
  };
}

function given(value: unknown): unknown {
  return value === "" ? undefined : value;
}

function statusOf(end: ApiResponse | ApiError): object {
  if (!(end instanceof ApiError) && (end.kind !== "object" || end.object.kind !== "Status")) {
    return { metadata: {}, code: end.kind === "object" ? end.status : end.kind === "connect" ? 101 : 200 };
  }
  const { status, message, reason, details } = end instanceof ApiError ? end.toStatus() : end.object;
  return { metadata: {}, status, message, reason, details, code: end instanceof ApiError ? end.code : end.status };
}

/** The object, or the list of objects, without the records of who owns which field. */
function withoutManagedFields(value: unknown): unknown {
  if (!isJsonObject(value)) return value;
  const { metadata, items } = value;
  if (Array.isArray(items)) return { ...value, items: items.map(withoutManagedFields) };
  if (!isJsonObject(metadata) || metadata["managedFields"] === undefined) return value;
  const { managedFields: _managedFields, ...rest } = metadata;
  return { ...value, metadata: rest };
}

/** The time as events carry it. */
function microTime(ms: number): string {
  return `${timestamp(ms).slice(0, -1)}.${String(Math.floor(ms) % 1000).padStart(3, "0")}000Z`;
}

/** The same stream; `onEnd` is called once when it is over, however it ends. */
function noticing<T>(source: AsyncIterable<T>, onEnd: () => void): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = source[Symbol.asyncIterator]();
      let isOver = false;
      const end = (): void => {
        if (!isOver) onEnd();
        isOver = true;
      };
      const notice = async (step: Promise<IteratorResult<T>>): Promise<IteratorResult<T>> => {
        try {
          const result = await step;
          if (result.done === true) end();
          return result;
        } catch (error) {
          end();
          throw error;
        }
      };
      return {
        next: () => notice(iterator.next()),
        return: async (value?: unknown) => {
          end();
          return (await iterator.return?.(value)) ?? { done: true, value };
        },
      };
    },
  };
}
