import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { ApiError } from "@sluice/kubernetes";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { writeError, writeResponse } from "./write-response.ts";

let server: Server;
let answer: (res: ServerResponse) => Promise<void>;
let outcome: PromiseWithResolvers<unknown>;

beforeEach(async () => {
  outcome = Promise.withResolvers();
  server = createServer((_, res) => {
    answer(res).then(() => outcome.resolve("ended"), outcome.resolve);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const options = {
  form: "object",
  resource: undefined,
  includeObject: "Metadata",
  now: () => 0,
  isPretty: false,
  takesGzip: false,
  headers: {},
} as const;
async function open(): Promise<IncomingMessage> {
  const outgoing = request({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  outgoing.end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  return response;
}

test("a stream goes no faster than it is read, and ends with who reads it", async () => {
  let pulled = 0;
  let isReleased = false;
  let written: ServerResponse | undefined;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        pulled++;
        yield Buffer.alloc(256 * 1024);
      }
    } finally {
      isReleased = true;
    }
  }
  answer = (res) => {
    written = res;
    return writeResponse(res, { kind: "bytes", contentType: "text/plain", bytes: endless() }, options);
  };
  const response = await open();
  await vi.waitUntil(async () => {
    const before = pulled;
    for (let turns = 0; turns < 20; turns++) await turn();
    return pulled === before && written?.writableNeedDrain === true;
  });
  const held = pulled;
  response.resume();
  await vi.waitUntil(() => pulled > held + 10);
  response.destroy();
  expect(await outcome.promise).toBe("ended");
  expect(isReleased).toBe(true);
});

test("a source that fails halfway breaks the connection, so that nobody takes half for all", async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("half");
    await turn();
    throw new Error("disk");
  }
  answer = (res) => writeResponse(res, { kind: "bytes", contentType: "text/plain", bytes: failing() }, options);
  const response = await open();
  await expect(response.toArray()).rejects.toThrow("aborted");
  expect(response.complete).toBe(false);
  expect(await outcome.promise).toMatchObject({ message: "disk" });
});

test("errors carry what clients branch on", async () => {
  answer = async (res) => writeError(res, new ApiError("TooManyRequests", "slow down", { details: { retryAfterSeconds: 3 } }));
  const response = await open();
  expect([response.statusCode, response.headers["retry-after"]]).toEqual([429, "3"]);
  expect(JSON.parse(String(await response.toArray()))).toEqual({
    apiVersion: "v1",
    kind: "Status",
    metadata: {},
    status: "Failure",
    message: "slow down",
    reason: "TooManyRequests",
    details: { retryAfterSeconds: 3 },
    code: 429,
  });
});
