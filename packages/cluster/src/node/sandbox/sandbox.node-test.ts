import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bubblewrapCommand } from "./bubblewrap.ts";
import { readHostView } from "./host-view.ts";
import type { Sandbox, SandboxProcess } from "./sandbox.ts";
import { finish, openTrial, podNamed, start, type Trial } from "./trial.fixture.ts";

const process_ = (argv: readonly string[], more: Partial<SandboxProcess> = {}): SandboxProcess => ({
  // Also the name of a file in a pod's directory.
  container: "hosts",
  argv,
  env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
  mounts: [],
  limits: {},
  ...more,
});
const shell = (script: string, more?: Partial<SandboxProcess>): SandboxProcess => process_(["sh", "-c", script], more);

describe.each([["namespaces"], ["none"]] as const)("isolation %s", (isolation) => {
  let trial: Trial;
  let sandbox: Sandbox;
  beforeEach(async () => {
    trial = await openTrial({ allow: { isolation: isolation === "namespaces" } });
    expect(trial.sandboxes.features.isolation, trial.sandboxes.features.missing.join("\n")).toBe(isolation);
    sandbox = await trial.sandboxes.ensure(podNamed("p", { domainName: "p.sub.default.svc.cluster.local" }));
  });
  afterEach(() => trial[Symbol.asyncDispose]());

  test("a process finds its volumes where the container has them", async () => {
    const volume = join(trial.directory, "volume");
    mkdirSync(volume);
    writeFileSync(join(volume, "in"), "from outside");
    const mounts = [
      { source: volume, target: "/data/", readOnly: false },
      { source: volume, target: "/usr/share/not/there", readOnly: true },
    ];
    const script = "cat /data/in; echo; cat /usr/share/not/there/in; echo; cat $FROM > /data/out; cat /tmp/x; pwd";
    const { code, output } = await finish(sandbox.command(shell(script, { mounts, env: { PATH: "/usr/bin:/bin", FROM: "/data/in" } })));
    expect(code).toBe(0);
    expect(output).toContain("from outside\nfrom outside");
    expect(readFileSync(join(volume, "out"), "utf8")).toBe("from outside");
  });

  test("its working directory is there and can be written, and so is /tmp", async () => {
    const { code, output } = await finish(
      sandbox.command(shell("touch here && echo x > /tmp/y && cat /tmp/y && mktemp -d", { workingDirectory: "/work/it" })),
    );
    expect({ code, output }).toEqual({ code: 0, output: expect.stringMatching(/^x\n.*\/tmp/) });
  });

  test("each start has a /tmp of its own", async () => {
    expect(await finish(sandbox.command(shell("echo x > /tmp/y")))).toMatchObject({ code: 0 });
    expect(await finish(sandbox.command(shell("cat /tmp/y")))).not.toMatchObject({ code: 0 });
  });

  test("it ends by its exit code, by SIGTERM with its usual effect, by a trap, and by SIGKILL with its children", async () => {
    expect(await finish(sandbox.command(shell("exit 7")))).toMatchObject({ code: 7 });
    for (const [script, signal, expected] of [
      ["echo up; exec sleep 1000", "SIGTERM", [143, "SIGTERM"]],
      ["trap 'exit 9' TERM; echo up; sleep 1000 & wait", "SIGTERM", [9]],
      ["trap '' TERM; echo up; sleep 1000 & wait", "SIGKILL", [137, "SIGKILL"]],
    ] as const) {
      const child = start(sandbox.command(shell(script)));
      const exit = once(child, "exit");
      await once(child.stdout ?? child, "data");
      await sandbox.signal(child.pid ?? 0, signal);
      const [code, by] = (await exit) as [number | null, string | null];
      expect(expected).toContain(code ?? by);
    }
    await sandbox.signal(2 ** 22 + 1, "SIGKILL");
  });

  test("another command runs beside it and sees what it sees", async () => {
    const child = start(sandbox.command(shell("echo mine > /tmp/note; echo up; exec sleep 1000")));
    const closed = once(child, "close");
    await once(child.stdout ?? child, "data");
    const exec = (script: string, more?: Partial<SandboxProcess>): ReturnType<typeof finish> =>
      finish(sandbox.exec(child.pid ?? 0, shell(script, more)));
    expect(await exec("cat /tmp/note; echo $X", { env: { PATH: "/usr/bin:/bin", X: "y", LD_UNUSED: "z" } })).toEqual({ code: 0, output: "mine\ny" });
    expect(await exec("exit 3")).toMatchObject({ code: 3 });
    await sandbox.signal(child.pid ?? 0, "SIGKILL");
    await closed;
  });

  test("removal kills what is left, as does a later process for pods it does not know", async () => {
    const child = start(sandbox.command(shell("trap '' TERM; echo up; sleep 1000 & sleep 1000")));
    const closed = once(child, "close");
    await once(child.stdout ?? child, "data");
    await trial.sandboxes.remove("uid-p");
    await closed;
    await trial.sandboxes.remove("uid-p");

    const next = await trial.sandboxes.ensure(podNamed("q"));
    const other = start(next.command(shell("echo up; sleep 1000 & sleep 1000")));
    const otherClosed = once(other, "close");
    await once(other.stdout ?? other, "data");
    const later = await trial.reopen();
    await later.retain(new Set(["uid-q"]));
    expect(existsSync(join(trial.directory, "pods", "uid-q"))).toBe(true);
    expect((await later.ensure(podNamed("q"))).podIp).toBe(next.podIp);
    await later.retain(new Set());
    await otherClosed;
    expect(existsSync(join(trial.directory, "pods", "uid-q"))).toBe(false);
  });

  test("memory above the limit kills, and is told from other ends", async () => {
    expect(trial.sandboxes.features.limits, trial.sandboxes.features.missing.join("\n")).not.toBe("none");
    const limits = { memoryBytes: 64 * 2 ** 20 };
    expect(await finish(sandbox.command(shell("kill -9 $$", { limits })))).not.toMatchObject({ code: 0 });
    expect(await sandbox.wasOutOfMemory("hosts")).toBe(false);
    await finish(sandbox.command(process_(["tail", "/dev/zero"], { limits })));
    expect(await sandbox.wasOutOfMemory("hosts")).toBe(true);
    await finish(sandbox.command(shell("true", { limits })));
    expect(await sandbox.wasOutOfMemory("hosts")).toBe(false);
  });

  test("half a processor is half a processor", async () => {
    const script = "a=$(date +%s%N); b=$a; while [ $((b-a)) -lt 1000000000 ]; do b=$(date +%s%N); done; times";
    const { output } = await finish(sandbox.command(shell(script, { limits: { cpuMillis: 200 } })));
    const seconds = [...output.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
      (sum, [, minutes = "0", rest = "0"]) => sum + Number(minutes) * 60 + Number(rest),
      0,
    );
    expect(seconds).toBeLessThan(0.45);
  });
});

