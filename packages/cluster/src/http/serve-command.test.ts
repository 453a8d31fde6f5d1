import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { text } from "node:stream/consumers";
import type { CommandStreams } from "@sluice/client";
import { ApiError } from "@sluice/kubernetes";
import { afterEach, describe, expect, test } from "vitest";
import type { ExecOptions } from "../api-server/api-server.ts";
import { openConnections, podPath, type ConnectionWorld } from "./connections.fixture.ts";

const V5 = ["v5.channel.k8s.io"];
const STATUS = 3;
let world: ConnectionWorld;
afterEach(async () => {
  const { errors } = world;
  await world[Symbol.asyncDispose]();
  expect(errors).toEqual([]);
});

/** A node whose commands are a function. */
async function commands(run: (streams: CommandStreams, options: ExecOptions) => Promise<number>): Promise<void> {
  world = await openConnections({ exec: async (_pod, options) => (streams) => run(streams, options) });
}

const exec = (query: Record<string, string | string[]> = {}): string =>
  podPath(
    "exec",
    Object.entries({ container: "main", command: ["do", "it"], ...query }).flatMap(([name, values]) =>
      [values].flat().map((value) => [name, value] as const),
    ),
  );

describe("a command", () => {
  test("gets its words and its streams, and its success is told", async () => {
    let seen: unknown;
    await commands(async ({ stdin, stdout, stderr, sizes }, options) => {
      seen = { ...options, sizes };
      stderr?.write("complaint");
      stdout?.write((await text(stdin ?? Readable.from([]))).toUpperCase());
      return 0;
    });
    const client = await world.open(exec({ stdin: "true" }), V5);
    client.send(0, "some ");
    client.send(0, "words");
    client.socket.send(Buffer.of(255, 0));
    const got = await client.closed;
    expect(seen).toEqual({ container: "main", command: ["do", "it"], tty: false, sizes: undefined });
    expect(got.get(1)).toBe("SOME WORDS");
    expect(got.get(2)).toBe("complaint");
    expect(JSON.parse(got.get(STATUS) ?? "")).toEqual({ metadata: {}, status: "Success" });
  });

  test("that fails tells its exit code where clients look for it", async () => {
    await commands(async () => 7);
    const got = await (await world.open(exec(), V5)).closed;
    expect(JSON.parse(got.get(STATUS) ?? "")).toMatchObject({
      status: "Failure",
      reason: "NonZeroExitCode",
      details: { causes: [{ reason: "ExitCode", message: "7" }] },
    });
  });

  test("that cannot run says why", async () => {
    await commands(() => Promise.reject(new ApiError("InternalError", "there is no such program")));
    const got = await (await world.open(exec(), V5)).closed;
    expect(JSON.parse(got.get(STATUS) ?? "")).toMatchObject({ status: "Failure", reason: "InternalError", message: "there is no such program" });
  });

  test("hears of each size of the client's terminal", async () => {
    const sizes: unknown[] = [];
    await commands(async (streams) => {
      for await (const size of streams.sizes ?? []) if (sizes.push(size) === 2) break;
      return 0;
    });
    const client = await world.open(exec({ tty: "true", stdin: "true" }), V5);
    for (const nonsense of ["{half", "{half}", '{"Width":-1,"Height":1e9}']) client.send(4, nonsense);
    client.send(4, '{"Width":80,"Height":24}');
    client.send(4, '{"width":100,"height":30}');
    await client.closed;
    expect(sizes).toEqual([
      { width: 80, height: 24 },
      { width: 100, height: 30 },
    ]);
  });

  test("is told when its client goes", async () => {
    const aborted = Promise.withResolvers<void>();
    await commands(async ({ signal }) => {
      await once(signal, "abort");
      aborted.resolve();
      return 137;
    });
    (await world.open(exec(), V5)).socket.terminate();
    await expect(aborted.promise).resolves.toBeUndefined();
  });

  test("ends when the server stops", async () => {
    const aborted = Promise.withResolvers<void>();
    await commands(async ({ signal }) => {
      await once(signal, "abort");
      aborted.resolve();
      return 137;
    });
    const client = await world.open(exec(), V5);
    const [, , got] = await Promise.all([world[Symbol.asyncDispose](), aborted.promise, client.closed]);
    expect(got.has(STATUS)).toBe(false);
  });

  test("writes no faster than its client reads, and nothing is lost", async () => {
    let written = 0;
    await commands(async ({ stdout }) => {
      const chunk = Buffer.alloc(64 * 1024, "x");
      const source = function* (): Generator<Buffer> {
        for (let i = 0; i < 1000; i++) {
          written += chunk.length;
          yield chunk;
        }
      };
      if (stdout !== undefined) await pipeline(Readable.from(source()), stdout);
      return 0;
    });
    const client = await world.open(exec(), V5);
    client.socket.pause();
    // What the sockets hold is full once nothing moves any more.
    for (let before = -1; before !== written;) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(written).toBeLessThan(32 * 1024 * 1024);
    client.socket.resume();
    const got = await client.closed;
    expect(got.get(1)?.length).toBe(1000 * 64 * 1024);
  });

  test("is reached by the older protocols", async () => {
    await commands(async ({ stdout, stdin }) => {
      const [line] = (await once(stdin ?? Readable.from([]), "data")) as [Buffer];
      stdout?.write(`said ${line.toString()}`);
      return 0;
    });
    const binary = await world.open(exec({ stdin: "true" }), ["v4.channel.k8s.io"]);
    binary.send(0, "x");
    expect((await binary.closed).get(1)).toBe("said x");
    const base64 = await world.open(exec({ stdin: "true" }), ["v4.base64.channel.k8s.io"]);
    base64.socket.send(`0${Buffer.from("y").toString("base64")}`);
    const got = await base64.closed;
    expect(Buffer.from(got.get("1".charCodeAt(0)) ?? "", "base64").toString()).toBe("said y");
  });
});

