import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { setImmediate as turn } from "node:timers/promises";
import { createGzip } from "node:zlib";
import type { ApiResponse } from "@sluice/client";
import { ApiError } from "@sluice/kubernetes";
import { encodeAnswer, watchEncoder, type Encoding } from "./encode.ts";

/** How one answer is written. */
export interface ResponseOptions extends Encoding {
  readonly isPretty: boolean;
  readonly takesGzip: boolean;
  readonly headers: OutgoingHttpHeaders;
}

/** What is larger is compressed, and written as it is encoded. */
const LARGE_BYTES = 128 * 1024;
/** How long one turn of the event loop may be spent on writing answers. */
const TURN_MS = 10;
const NO_CACHE = "no-cache, private";

/** Writes an answer to the wire; returns once it has ended, be it because the client is gone. */
export async function writeResponse(
  res: ServerResponse,
  response: Exclude<ApiResponse, { kind: "connect" }>,
  options: ResponseOptions,
): Promise<void> {
  switch (response.kind) {
    case "object": {
      const headers: OutgoingHttpHeaders = {
        "content-type": response.contentType ?? "application/json",
        "cache-control": NO_CACHE,
        ...options.headers,
      };
      if (response.warnings !== undefined) res.setHeader("warning", response.warnings.map(warning));
      const slices = encodeAnswer(response.object, options, options);
      const begun: Buffer[] = [];
      let bytes = 0;
      let next = slices.next();
      while (next.done !== true && bytes <= LARGE_BYTES) {
        begun.push(next.value);
        bytes += next.value.length;
        next = slices.next();
      }
      if (next.done === true) return writeBody(res, response.status, headers, Buffer.concat(begun));
      res.writeHead(response.status, { ...headers, vary: vary(headers), ...(options.takesGzip ? { "content-encoding": "gzip" } : {}) });
      return writeLarge(res, [...begun, next.value], slices, options);
    }
    case "watch": {
      res.writeHead(200, { "content-type": "application/json", "cache-control": NO_CACHE });
      const encode = watchEncoder(options);
      return writeStream(res, response.events, encode);
    }
    case "bytes":
      res.writeHead(200, { "content-type": response.contentType, "cache-control": NO_CACHE });
      return writeStream(res, response.bytes, (chunk) => [chunk]);
  }
}

/** Writes what may be very long without holding it, and without holding up others. */
async function writeLarge(
  res: ServerResponse,
  begun: readonly Buffer[],
  rest: Iterable<Buffer>,
  { takesGzip }: { readonly takesGzip: boolean },
): Promise<void> {
  async function* all(): AsyncGenerator<Buffer> {
    yield* begun;
    for (const slice of rest) {
      yield slice;
      await pause();
    }
  }
  try {
    await (takesGzip ? pipeline(all, createGzip({ level: 1, chunkSize: LARGE_BYTES }), res) : pipeline(all, res));
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** When this turn of the event loop has been long enough for all that is written in it; 0 before anything is. */
let turnEnds = 0;

/** Leaves the rest for the next turn if this one is long already. */
function pause(): Promise<void> | undefined {
  const now = performance.now();
  if (turnEnds === 0) {
    turnEnds = now + TURN_MS;
    setImmediate(() => (turnEnds = 0));
  }
  return now < turnEnds ? undefined : turn();
}

/** Whether a client has left before it had all. */
function isGone(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    (error.code === "ERR_STREAM_PREMATURE_CLOSE" || error.code === "ECONNRESET" || error.code === "EPIPE")
  );
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
export async function writeStream<T>(res: ServerResponse, source: AsyncIterable<T>, encode: (piece: T) => Iterable<Uint8Array>): Promise<void> {
  res.flushHeaders();
  const closed = new AbortController();
  res.once("close", () => closed.abort());
  try {
    for await (const piece of source) {
      await pause();
      for (const slice of encode(piece)) {
        if (res.destroyed) return;
        if (!res.write(slice)) await once(res, "drain", { signal: closed.signal });
      }
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
