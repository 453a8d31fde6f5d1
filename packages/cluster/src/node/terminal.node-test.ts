import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type { RemoteCommand } from "@sluice/client";
import { systemClock } from "@sluice/controller";
import { Pod } from "@sluice/kubernetes";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSandboxes, type Sandboxes } from "./sandbox/index.ts";
import { openWorld, podOn, shell, statusOf, untilPhase, untilPod, type World } from "./world.fixture.ts";

describe.each([["namespaces"], ["none"]] as const)("isolation %s", (isolation) => {
  const directory = mkdtempSync(join(tmpdir(), "node-terminal-"));
  let sandboxes: Sandboxes;
  let world: World;
  beforeAll(async () => {
    const quiet = { info: () => {}, warn: () => {}, error: () => {} };
    const path = process.env["PATH"] ?? "";
    const allow = { isolation: isolation === "namespaces" };
    sandboxes = await openSandboxes({ directory: join(directory, "sandboxes"), hidden: [directory], path, allow, clock: systemClock, logger: quiet });
    expect(sandboxes.features.isolation, sandboxes.features.missing.join("\n")).toBe(isolation);
    world = await openWorld({ directory, sandboxes });
  });
  afterAll(async () => {
    await world.clear();
    await world[Symbol.asyncDispose]();
    await sandboxes.retain(new Set());
    await sandboxes[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  const key = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });

  async function running(name: string, container: ReturnType<typeof shell>): Promise<void> {
    await world.client.create(Pod, podOn(name, { containers: [container], terminationGracePeriodSeconds: 1 }));
    await untilPod(world.client, name, (pod) => pod?.status?.phase === "Running" && statusOf(pod).state?.running !== undefined);
  }

  /** What a person at a terminal sees and does. */
  function sit(run: RemoteCommand): {
    type(keys: string): void;
    resize(width: number, height: number): void;
    see(pattern: RegExp): Promise<string>;
    readonly exitCode: Promise<number>;
    leave(): void;
  } {
    const [stdin, stdout, sizes] = [new PassThrough(), new PassThrough(), new PassThrough({ objectMode: true })];
    const client = new AbortController();
    let screen = "";
    let look = (): void => {};
    stdout.on("data", (chunk: Buffer) => {
      screen += chunk.toString();
      look();
    });
    sizes.write({ width: 91, height: 23 });
    return {
      type: (keys) => void stdin.write(keys),
      resize: (width, height) => void sizes.write({ width, height }),
      see: (pattern) =>
        new Promise((resolve) => {
          look = () => {
            const found = pattern.exec(screen);
            if (found === null) return;
            screen = screen.slice(found.index + found[0].length);
            resolve(found[0]);
          };
          look();
        }),
      exitCode: run({ stdin, stdout, sizes, signal: client.signal }),
      leave: () => client.abort(),
    };
  }

  test("a command has a terminal of the client's size, whose keys have their meaning", async () => {
    await running("exec", shell("exec sleep 1000"));
    const run = await world.node.exec(key("exec"), { container: "main", command: ["bash", "--norc"], tty: true });
    const seat = sit(run);
    await seat.see(/bash-[\d.]+[#$] /);
    seat.type("stty size; tty; echo $TERM\n");
    await seat.see(/23 91\r\n\/dev\/pts\/\d+\r\nxterm\r\n/);
    seat.resize(120, 40);
    seat.type("until [ \"$(stty size)\" = '40 120' ]; do sleep 0.01; done; echo re''sized\n");
    await seat.see(/resized/);
    // Only once it runs is it the one that the key interrupts.
    seat.type("sh -c 'echo sle\"\"eping; exec sleep 1000'\n");
    await seat.see(/sleeping/);
    seat.type("\x03");
    seat.type("echo status $?\n");
    await seat.see(/status 130/);
    seat.type("sleep 1000 & jobs; kill %1; exit 9\n");
    await seat.see(/\[1\]\+\s+Running/);
    expect(await seat.exitCode).toBe(9);
  });

  test("a command that is not a shell sees the first size, too", async () => {
    await running("size", shell("exec sleep 1000"));
    const seat = sit(await world.node.exec(key("size"), { container: "main", command: ["stty", "size"], tty: true }));
    await seat.see(/23 91/);
    expect(await seat.exitCode).toBe(0);
  });

  test("a terminal goes with its client", async () => {
    await running("gone", shell("exec sleep 1000"));
    const seat = sit(
      await world.node.exec(key("gone"), {
        container: "main",
        command: ["sh", "-c", "trap '' HUP INT TERM; echo up; sleep 4321; sleep 4321"],
        tty: true,
      }),
    );
    await seat.see(/up/);
    seat.leave();
    await seat.exitCode.catch(() => undefined);
    const stdout = new PassThrough();
    const look = await world.node.exec(key("gone"), { container: "main", command: ["sh", "-c", "ps -ef | grep '[s]leep 4321' | wc -l"], tty: false });
    const [, count] = await Promise.all([look({ stdout, signal: new AbortController().signal }), text(stdout)]);
    expect(count.trim()).toBe("0");
  });

  test("a container's own terminal can be joined, and ends with its exit code", async () => {
    await running("own", { ...shell(""), command: ["sh"], stdin: true, stdinOnce: true, tty: true });
    const seat = sit(await world.node.attach(key("own"), { container: "main", stdin: true }));
    seat.type("until [ \"$(stty size)\" = '23 91' ]; do sleep 0.01; done; echo read''y\n");
    await seat.see(/ready/);
    seat.type("exit 5\n");
    expect(await seat.exitCode).toBe(0);
    expect(statusOf(await untilPhase(world.client, "own", "Failed")).state?.terminated?.exitCode).toBe(5);
  });

  test("a port on the pod's loopback is reached, and ends when it does", async () => {
    const script =
      "require('net').createServer({ allowHalfOpen: true }, (s) => s.on('end', () => s.end('heard')).resume()).listen(PORT, '127.0.0.1', () => console.log('up'))";
    const port = 20_000 + (process.pid % 10_000);
    await running("loopback", { name: "main", image: "node", command: ["node", "-e", script.replace("PORT", String(port))] });
    for await (const _ of await world.node.log(key("loopback"), { follow: true })) break;
    const stream = await world.node.dial(key("loopback"), port);
    stream.end("question");
    expect(await text(stream)).toBe("heard");
    await expect(world.node.dial(key("loopback"), port + 1)).rejects.toThrow(/ECONNREFUSED/);
  });
});
