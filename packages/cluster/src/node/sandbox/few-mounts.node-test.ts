import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Sandbox, SandboxMount, SandboxProcess } from "./sandbox.ts";
import { finish, openTrial, podNamed, type Trial } from "./trial.fixture.ts";

let trial: Trial;
let outside: string;
beforeEach(async () => {
  trial = await openTrial();
  expect(trial.sandboxes.features, trial.sandboxes.features.missing.join("\n")).toMatchObject({ network: "pod", missing: [] });
  outside = mkdtempSync(join(tmpdir(), "outside-"));
});
afterEach(async () => {
  await trial[Symbol.asyncDispose]();
  rmSync(outside, { recursive: true });
});

const shell = (script: string, mounts: readonly SandboxMount[] = []): SandboxProcess => ({
  container: "main",
  argv: ["sh", "-c", script],
  env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
  mounts,
  limits: {},
});
const nameIn = (sandbox: Sandbox, mounts: readonly SandboxMount[] = []): string | undefined =>
  sandbox
    .command(shell("true", mounts))
    .argv.find((word) => word.startsWith("--mount="))
    ?.slice("--mount=".length);
const nameOf = (sandbox: Sandbox): Promise<string> =>
  vi.waitFor(() => {
    const name = nameIn(sandbox);
    if (name === undefined) throw new Error("the namespace is not made yet");
    return name;
  });
const isMounted = (path: string): boolean => readFileSync("/proc/self/mountinfo", "utf8").includes(` ${path} `);

test("containers start among this machine's mounts without pods' networks, and see what the machine mounts later", async () => {
  const sandbox = await trial.sandboxes.ensure(podNamed("a"));
  const name = await nameOf(sandbox);
  const mounts = execFileSync("nsenter", [`--mount=${name}`, "cat", "/proc/self/mountinfo"], { encoding: "utf8" });
  expect(mounts).not.toContain("/run/netns");
  expect((await finish(sandbox.command(shell("echo $(hostname) in $(ls /usr/bin/env)")))).output).toBe("a in /usr/bin/env");

  const disk = join(outside, "disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", disk]);
  try {
    writeFileSync(join(disk, "file"), "mounted later");
    const process = shell("cat /data/file", [{ source: disk, target: "/data", readOnly: true }]);
    expect((await finish(sandbox.command(process))).output).toBe("mounted later");
    await nameOf(sandbox);
    expect((await finish(sandbox.command(process))).output).toBe("mounted later");
  } finally {
    execFileSync("umount", [disk]);
  }
});

test("a container that is shown pods' networks sees them", async () => {
  const sandbox = await trial.sandboxes.ensure(podNamed("a"));
  await nameOf(sandbox);
  for (const source of ["/run", "/run/netns"]) {
    const mount = { source, target: "/seen", readOnly: true };
    expect(nameIn(sandbox, [mount])).toBeUndefined();
  }
});

test("names stay as long as what starts by them may, and go with the last pod", async () => {
  const sandbox = await trial.sandboxes.ensure(podNamed("a"));
  const name = await nameOf(sandbox);
  const command = sandbox.command(shell("echo started"));
  await trial.reopen();
  const next = await nameOf(await (await trial.reopen()).ensure(podNamed("a")));
  expect(next).not.toBe(name);
  expect((await finish(command)).output).toBe("started");

  const last = await trial.reopen();
  await last.retain(new Set());
  await last[Symbol.asyncDispose]();
  expect(existsSync(dirname(name)) ? readdirSync(dirname(name)) : []).toEqual([]);
  expect(isMounted(dirname(name))).toBe(false);
});
