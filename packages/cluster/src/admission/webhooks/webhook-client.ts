import { Agent, request as requestHttps, type RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import type { Clock } from "@sluice/controller";
import { isApiError, type WebhookClientConfig } from "@sluice/kubernetes";
import type { Store } from "../../store/store.ts";
import { serviceEndpoint, type Endpoint } from "./service-endpoint.ts";

/** A call to a webhook that brought no answer. */
export class CallFailure extends Error {
  override readonly name = "CallFailure";
}

/** As much of an answer is read. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** How much of an error page a message shows. */
const SHOWN_ANSWER_LENGTH = 1024;

/** Calls webhooks over HTTPS, by URL or by service, over connections that are kept. Disposing of it closes them. */
export class WebhookClient implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxCachedSessions: 200, timeout: 60_000 });
  readonly #store: Pick<Store, "get" | "list">;
  readonly #clock: Clock;
  #turn = 0;

  constructor(store: Pick<Store, "get" | "list">, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Posts a body and reads the JSON that comes back; throws CallFailure if none does in time. */
  async post(config: WebhookClientConfig, body: object, { timeoutSeconds }: { readonly timeoutSeconds: number }): Promise<unknown> {
    const target = targetOf(config);
    const url = `https://${target.authority}${target.path}?timeout=${timeoutSeconds}s`;
    const failed = (why: string, cause?: unknown): CallFailure => new CallFailure(`Post ${JSON.stringify(url)}: ${why}`, { cause });
    const late = new AbortController();
    const done = new AbortController();
    void this.#clock.sleep(timeoutSeconds * 1000, done.signal).then(() => {
      if (!done.signal.aborted) late.abort();
    });
    try {
      const endpoint = this.#endpointOf(config, target);
      const options: RequestOptions = {
        agent: this.#agent,
        method: "POST",
        host: endpoint.host,
        port: endpoint.port,
        path: `${target.path}?timeout=${timeoutSeconds}s`,
        servername: target.serverName,
        signal: late.signal,
        headers: {
          host: target.authority,
          accept: "application/json, */*",
          "content-type": "application/json",
          "user-agent": "kube-apiserver-admission",
        },
        ...(config.caBundle === undefined ? {} : { ca: Buffer.from(config.caBundle, "base64") }),
      };
      const text = JSON.stringify(body);
      const response = await exchange(options, text).catch((error: unknown) => {
        // A server may close an idle connection in the moment in which it is used again.
        if (error instanceof IdleConnectionClosed) return exchange({ ...options, agent: false }, text);
        throw error;
      });
      const answer = await readText(response);
      const { statusCode = 0 } = response;
      if (statusCode === 404) throw new CallFailure("the server could not find the requested resource");
      if (statusCode < 200 || statusCode > 206) {
        const shown = answer.slice(0, SHOWN_ANSWER_LENGTH).trim();
        throw new CallFailure(
          `an error on the server (${JSON.stringify(shown === "" ? "unknown" : shown)}) has prevented the request from succeeding`,
        );
      }
      return parse(answer);
    } catch (error) {
      if (error instanceof CallFailure) throw error;
      if (late.signal.aborted) throw failed("context deadline exceeded", error);
      throw failed(isApiError(error) ? error.message : reasonOf(error, target), error);
    } finally {
      done.abort();
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #endpointOf({ service }: WebhookClientConfig, target: Target): Endpoint {
    if (service === undefined) return { host: target.host, port: target.port };
    return serviceEndpoint(this.#store, { namespace: service.namespace, name: service.name, port: target.port }, this.#turn++);
  }
}

/** What a configuration addresses. */
interface Target {
  readonly host: string;
  readonly port: number;
  /** As URLs write it. */
  readonly authority: string;
  readonly path: string;
  /** Whom the certificate must name; empty stands for the address. */
  readonly serverName: string;
}

function targetOf({ url, service }: WebhookClientConfig): Target {
  if (service !== undefined) {
    const { name, namespace, port = 443, path = "/" } = service;
    const host = `${name}.${namespace}.svc`;
    return { host, port, authority: `${host}:${port}`, path: path.startsWith("/") ? path : `/${path}`, serverName: host };
  }
  if (url === undefined || !URL.canParse(url)) throw new CallFailure("webhook configuration must have either service or URL");
  const { hostname, port, pathname, host } = new URL(url);
  const bare = hostname.replace(/^\[|\]$/gu, "");
  const isAddress = /^[\d.]+$|:/u.test(bare);
  return { host: bare, port: port === "" ? 443 : Number(port), authority: host, path: pathname, serverName: isAddress ? "" : bare };
}

/** The connection was a kept one, and had been closed. */
class IdleConnectionClosed extends Error {}

async function exchange(options: RequestOptions, body: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = requestHttps({ ...options, headers: { ...options.headers, "content-length": Buffer.byteLength(body) } }, resolve);
  outgoing.once("error", (error: NodeJS.ErrnoException) =>
    reject(outgoing.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE") ? new IdleConnectionClosed(error.message) : error),
  );
  outgoing.end(body);
  return promise;
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new CallFailure(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CallFailure(`couldn't get version/kind; json parse error: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_SIGNATURE_FAILURE",
]);

/** Why a connection failed, in the words that users of Kubernetes look for. */
function reasonOf(error: unknown, { host, serverName }: Target): string {
  if (!(error instanceof Error)) return String(error);
  const { code = "", message } = error as NodeJS.ErrnoException;
  const { address, port } = error as { readonly address?: string; readonly port?: number };
  if (code === "ECONNREFUSED") return `dial tcp ${address ?? host}:${port ?? ""}: connect: connection refused`;
  if (code === "ENOTFOUND") return `dial tcp: lookup ${host}: no such host`;
  if (code === "ECONNRESET") return "EOF";
  if (UNTRUSTED.has(code)) return "tls: failed to verify certificate: x509: certificate signed by unknown authority";
  if (code === "CERT_HAS_EXPIRED") return "tls: failed to verify certificate: x509: certificate has expired or is not yet valid";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `tls: failed to verify certificate: x509: certificate is not valid for ${serverName === "" ? host : serverName}: ${message}`;
  }
  return message;
}
