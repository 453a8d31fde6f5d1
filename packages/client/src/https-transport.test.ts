import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { WatchEvent } from "@sluice/kubernetes";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHttpsTransport, type HttpsTransport } from "./https-transport.ts";
import type { ApiRequest, ApiResponse } from "./transport.ts";

let server: Server;
let transport: HttpsTransport;
let answer: (req: IncomingMessage, res: ServerResponse) => void;

beforeEach(async () => {
  server = createServer((req, res) => answer(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  transport = createHttpsTransport({
    server: `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix/`,
    namespace: "default",
    token: async () => "secret",
  });
});
afterEach(() => {
  transport[Symbol.dispose]();
  server.closeAllConnections();
  server.close();
});

const send = (request: Partial<ApiRequest> = {}): Promise<ApiResponse> =>
  transport.send({ method: "GET", path: "/api/v1/pods", query: {}, ...request });
const json = (res: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}): void => {
  res.writeHead(status, { "content-type": "application/json", ...headers });
  res.end(JSON.stringify(body));
};
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no failure",
    (error: unknown) => error,
  );
async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}
const events = async (request: Partial<ApiRequest> = {}): Promise<AsyncIterable<WatchEvent>> => {
  const response = await send({ query: { watch: "true" }, ...request });
  if (response.kind !== "watch") throw new Error(response.kind);
  return response.events;
};

test("sends what a request says", async () => {
  answer = (req, res) => {
    let body = "";
    req
      .on("data", (chunk) => (body += chunk))
      .on("end", () => json(res, { method: req.method, url: req.url, type: req.headers["content-type"], token: req.headers.authorization, body }));
  };
  expect(
    await send({ method: "PATCH", query: { fieldManager: "me & you" }, contentType: "application/merge-patch+json", body: { ä: 1 } }),
  ).toMatchObject({
    kind: "object",
    status: 200,
    object: {
      method: "PATCH",
      url: "/prefix/api/v1/pods?fieldManager=me+%26+you",
      type: "application/merge-patch+json",
      token: "Bearer secret",
      body: '{"ä":1}',
    },
  });
});

test("makes errors of Statuses", async () => {
  const status = { kind: "Status", reason: "Conflict", message: "taken", details: { name: "a", kind: "pods" } };
  answer = (_, res) => json(res, status, 409);
  expect(await failure(send())).toMatchObject({
    name: "ApiError",
    reason: "Conflict",
    code: 409,
    message: "taken",
    details: { name: "a", kind: "pods" },
  });
  answer = (_, res) => json(res, { kind: "Status", reason: "TooManyRequests", message: "slow" }, 429, { "retry-after": "7" });
  expect(await failure(send())).toMatchObject({ reason: "TooManyRequests", details: { retryAfterSeconds: 7 } });
  answer = (_, res) => res.writeHead(503, { "content-type": "text/html" }).end("<h1>down");
  expect(await failure(send())).toMatchObject({ reason: "ServiceUnavailable", code: 503, message: expect.stringContaining("<h1>down") });
  answer = (_, res) => res.writeHead(200, { "content-type": "application/json" }).end("{");
  expect(await failure(send())).toMatchObject({ reason: "InternalError", message: expect.stringContaining("not JSON") });
});

test("reads warnings", async () => {
  answer = (_, res) => json(res, {}, 200, { warning: '299 - "say \\"no\\"", 299 - "two"' });
  expect(await send()).toMatchObject({ warnings: ['say "no"', "two"] });
});

test("puts the events of a watch together again, however they are cut", async () => {
  const sent = [1, 2, 3].map((n) => ({ type: "ADDED", object: { kind: "Pod", metadata: { name: `ä${n}` } } }));
  const bytes = Buffer.from(sent.map((event) => `${JSON.stringify(event)}\n`).join(""));
  answer = (_, res) => {
    res.writeHead(200, { "content-type": "application/json" });
    const write = (at: number): void => {
      if (at >= bytes.length) res.end();
      else res.write(bytes.subarray(at, at + 7), () => write(at + 7));
    };
    write(0);
  };
  expect(await collect(await events())).toEqual(sent);
});

test("tells a watch that broke from one that ended", async () => {
  answer = (_, res) => {
    res.writeHead(200, { "content-type": "application/json" });
    res.write('{"type":"BOOKMARK","object":{}}\n', () => res.destroy());
  };
  expect(await failure(collect(await events()))).toMatchObject({ reason: "ServiceUnavailable", message: expect.stringContaining("broke off") });
});

test("ends a watch that is aborted, and the server sees it", async () => {
  const closed = Promise.withResolvers<void>();
  answer = (_, res) => {
    res.once("close", closed.resolve);
    res.writeHead(200, { "content-type": "application/json" });
    res.write('{"type":"BOOKMARK","object":{}}\n');
  };
  const abort = new AbortController();
  for await (const event of await events({ signal: abort.signal })) if (event.type === "BOOKMARK") abort.abort();
  await expect(closed.promise).resolves.toBeUndefined();
});

test("ends a watch that is aborted before the server has answered", async () => {
  const abort = new AbortController();
  answer = () => abort.abort();
  expect(await collect(await events({ signal: abort.signal }))).toEqual([]);
  expect(await failure(send({ signal: abort.signal }))).toMatchObject({ reason: "ServiceUnavailable" });
});

test("streams logs", async () => {
  answer = (_, res) => res.writeHead(200, { "content-type": "text/plain" }).end("one\ntwo\n");
  const response = await send({ path: "/api/v1/namespaces/a/pods/b/log" });
  if (response.kind !== "bytes") throw new Error(response.kind);
  expect(Buffer.concat(await collect(response.bytes)).toString()).toBe("one\ntwo\n");
});

test("reads again what a connection that had just been closed did not bring", async () => {
  answer = (_, res) => json(res, {});
  await send();
  let attempts = 0;
  answer = (req, res) => {
    attempts++;
    if (attempts === 1) req.socket.destroy();
    else json(res, {});
  };
  await send();
  expect(attempts).toBe(2);
  answer = (req) => req.socket.destroy();
  expect(await failure(send({ method: "POST", body: {} }))).toMatchObject({ reason: "ServiceUnavailable" });
});

test("says which server it cannot reach", async () => {
  using lost = createHttpsTransport({ server: "https://127.0.0.1:1", namespace: "default" });
  expect(await failure(lost.send({ method: "GET", path: "/version", query: {} }))).toMatchObject({
    reason: "ServiceUnavailable",
    message: expect.stringMatching(/^cannot reach https:\/\/127.0.0.1:1: /),
  });
});
