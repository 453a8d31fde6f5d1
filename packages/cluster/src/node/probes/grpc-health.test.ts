import { once } from "node:events";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkGrpcHealth } from "./grpc-health.ts";

let server: Http2Server;
let port: number;
let asked: Buffer;
let respond: (stream: ServerHttp2Stream) => void;
beforeEach(async () => {
  server = createServer();
  server.on("stream", (stream, headers) => {
    expect(headers).toMatchObject({ ":path": "/grpc.health.v1.Health/Check", "content-type": "application/grpc", te: "trailers" });
    const parts: Buffer[] = [];
    stream.on("data", (bytes: Buffer) => parts.push(bytes));
    stream.on("end", () => {
      asked = Buffer.concat(parts);
      respond(stream);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => void server.close());

const check = (service = "", signal = AbortSignal.timeout(5000)): Promise<string> => checkGrpcHealth({ host: "127.0.0.1", port, service }, signal);
const answering =
  (message: readonly number[], status = "0", text = "") =>
  (stream: ServerHttp2Stream): void => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status, "grpc-message": text }));
    stream.end(Buffer.from([0, 0, 0, 0, message.length, ...message]));
  };

test.each([
  [[8, 1], "SERVING"],
  [[8, 2], "NOT_SERVING"],
  [[8, 3], "SERVICE_UNKNOWN"],
  [[], "UNKNOWN"],
])("%j is %s", async (message, expected) => {
  respond = answering(message);
  expect(await check("x".repeat(200))).toBe(expected);
  expect(asked).toEqual(Buffer.concat([Buffer.from([0, 0, 0, 0, 203, 10, 200, 1]), Buffer.from("x".repeat(200))]));
});

test("the server as a whole is asked by an empty message", async () => {
  respond = answering([8, 1]);
  expect(await check()).toBe("SERVING");
  expect([...asked]).toEqual([0, 0, 0, 0, 0]);
});

test("errors of the server, of the connection, and its silence are told", async () => {
  respond = (stream) => stream.respond({ ":status": 200, "grpc-status": "12", "grpc-message": "no such service" }, { endStream: true });
  await expect(check()).rejects.toThrow("this server does not implement the grpc health protocol (grpc.health.v1.Health): no such service");
  respond = answering([], "5", "unknown%20service");
  await expect(check()).rejects.toThrow("rpc error: code = 5 desc = unknown service");
  respond = () => {};
  await expect(check("", AbortSignal.timeout(50))).rejects.toThrow("timeout");
  await expect(checkGrpcHealth({ host: "127.0.0.1", port: 1, service: "" }, AbortSignal.timeout(5000))).rejects.toThrow("ECONNREFUSED");
});
