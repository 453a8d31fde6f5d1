import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { once } from "node:events";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { ApiResponse } from "@sluice/client";
import { ApiError } from "@sluice/kubernetes";
import { encodeObject, shape, watchEncoder, type Encoding } from "./encode.ts";

/** How one answer is written. */
export interface ResponseOptions extends Encoding {
  readonly isPretty: boolean;
  readonly takesGzip: boolean;
  readonly headers: OutgoingHttpHeaders;
}

const COMPRESSION_BYTES = 128 * 1024;
const NO_CACHE = "no-cache, private";
const compress = promisify(gzip);

/** Writes an answer to the wire; returns once it has ended, be it because the client is gone. */
export async function writeResponse(res: ServerResponse, response: ApiResponse, options: ResponseOptions): Promise<void> {
  switch (response.kind) {
    case "object": {
      const shown = shape(response.object, options);
      const body = options.isPretty ? Buffer.from(`${JSON.stringify(shown, undefined, 2)}\n`) : encodeObject(shown);
      const headers: OutgoingHttpHeaders = {
        "content-type": response.contentType ?? "application/json",
        "cache-control": NO_CACHE,
        ...options.headers,
      };
      if (response.warnings !== undefined) res.setHeader("warning", response.warnings.map(warning));
      if (body.length < COMPRESSION_BYTES) return writeBody(res, response.status, headers, body);
      if (!options.takesGzip) return writeBody(res, response.status, { ...headers, vary: vary(headers) }, body);
      return writeBody(res, response.status, { ...headers, vary: vary(headers), "content-encoding": "gzip" }, await compress(body, { level: 1 }));
    }
    case "watch": {
      res.writeHead(200, { "content-type": "application/json", "cache-control": NO_CACHE });
      const encode = watchEncoder(options);
      return writeStream(res, response.events, encode);
    }
    case "bytes":
      res.writeHead(200, { "content-type": response.contentType, "cache-control": NO_CACHE });
      return writeStream(res, response.bytes, (chunk) => chunk);
  }
}

/** Writes a failure as the Status that clients branch on. */
export function writeError(res: ServerResponse, error: ApiError): void {
  const { details, code } = error;
  const headers: OutgoingHttpHeaders = {
    "content-type": "application/json",
    "cache-control": NO_CACHE,
    ...(details?.retryAfterSeconds === undefined ? {} : { "retry-after": String(details.retryAfterSeconds) }),
    ...(code === 401 ? { "www-authenticate": 'Bearer realm="kubernetes"' } : {}),
    // What is left of a body that was not read must not pass for the next request.
    ...(code === 413 ? { connection: "close" } : {}),
  };
  if (error.warnings.length > 0) res.setHeader("warning", error.warnings.map(warning));
  writeBody(res, code, headers, Buffer.from(JSON.stringify(error.toStatus())));
}

function writeBody(res: ServerResponse, status: number, headers: OutgoingHttpHeaders, body: Buffer): void {
  res.writeHead(status, { ...headers, "content-length": body.length });
  res.end(body);
}

function vary(headers: OutgoingHttpHeaders): string {
  return headers["vary"] === undefined ? "Accept-Encoding" : `${String(headers["vary"])}, Accept-Encoding`;
}

/** Writes pieces as they come, and no faster than the client reads them: a source that cannot wait must itself give up. */
async function writeStream<T>(res: ServerResponse, source: AsyncIterable<T>, encode: (piece: T) => Uint8Array): Promise<void> {
  res.flushHeaders();
  const closed = new AbortController();
  res.once("close", () => closed.abort());
  try {
    for await (const piece of source) {
      if (res.destroyed) return;
      if (!res.write(encode(piece))) await once(res, "drain", { signal: closed.signal });
    }
    res.end();
  } catch (error) {
    if (closed.signal.aborted) return;
    res.destroy(); // Half an answer: only a broken connection tells the client that it is not all.
    throw error;
  }
}

/** The text in the form of RFC 7234; names may hold letters that headers must not. */
function warning(text: string): string {
  const quoted = text.replaceAll(/[\p{Cc}]/gu, " ").replaceAll(/["\\]/gu, "\\$&");
  return `299 - "${Buffer.from(quoted).toString("latin1")}"`;
}
