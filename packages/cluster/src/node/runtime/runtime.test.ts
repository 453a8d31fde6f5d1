import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../eventually.fixture.ts";
import type { HostCommand } from "../sandbox/sandbox.ts";
import { ContainerProcess, findProcess, type ContainerProcessOptions } from "./container-process.ts";
import { Launcher } from "./launcher.ts";
import { bootId } from "./process-identity.ts";
import { openStartJournal } from "./start-journal.ts";
import { supervisorOf } from "./supervisor.ts";

let home: string;
let launcher: Launcher;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "sluice-runtime-"));
  launcher = new Launcher();
});
afterEach(async () => {
  await launcher[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const shell = (script: string, env: Record<string, string> = {}): HostCommand => ({
  argv: ["sh", "-c", script],
  env: { PATH: process.env["PATH"] ?? "", ...env },
  cwd: home,
});
const attempt = (): string => mkdtempSync(join(home, "attempt-"));
const options = (): ContainerProcessOptions => ({
  launcher,
  signal: async (pid, signal) => void process.kill(pid, signal),
  onLog: () => {},
  now: () => Date.now(),
});
const limits = { signal: new AbortController().signal, maxBytes: 100 };

describe("the launcher", () => {
  test("runs commands to their end, and tells what they said", async () => {
    expect(await launcher.run(shell("echo out; echo err >&2; exit 3"), limits)).toEqual({ exitCode: 3, output: "out\nerr\n" });
    expect((await launcher.run(shell("yes"), { signal: AbortSignal.timeout(200), maxBytes: 100 })).output).toHaveLength(100);
    await expect(launcher.run({ argv: ["no-such-command"], env: {}, cwd: home }, limits)).rejects.toThrow("ENOENT");
  });

  test("kills a command with all that it has started", async () => {
    const late = join(home, "late");
    const { exitCode } = await launcher.run(shell(`(sleep 0.6; touch ${late}) & wait`), { signal: AbortSignal.timeout(200), maxBytes: 100 });
    expect(exitCode).toBe(137);
    await launcher.run(shell("sleep 0.7"), limits);
    expect(existsSync(late)).toBe(false);
  });

  test("that dies is replaced, and what it has launched runs on", async () => {
    const directory = attempt();
    const handle = ContainerProcess.start(directory, shell("while ! [ -e go ]; do sleep 0.05; done; exit 6"), options());
    expect(await handle.started).toBeGreaterThan(0);
    const parent = Number((await launcher.run(shell("echo $PPID"), limits)).output);
    process.kill(parent, "SIGKILL");
    await eventually(() =>
      launcher.run(shell("echo $PPID"), limits).then(
        ({ output }) => output,
        () => "",
      ),
    ).not.toBe("");
    writeFileSync(join(home, "go"), "");
    expect(await handle.ended).toMatchObject({ exitCode: 6, how: "exited" });
  });
});

describe("an attempt", () => {
  test("that was abandoned never runs, though its supervisor comes late", async () => {
    const directory = attempt();
    expect(findProcess(directory)).toBe("unclaimed");
    await launcher.run(supervisorOf(directory, shell("touch ran")), limits);
    expect(existsSync(join(home, "ran"))).toBe(false);
    expect(findProcess(directory)).toBe("unclaimed");
  });

  test("runs once, though two supervisors are started for it", async () => {
    const directory = attempt();
    const command = supervisorOf(directory, shell("echo x >> runs; sleep 0.1"));
    await Promise.all([launcher.run(command, limits), launcher.run(command, limits)]);
    expect(readFileSync(join(home, "runs"), "utf8")).toBe("x\n");
    expect(findProcess(directory)).toBe("ended");
  });

  test("may be looked after while it is still being started", async () => {
    const handle = ContainerProcess.start(attempt(), shell("exit 0"), options());
    let hasEnded = false;
    void handle.ended.then(() => (hasEnded = true));
    while (!hasEnded) {
      handle.checkSupervisor();
      await new Promise(setImmediate);
    }
    expect(await handle.ended).toMatchObject({ exitCode: 0, how: "exited" });
  });

  test("whose supervisor was killed is noticed, though it was adopted", async () => {
    const directory = attempt();
    const first = ContainerProcess.start(directory, shell("while :; do sleep 0.05; done"), options());
    await first.started;
    first.release();
    const handle = ContainerProcess.adopt(directory, options());
    handle.checkSupervisor();
    process.kill(-Number.parseInt(readFileSync(join(directory, "supervisor"), "utf8"), 10), "SIGKILL");
    await eventually(() => {
      handle.checkSupervisor();
      return Promise.race([handle.ended, Promise.resolve(undefined)]);
    }).toMatchObject({ exitCode: 137, how: "lost" });
  });

  test("whose command cannot be started says so", async () => {
    const missing = ContainerProcess.start(attempt(), { ...shell("true"), cwd: join(home, "nowhere") }, options());
    expect(await missing.started).toBeUndefined();
    expect(await missing.ended).toMatchObject({ exitCode: 128, how: "cannotRun" });
  });

  test("gets its environment whole, and nothing else", async () => {
    const directory = attempt();
    const env = { A: "a b'\"$x\n", "dashed-name": "1", IFS: ",", EMPTY: "" };
    const handle = ContainerProcess.start(directory, { argv: [process.execPath, "-p", "JSON.stringify(process.env)"], env, cwd: home }, options());
    expect(await handle.ended).toMatchObject({ exitCode: 0 });
    const { PWD: _, OLDPWD: __, SHLVL: ___, _: ____, ...seen } = JSON.parse(readFileSync(join(directory, "log"), "utf8")) as Record<string, string>;
    expect(seen).toEqual(env);
  });
});

test("the journal remembers what was about to start, of the pods that are still there", async () => {
  const path = join(home, "journal");
  {
    await using journal = await openStartJournal(path, new Set());
    await Promise.all([journal.record("p", "main", 0), journal.record("q", "main", 0), journal.record("p", "side", 1)]);
    await journal.record("p", "main", 1);
  }
  writeFileSync(path, `${readFileSync(path, "utf8")}{"pod":"p","cont`);
  await using journal = await openStartJournal(path, new Set(["p"]));
  const boot = bootId();
  expect(journal.entriesOf("p")).toEqual([
    { pod: "p", container: "main", index: 0, boot },
    { pod: "p", container: "side", index: 1, boot },
    { pod: "p", container: "main", index: 1, boot },
  ]);
  expect(journal.entriesOf("q")).toEqual([]);
});