test("what is wrong with a request is said before anything is connected", async () => {
  world = await openConnections(
    { exec: () => Promise.reject(new ApiError("InternalError", "container not found")), attach: () => Promise.resolve(() => Promise.resolve(0)) },
    // Who may only read must not run anything.
    { authorize: ({ username }, { verb }) => ({ allowed: username === "admin" || (username === "reader" && verb === "get"), reason: "" }) },
  );
  const main: [string, string][] = [
    ["container", "main"],
    ["command", "x"],
  ];
  const refusals: [string, object, string?][] = [
    [podPath("exec", main, "absent"), { code: 404, reason: "NotFound" }],
    [podPath("exec", main, "unscheduled"), { code: 400, message: "pod unscheduled does not have a host assigned" }],
    [podPath("exec", main, "elsewhere"), { code: 503 }],
    [podPath("exec", [["command", "x"]]), { code: 400, message: "a container name must be specified for pod p, choose one of: [main side]" }],
    [podPath("exec", [["container", "none"], ...main.slice(1)]), { code: 400, message: "container none is not valid for pod p" }],
    [podPath("exec", main.slice(0, 1)), { code: 400, message: "you must specify at least one command for the container" }],
    [podPath("exec", [...main, ["stdout", "false"], ["stderr", "false"]]), { code: 400, message: expect.stringContaining("at least 1 of stdin") }],
    [podPath("exec", main), { code: 500, message: "container not found" }],
    [podPath("attach", main), { code: 403 }, "reader"],
    [podPath("exec", main), { code: 403 }, "stranger"],
    ["/api/v1/namespaces/default/pods/p/nothing/exec", { code: 404 }],
  ];
  for (const [path, refusal, token = "admin"] of refusals) await expect(world.open(path, V5, { token }), path).rejects.toMatchObject(refusal);
  await expect(world.open(podPath("attach", main), ["v9.channel.k8s.io"])).rejects.toMatchObject({ code: 400 });
});

test("a client that talks nonsense is hung up on, and nobody else", async () => {
  await commands(async ({ signal }) => {
    await once(signal, "abort");
    return 1;
  });
  for (const bytes of [Buffer.from([0xff, 0xff, 0, 0]), Buffer.from("GET / HTTP/1.1\r\n\r\n")]) {
    const client = await world.open(exec({ stdin: "true" }), V5);
    (client.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(bytes);
    await client.closed;
  }
  const client = await world.open(exec({ tty: "true" }), V5);
  client.send(4, "{}");
  client.send(4, "no size at all");
  client.send(77, "no channel of ours");
  client.socket.send(Buffer.of(255));
  client.socket.send(Buffer.alloc(0));
  client.socket.close();
  expect([...(await client.closed).keys()]).toEqual([]);
});

test("without an upgrade there is nothing to answer", async () => {
  await commands(async () => 0);
  await expect(world.world.respond("GET", "/api/v1/namespaces/default/pods/p/exec", { query: { container: "main", command: "x" } })).rejects.toThrow(
    /connect/,
  );
  const socket = await world.raw();
  socket.write(`GET ${exec()} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer admin\r\nconnection: close\r\n\r\n`);
  expect(await text(socket)).toMatch(/400 Bad Request[^]*Upgrade request required/);
});
