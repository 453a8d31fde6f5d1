import { Agent as HttpAgent, request as requestHttp, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { ApiError, STATUS_CODES, type Status, type StatusDetails, type StatusReason, type UnknownObject, type WatchEvent } from "@sluice/kubernetes";
import type { ClusterAccess } from "./cluster-access.ts";
import { tlsOf } from "./tls-of.ts";
import type { ApiRequest, ApiResponse, Transport } from "./transport.ts";

/** A transport that holds connections. Disposing of it closes them. */
export interface HttpsTransport extends Transport, Disposable {}

/** Reaches a cluster over HTTPS (or HTTP, if its address says so), over connections that are kept. */
export function createHttpsTransport(access: ClusterAccess, options: { readonly userAgent?: string } = {}): HttpsTransport {
  const base = new URL(access.server);
  const isSecure = base.protocol === "https:";
  const agent = isSecure ? new HttpsAgent({ keepAlive: true, ...tlsOf(access) }) : new HttpAgent({ keepAlive: true });
  const prefix = base.pathname.replace(/\/$/u, "");
  const userAgent = options.userAgent ?? "sluice";

  const exchange = async (request: ApiRequest): Promise<IncomingMessage> => {
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const token = await access.token?.();
    const query = new URLSearchParams(request.query).toString();
    const settings: RequestOptions = {
      agent,
      method: request.method,
      hostname: base.hostname.replace(/^\[|\]$/gu, ""),
      port: base.port,
      path: `${prefix}${request.path}${query === "" ? "" : `?${query}`}`,
      headers: {
        accept: request.accept ?? "application/json",
        "user-agent": userAgent,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": request.contentType ?? "application/json", "content-length": Buffer.byteLength(body) }),
      },
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const outgoing = (isSecure ? requestHttps : requestHttp)(settings, resolve);
    outgoing.once("error", (cause: NodeJS.ErrnoException) =>
      reject(new Unreached(`cannot reach ${access.server}: ${cause.message}`, cause, outgoing.reusedSocket)),
    );
    outgoing.end(body);
    return promise;
  };

  return {
    async send(request) {
      const response = await exchange(request).catch((error: unknown) => {
        if (request.signal?.aborted === true && isWatch(request)) return undefined;
        // A server may close an idle connection in the moment in which it is used again.
        if (error instanceof Unreached && error.wasIdle && request.method === "GET") return exchange(request);
        throw error;
      });
      return response === undefined ? { kind: "watch", events: nothing() } : readResponse(request, response);
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

/** No answer came. */
class Unreached extends ApiError {
  /** Whether the connection had been kept from an earlier request. */
  readonly wasIdle: boolean;

  constructor(message: string, cause: NodeJS.ErrnoException, wasReused: boolean) {
    super("ServiceUnavailable", message, { cause });
    this.wasIdle = wasReused && (cause.code === "ECONNRESET" || cause.code === "EPIPE");
  }
}

async function readResponse(request: ApiRequest, response: IncomingMessage): Promise<ApiResponse> {
  const { statusCode: status = 0, headers } = response;
  if (status >= 400 || status < 200) throw errorOf(request, response, await readText(response));
  const contentType = headers["content-type"] ?? "";
  if (!contentType.startsWith("application/json")) return { kind: "bytes", contentType, bytes: response };
  if (isWatch(request)) return { kind: "watch", events: readEvents(response, request.signal) };
  const object = parse<UnknownObject>(await readText(response), request);
  const warnings = [...(headers.warning ?? "").matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/gu)].map(([, text = ""]) =>
    Buffer.from(text.replaceAll(/\\(.)/gu, "$1"), "latin1").toString(),
  );
  return { kind: "object", status, object, ...(warnings.length === 0 ? {} : { warnings }) };
}

function isWatch({ query }: ApiRequest): boolean {
  return query["watch"] === "true" || query["watch"] === "1";
}

/** A watch that was given up before it began. */
async function* nothing(): AsyncGenerator<WatchEvent, undefined> {}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (cause) {
    throw new ApiError("ServiceUnavailable", `the answer broke off: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  return Buffer.concat(chunks).toString();
}

/** One event a line. An aborted watch ends; a broken one throws. */
async function* readEvents(response: IncomingMessage, signal: AbortSignal | undefined): AsyncGenerator<WatchEvent, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of response) {
      rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
      let start = 0;
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, start)) {
        yield JSON.parse(rest.toString("utf8", start, end)) as WatchEvent;
        start = end + 1;
      }
      rest = rest.subarray(start);
    }
  } catch (cause) {
    if (signal?.aborted === true) return;
    throw new ApiError("ServiceUnavailable", `the watch broke off: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

const NEWLINE = 0x0a;

function parse<T>(text: string, { method, path }: ApiRequest): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new ApiError("InternalError", `${method} ${path}: the server's answer is not JSON`, { cause });
  }
}

/** The server's Status as an error; what is none, such as a proxy's page, becomes one by its code. */
function errorOf({ method, path }: ApiRequest, { statusCode: code = 500, headers }: IncomingMessage, body: string): ApiError {
  const status = statusIn(body);
  const reason = (Object.keys(STATUS_CODES) as StatusReason[]).find((one) => one === status?.reason) ?? reasonOf(code);
  const seconds = Number(headers["retry-after"]);
  const wait: StatusDetails = headers["retry-after"] === undefined || !Number.isFinite(seconds) ? {} : { retryAfterSeconds: seconds };
  const details = { ...status?.details, ...wait };
  return new ApiError(reason, status?.message ?? `${method} ${path}: the server answered with status ${code}: ${body.slice(0, 200)}`, {
    code,
    ...(Object.keys(details).length === 0 ? {} : { details }),
  });
}

function statusIn(body: string): Partial<Status> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && "kind" in value && value.kind === "Status" ? (value as Partial<Status>) : undefined;
  } catch {
    return undefined; // Not from a Kubernetes API; the caller makes do with the code.
  }
}

function reasonOf(code: number): StatusReason {
  return (Object.keys(STATUS_CODES) as StatusReason[]).find((reason) => STATUS_CODES[reason] === code) ?? "InternalError";
}
