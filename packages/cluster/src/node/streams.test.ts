import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { createHash } from "node:crypto";
import type { CommandStreams, RemoteCommand } from "@sluice/client";
import { Pod } from "@sluice/kubernetes";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "./eventually.fixture.ts";
import { logOf, openWorld, podOn, shell, untilPhase, untilPod, statusOf, type World } from "./world.fixture.ts";

const directory = mkdtempSync(join(tmpdir(), "node-streams-"));
let world: World;
beforeAll(async () => {
  const program = { image: "inner", run: ({ signal }: { signal: AbortSignal }) => once(signal, "abort").then(() => 0) };
  world = await openWorld({ directory, programs: [program] });
});
afterEach(() => world.clear());
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const key = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });

async function running(name: string, ...containers: ReturnType<typeof shell>[]): Promise<void> {
  await world.client.create(
    Pod,
    podOn(name, { containers: containers.length === 0 ? [shell("exec sleep 1000")] : containers, terminationGracePeriodSeconds: 0 }),
  );
  await untilPod(world.client, name, (pod) => pod?.status?.phase === "Running" && statusOf(pod).state?.running !== undefined);
}

const exec = (name: string, ...command: string[]): Promise<RemoteCommand> => world.node.exec(key(name), { container: "main", command, tty: false });

async function finish(run: RemoteCommand, streams: Partial<CommandStreams> = {}): Promise<{ exitCode: number; out: string; err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const [exitCode, out, err] = await Promise.all([
    run({ stdout, stderr, signal: new AbortController().signal, ...streams }),
    streams.stdout === undefined ? text(stdout) : "",
    text(stderr),
  ]);
  return { exitCode, out, err };
}

describe("a command in a container", () => {
  test("tells what it writes, and its exit code", async () => {
    await running("told");
    expect(await finish(await exec("told", "sh", "-c", "echo out; echo err >&2; exit 7"))).toEqual({ exitCode: 7, out: "out\n", err: "err\n" });
    expect((await finish(await exec("told", "sh", "-c", "kill -TERM $$"))).exitCode).toBe(143);
  });

  test("reads its input to the end, and no more than it wants", async () => {
    await running("input");
    expect(await finish(await exec("input", "cat"), { stdin: Readable.from(["one ", "two"]) })).toMatchObject({ exitCode: 0, out: "one two" });
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(64 * 1024, "x\n");
      })(),
    );
    expect(await finish(await exec("input", "head", "-n", "1"), { stdin: endless })).toMatchObject({ exitCode: 0, out: "x\n" });
    expect(await finish(await exec("input", "cat"))).toMatchObject({ exitCode: 0, out: "" });
  });

  test("passes bytes of all kinds, as slowly as they are taken", async () => {
    await running("bytes");
    const hash = createHash("sha256");
    const slow = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        hash.update(chunk);
        setImmediate(done);
      },
    });
    const script = "head -c 20000000 /dev/urandom > data; sha256sum < data >&2; cat data; rm data";
    const { err } = await finish(await exec("bytes", "sh", "-c", `cd '${directory}' && ${script}`), { stdout: slow });
    expect(err.split(" ")[0]).toBe(hash.digest("hex"));
  });

  test("goes with its client, and all that it has started", async () => {
    await running("gone");
    const client = new AbortController();
    const marks = ["one", "two"].map((name) => join(directory, name));
    const script = marks.map((mark) => `(trap '' HUP TERM; while :; do touch '${mark}'; sleep 0.01; done) &`).join(" ");
    const end = finish(await exec("gone", "sh", "-c", `${script} wait`), { signal: client.signal }).catch(() => "gone");
    await eventually(() => marks.every((mark) => existsSync(mark))).toBe(true);
    client.abort();
    await end;
    // Whoever lives on touches them again.
    await eventually(async () => {
      for (const mark of marks) rmSync(mark, { force: true });
      await finish(await exec("gone", "sleep", "0.1"));
      return marks.filter((mark) => existsSync(mark));
    }).toEqual([]);
  });

  test("that cannot run says why", async () => {
    await running("cannot");
    await expect(finish(await exec("cannot", "no-such-program"))).rejects.toMatchObject({
      reason: "InternalError",
      message: expect.stringMatching(/executable file not found/),
    });
    await expect(exec("nobody", "ls")).rejects.toMatchObject({ code: 500, message: expect.stringContaining("container not found") });
    await world.client.create(Pod, podOn("over", { containers: [shell("true")] }));
    await untilPhase(world.client, "over", "Succeeded");
    await expect(exec("over", "ls")).rejects.toMatchObject({ code: 500 });
    await running("inner", { name: "main", image: "inner" });
    await expect(exec("inner", "ls")).rejects.toMatchObject({ code: 400, message: expect.stringMatching(/part of the node's own program/) });
  });
});

describe("a container's own process", () => {
  const ECHO = 'while read line; do echo "said $line"; done; echo "end"';

  test("is written to by one client after the other, and sees no end between them", async () => {
    await running("shared", shell(ECHO, { stdin: true }));
    for (const word of ["one", "two"]) {
      const client = new AbortController();
      const stdin = new PassThrough();
      const stdout = new PassThrough();
      const end = (await world.node.attach(key("shared"), { container: "main", stdin: true }))({ stdin, stdout, signal: client.signal });
      stdin.end(`${word}\n`);
      const [line] = (await once(stdout, "data")) as [Buffer];
      expect(line.toString()).toBe(`said ${word}\n`);
      client.abort();
      await end;
    }
    expect(await logOf(world, "shared")).toBe("said one\nsaid two\n");
  });

  test("that is made for one client shows it all, and ends with its input", async () => {
    await running("once", shell(`echo hello; ${ECHO}; exit 3`, { stdin: true, stdinOnce: true }));
    const attached = await world.node.attach(key("once"), { container: "main", stdin: true });
    expect(await finish(attached, { stdin: Readable.from(["last\n"]) })).toMatchObject({ exitCode: 0, out: "hello\nsaid last\nend\n" });
    expect(statusOf(await untilPhase(world.client, "once", "Failed")).state?.terminated?.exitCode).toBe(3);
  });

  test("is joined again by the next node", async () => {
    await running("adopted", shell(ECHO, { stdin: true, stdinOnce: true }));
    await world.restartNode();
    const attached = await world.node.attach(key("adopted"), { container: "main", stdin: true });
    expect((await finish(attached, { stdin: Readable.from(["again\n"]) })).out).toBe("said again\nend\n");
  });

  test("that takes no input is watched from now on", async () => {
    const go = join(directory, "go");
    await running("watched", shell(`echo before; until [ -e '${go}' ]; do sleep 0.01; done; echo after`));
    await eventually(() => logOf(world, "watched")).toBe("before\n");
    const attached = await world.node.attach(key("watched"), { container: "main", stdin: true });
    const end = finish(attached, { stdin: Readable.from(["ignored\n"]) });
    await finish(await exec("watched", "touch", go));
    expect((await end).out).toBe("after\n");
  });
});

test("a port of a pod is dialled, and refuses in its own words", async () => {
  const server = createServer((socket) => socket.end("here"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await running("ports");
  expect(await text(await world.node.dial(key("ports"), port))).toBe("here");
  server.close();
  await expect(world.node.dial(key("ports"), port)).rejects.toThrow(/ECONNREFUSED/);
});
