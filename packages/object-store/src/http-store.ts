import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { ApiError } from "@sluice/kubernetes";
import { canonicalUri } from "./canonical-uri.ts";
import type { ObjectInfo, ObjectStore } from "./object-store.ts";
import { isListed, privateLiteral, publicLookup } from "./private-hosts.ts";
import { remoteError } from "./remote-error.ts";
import { writeHashed } from "./write-hashed.ts";

const MAX_BYTES = 100 * 2 ** 30;
const MAX_REDIRECTS = 5;
/** How long a server may say nothing. */
const IDLE_TIMEOUT_MS = 60_000;

/** What may be taken from the web. */
export interface HttpStoreOptions {
  /** Hosts (`host` or `host:port`) that may be asked although they are not of the public internet. */
  readonly privateHosts?: readonly string[];
  /** How large a file may be, 100 GiB unless given. */
  readonly maxBytes?: number;
}

/**
 * The web as a store to read from. Whatever a host's name means at the moment of the connection, its address must be of the public
 * internet unless the host is listed, also after each redirect, of which five are followed; none leads from HTTPS to HTTP.
 */
export function httpStore({ privateHosts = [], maxBytes = MAX_BYTES }: HttpStoreOptions = {}): ObjectStore {
  const where = "the web";

  const ask = async (method: "GET" | "HEAD", uri: string, range?: string): Promise<IncomingMessage> => {
    let url = new URL(canonicalUri(uri).uri);
    for (let count = 0; ; count++) {
      const response = await send(method, url, { range, isTrusted: isListed(privateHosts, url) });
      const { statusCode = 0, headers } = response;
      if (statusCode >= 200 && statusCode < 300) return response;
      response.destroy();
      if (statusCode < 300 || statusCode >= 400 || headers.location === undefined) throw new HttpError(statusCode, url);
      if (count === MAX_REDIRECTS) throw new ApiError("BadRequest", `cannot fetch ${uri}: it redirects more than ${MAX_REDIRECTS} times`);
      const next = URL.canParse(headers.location, url) ? new URL(headers.location, url) : undefined;
      if (next === undefined || !["http:", "https:"].includes(next.protocol) || (url.protocol === "https:" && next.protocol === "http:"))
        throw new ApiError("BadRequest", `cannot fetch ${uri}: it redirects to ${JSON.stringify(headers.location)}, which is not HTTPS`);
      url = new URL(canonicalUri(next.href).uri);
    }
  };

  async function* read(uri: string, range?: string): AsyncGenerator<Uint8Array> {
    const response = await ask("GET", uri, range);
    const tooLarge = (size: number): ApiError =>
      new ApiError("RequestEntityTooLarge", `cannot fetch ${uri}: it has ${size} bytes or more, and ${maxBytes} are allowed`);
    const length = Number(response.headers["content-length"] ?? Number.NaN);
    try {
      if (length > maxBytes) throw tooLarge(length);
      let size = 0;
      for await (const chunk of response as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        if (size > maxBytes) throw tooLarge(size);
        yield chunk;
      }
    } finally {
      response.destroy();
    }
  }

  const refuse = (uri: string): Promise<never> =>
    Promise.reject(new ApiError("MethodNotAllowed", `cannot store ${uri}: the web can only be read. Use a pipeline root such as s3://bucket/path`));

  return {
    putFile: refuse,
    put: refuse,
    delete: refuse,
    async getFile(uri, path) {
      try {
        return { uri, ...(await writeHashed(path, read(uri))) };
      } catch (cause) {
        throw remoteError(`fetch ${uri}`, where, cause);
      }
    },
    async *get(uri, { start = 0, end } = {}) {
      if (end !== undefined && end <= start) return;
      try {
        yield* read(uri, start === 0 && end === undefined ? undefined : `bytes=${start}-${end === undefined ? "" : end - 1}`);
      } catch (cause) {
        throw remoteError(`fetch ${uri}`, where, cause);
      }
    },
    async stat(uri): Promise<ObjectInfo | undefined> {
      try {
        // Not every server answers HEAD, and some only to GET say what they have.
        const response = await ask("HEAD", uri).catch((error: unknown) => {
          if (error instanceof HttpError && [403, 405, 501].includes(error.statusCode)) return ask("GET", uri);
          throw error;
        });
        response.destroy();
        const { "content-length": length = "0", etag, "last-modified": changed } = response.headers;
        return { uri, size: Number(length), digest: `etag:${etag ?? changed ?? ""}` };
      } catch (cause) {
        if (cause instanceof HttpError && (cause.statusCode === 404 || cause.statusCode === 410)) return undefined;
        throw remoteError(`look at ${uri}`, where, cause);
      }
    },
    // oxlint-disable-next-line require-yield
    async *list() {
      // The web has no directories.
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** An answer that is no success. */
class HttpError extends Error {
  override readonly name = "HttpError";
  readonly statusCode: number;
  readonly $metadata: { readonly httpStatusCode: number };

  constructor(statusCode: number, url: URL) {
    super(`${url.host} answered ${statusCode}`);
    this.statusCode = statusCode;
    this.$metadata = { httpStatusCode: statusCode };
  }
}

function send(
  method: string,
  url: URL,
  { range, isTrusted }: { readonly range: string | undefined; readonly isTrusted: boolean },
): Promise<IncomingMessage> {
  const refusal = isTrusted ? undefined : privateLiteral(url.host, url.hostname);
  if (refusal !== undefined) return Promise.reject(refusal);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
    method,
    headers: { "user-agent": "sluice", "accept-encoding": "identity", ...(range === undefined ? {} : { range }) },
    ...(isTrusted ? {} : { lookup: publicLookup(url.host) }),
  });
  outgoing.setTimeout(IDLE_TIMEOUT_MS, () => outgoing.destroy(Object.assign(new Error(`${url.host} says nothing`), { code: "ETIMEDOUT" })));
  outgoing.on("response", resolve);
  outgoing.on("error", reject);
  outgoing.end();
  return promise;
}