describe("with namespaces", () => {
  let trial: Trial;
  let sandbox: Sandbox;
  beforeEach(async () => {
    trial = await openTrial();
    expect(trial.sandboxes.features.isolation, trial.sandboxes.features.missing.join("\n")).toBe("namespaces");
    sandbox = await trial.sandboxes.ensure(podNamed("p", { domainName: "p.sub.default.svc.cluster.local" }));
  });
  afterEach(() => trial[Symbol.asyncDispose]());
  const output = async (script: string, more?: Partial<SandboxProcess>): Promise<string> =>
    (await finish(sandbox.command(shell(script, more)))).output;

  test("it sees nothing of other processes, of homes, of secrets and of the data directory", async () => {
    expect(await output("ls -A /home /root")).toBe("/home:\n\n/root:");
    expect(await output("ls /etc/shadow /etc/ssh /etc/ssl/private 2>&1 | grep -vc cannot")).toBe("0");
    expect(await output(`ls ${trial.directory} 2>&1 || echo hidden`)).toContain("hidden");
    expect(await output("ls /proc | grep -c '^[0-9]'")).toMatch(/^[2-9]$/);
    expect(await output("env")).not.toContain("SLUICE_POD_UID");
    expect(await output("touch /usr/x 2>&1")).toContain("Read-only");
    expect(await output("ls /dev/sda /dev/mem /dev/kmsg 2>&1 | grep -vc cannot")).toBe("0");
    expect(await output("touch /anywhere && mkdir /data && echo made")).toBe("made");
  });

  test("it has its own hostname and knows its own names", async () => {
    expect(await output("hostname")).toBe("p");
    expect(await output("cat /etc/hosts")).toContain(`${sandbox.podIp}\tp.sub.default.svc.cluster.local\tp`);
  });

  test("it runs as the user it should, with no more rights than a container's", async () => {
    expect(await output("id -u; id -g", { runAsUser: 1000 })).toBe("1000\n0");
    expect(await output("id -u; id -g", { runAsUser: 1000, runAsGroup: 2000 })).toBe("1000\n2000");
    expect(await output("grep CapEff /proc/self/status", { runAsUser: 1000 })).toMatch(/0{16}$/);
    expect(await output("grep CapEff /proc/self/status")).toMatch(/0{8}800425fb$/);
    expect(await output("echo x > /tmp/x && cat /tmp/x", { runAsUser: 1000 })).toBe("x");
    expect(
      await output("ls -d /run/secrets", { runAsUser: 1000, mounts: [{ source: "/etc/hostname", target: "/var/run/secrets/a/b", readOnly: true }] }),
    ).toBe("/run/secrets");
  });

  test("another command has the rights of the container and sees its processes", async () => {
    const child = start(sandbox.command(shell("echo up; exec sleep 1000", { workingDirectory: "/work" })));
    const closed = once(child, "close");
    await once(child.stdout ?? child, "data");
    const exec = (script: string, more?: Partial<SandboxProcess>): ReturnType<typeof finish> =>
      finish(sandbox.exec(child.pid ?? 0, shell(script, more)));
    expect((await exec("grep CapEff /proc/self/status")).output).toMatch(/0{8}800425fb$/);
    expect(await exec("id -u; grep -c '0000000000000000' /proc/self/status; hostname; pwd", { runAsUser: 1000 })).toEqual({
      code: 0,
      output: expect.stringMatching(/^1000\n[1-9]\np\n\/work$/),
    });
    expect((await exec("cat /proc/2/comm")).output).toBe("sleep");
    await sandbox.signal(child.pid ?? 0, "SIGTERM");
    await closed;
    expect(() => sandbox.exec(child.pid ?? 0, shell("true"))).toThrow("not running");
  });

  test("it dies with its parent, however that ends", async () => {
    const command = sandbox.command(shell("trap '' TERM HUP; echo up; sleep 1000 & sleep 1000"));
    const parent = start({ argv: ["sh", "-c", '"$@"; true', "sh", ...command.argv], env: command.env, cwd: command.cwd });
    // The pipe closes when the last process that holds it has gone.
    const closed = once(parent, "close");
    await once(parent.stdout ?? parent, "data");
    parent.kill("SIGKILL");
    await expect(closed).resolves.toBeDefined();
  });

  test("a user who is not root has user namespaces", async () => {
    const directory = join(trial.directory, "open");
    chmodSync(trial.directory, 0o755);
    mkdirSync(directory);
    const argv = bubblewrapCommand({
      program: "bwrap",
      view: readHostView(directory),
      hidden: [],
      mounts: [],
      hostname: "rootless",
      workingDirectory: "/",
      userNamespace: true,
      env: {},
      argv: ["sh", "-c", "id -u; hostname; touch /tmp/x && echo made"],
    });
    const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", ...argv];
    expect(await finish({ argv: asNobody, env: { PATH: "/usr/bin:/bin" }, cwd: "/" })).toEqual({ code: 0, output: "0\nrootless\nmade" });
  });
});
