import { mkdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { eventually } from "../../eventually.fixture.ts";
import type { SandboxProcess } from "../../sandbox/sandbox.ts";
import { finish, openTrial, podNamed, start, type Trial } from "../../sandbox/trial.fixture.ts";
import { type OpenImages, openImages } from "../open-images.ts";
import { component } from "./component.fixture.ts";
import { WARM_VARIABLE } from "./warm-files.ts";

const INPUT = { inputs: { parameterValues: { code: 0 } }, outputs: { outputFile: "/tmp/out/output.json" } };

/** What the component below sees of itself. */
interface Seen {
  readonly namespaces: Readonly<Record<string, string>>;
  /** How many files it has open. */
  readonly open: number;
}

/** All by which a component could tell how it was started; first whether it was warm. */
const COMPONENT = `
import kfp
from kfp import dsl
from kfp.dsl import *

def look(code: int):
    import glob, json, locale, os, resource, signal, sys, time
    warm = "IDLE_SECONDS" in open("/proc/self/cmdline").read()
    status = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
    seen = {
        "status": {name: status[name] for name in ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "SigIgn", "SigBlk", "Umask")},
        "namespaces": {name: os.readlink("/proc/self/ns/" + name) for name in ("mnt", "pid", "net", "ipc", "uts", "user")},
        "groups": open("/proc/self/cgroup").read(),
        "environment": {name: value for name, value in os.environ.items() if name not in ("_", "${WARM_VARIABLE}", "SHLVL")},
        "where": [os.getcwd(), os.listdir("/"), os.uname().nodename],
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")},
        "python": [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.executable, sys.argv[0], sys.argv[2:], sys.path[1:], sys.flags.optimize, sys.dont_write_bytecode],
        "streams": [(stream.fileno(), stream.encoding, stream.errors, stream.line_buffering) for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "locale": [locale.getpreferredencoding(), sys.getfilesystemencoding(), time.tzname],
        "main": [sys.modules["__main__"].__name__, sys.modules["__main__"].__spec__.name],
        "open": len([path for path in os.listdir("/proc/self/fd")]),
    }
    print("@@" + json.dumps([warm, seen]), flush=True)
    if code == -1:
        raise ValueError("of the component")
    if code == -2:
        print("waiting", flush=True)
        signal.pause()
    if code > 0:
        sys.exit(code)
`;

describe.each([["namespaces"], ["none"]] as const)("a warm Python with isolation %s", (isolation) => {
  let trial: Trial;
  let images: OpenImages;
  beforeAll(async () => {
    trial = await openTrial({ allow: { isolation: isolation === "namespaces" } });
    images = await openImages({ directory: trial.directory, environment: process.env, isolate: (command) => trial.sandboxes.isolate(command) });
    await vi.waitFor(async () => expect(await look({})).toMatchObject({ isWarm: true }), { timeout: 120_000 });
  }, 180_000);
  afterAll(async () => {
    await images[Symbol.asyncDispose]();
    await trial[Symbol.asyncDispose]();
  });

  const commandOf = async (code: number, more: Partial<SandboxProcess>, packages: readonly string[] = []) => {
    const input = { ...INPUT, inputs: { parameterValues: { code } } };
    const command = component(COMPONENT, "look", input, packages);
    const image = await images.resolve({ image: "python:3.11", command, progress: () => {}, signal: new AbortController().signal });
    const sandbox = await trial.sandboxes.ensure(podNamed("p"));
    const out = join(trial.directory, "out");
    mkdirSync(out, { recursive: true, mode: 0o777 });
    return sandbox.command({
      ...{ container: "main", argv: image.argv, limits: {} },
      ...more,
      env: { ...image.env, TZ: "Asia/Tokyo", ...more.env },
      mounts: [...image.mounts, { source: out, target: "/tmp/out", readOnly: false }],
    });
  };
  const look = async ({
    code = 0,
    packages,
    ...more
  }: Partial<SandboxProcess> & { readonly code?: number; readonly packages?: readonly string[] }) => {
    const result = await finish(await commandOf(code, more, packages));
    const line = result.output.split("\n").find((one) => one.startsWith("@@"));
    if (line === undefined) throw new Error(result.output);
    const [isWarm, seen] = JSON.parse(line.slice(2)) as [boolean, Seen];
    return { ...result, isWarm, seen };
  };
  /** What is made anew for each container has no name. */
  const comparable = ({ namespaces, open: _open, ...seen }: Seen): string =>
    JSON.stringify({ ...seen, own: isolation === "none" ? namespaces : undefined }, undefined, 1)
      .replaceAll(/tmp\.\w{10}/gu, "tmp.NEW")
      .replaceAll(/(uid-p\/main\.)\d+/gu, "$1NEW");

  test.each([
    ["as it is", {}],
    ["as another user", { runAsUser: 1000 }],
    ["with limits", { limits: { memoryBytes: 2 ** 29, cpuMillis: 500 } }],
    ["elsewhere", { workingDirectory: "/var" }],
    ["unbuffered", { env: { PYTHONUNBUFFERED: "1" } }],
  ] as const)("is to the component what a cold one is: %s", async (_, more: Partial<SandboxProcess>) => {
    const warm = await look(more);
    const cold = await look({ ...more, env: { ...more.env, [WARM_VARIABLE]: "" } });
    expect([warm.isWarm, cold.isWarm]).toEqual([true, false]);
    expect(comparable(warm.seen)).toBe(comparable(cold.seen));
    expect(warm.seen.open).toBeLessThanOrEqual(cold.seen.open);
    if (isolation === "none") return;
    for (const name of ["mnt", "pid", "ipc", "uts"]) expect(warm.seen.namespaces[name]).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
  });

  test("serves components that need further packages, with those", async () => {
    const { isWarm, seen } = await look({ packages: ["idna==3.9"] });
    expect(isWarm).toBe(true);
    expect(JSON.stringify(seen)).toContain("site-packages");
  });

  test("leaves alone whoever changes how Python runs", async () => {
    expect((await look({ env: { PYTHONPATH: "/somewhere" } })).isWarm).toBe(false);
  });

  test("tells how the component ended", async () => {
    expect((await look({ code: 3 })).code).toBe(3);
    const { code, output } = await look({ code: -1 });
    expect(code).toBe(1);
    expect(output).toContain("ValueError: of the component");
    expect(output).not.toContain("run_module(name");
  });

  test("hands on signals, and dies with its container", async () => {
    // Without namespaces, the shell that runs the component gets the signal, and keeps it to itself.
    for (const signal of isolation === "none" ? (["SIGKILL"] as const) : (["SIGTERM", "SIGKILL"] as const)) {
      const child = start(await commandOf(-2, {}), { detached: true });
      let output = "";
      child.stdout?.on("data", (bytes: Buffer) => (output += bytes.toString()));
      await eventually(() => output, 60_000).toContain("waiting");
      const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
      const sandbox = await trial.sandboxes.ensure(podNamed("p"));
      await sandbox.signal(child.pid ?? 0, signal);
      // Its output closes once nobody holds it any more: the forked process is gone too.
      await gone;
    }
  });
});
