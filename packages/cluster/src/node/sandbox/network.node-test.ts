import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ClusterNames } from "./dns/cluster-names.ts";
import { ServiceProxy } from "../services/service-proxy.ts";
import type { ServiceRoute } from "./network/service-route.ts";
import type { HostCommand, Sandbox, Sandboxes, SandboxProcess } from "./sandbox.ts";
import { finish, openTrial, podNamed, start, type Trial } from "./trial.fixture.ts";

let trial: Trial;
const known = new Map<string, string>();
const names: ClusterNames = {
  isKnown: true,
  find: (name) => (known.has(name) ? [{ type: "A", address: known.get(name) ?? "" }] : undefined),
  reverse: (address) => [...known].flatMap(([target, its]) => (its === address ? [{ type: "PTR", target }] : [])),
};
beforeEach(async () => {
  known.clear();
  known.set("web.default.svc.cluster.local", "10.0.0.1");
  trial = await openTrial({ names });
  expect(trial.sandboxes.features, trial.sandboxes.features.missing.join("\n")).toMatchObject({ network: "pod", missing: [] });
});
afterEach(() => trial[Symbol.asyncDispose]());

const shell = (script: string): SandboxProcess => ({
  container: "main",
  argv: ["sh", "-c", script],
  env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
  mounts: [],
  limits: {},
});
const run = async (sandbox: Sandbox, script: string): Promise<string> => (await finish(sandbox.command(shell(script)))).output;
const python = (code: string): string => `/usr/bin/python3 -c '${code}'`;
const listen = python(
  'import socket; s = socket.create_server(("", 29500)); print("up", flush=True); c, _ = s.accept(); c.sendall(socket.gethostname().encode()); c.close()',
);
const dial = (host: string, port = 29500): string =>
  python(`import socket; print(socket.create_connection(("${host}", ${port}), 5).recv(99).decode())`);
const bridgeOf = (sandboxes: Sandboxes): string | undefined =>
  Object.entries(networkInterfaces()).find(([, addresses = []]) => addresses.some(({ address }) => address === sandboxes.hostIp))?.[0];
const namespacesOf = (bridge: string): readonly string[] => readdirSync("/run/netns").filter((name) => name.startsWith(`${bridge}-`));

test("pods with one port find each other by the names that they have on a cluster", async () => {
  const [a, b, c] = await Promise.all([
    trial.sandboxes.ensure(podNamed("job-node-0-0")),
    trial.sandboxes.ensure(podNamed("job-node-0-1", { domainName: "job-node-0-1.job.default.svc.cluster.local" })),
    trial.sandboxes.ensure(podNamed("other-node-0-0")),
  ]);
  known.set("job-node-0-0.job.default.svc.cluster.local", a.podIp);
  known.set("job-node-0-1.job.default.svc.cluster.local", b.podIp);
  known.set("other-node-0-0.other.default.svc.cluster.local", c.podIp);
  expect(new Set([a.podIp, b.podIp, c.podIp]).size).toBe(3);
  const servers = [a, c].map((sandbox) => start(sandbox.command(shell(listen))));
  await Promise.all(servers.map((server) => once(server.stdout ?? server, "data")));
  expect(await run(b, dial("job-node-0-0.job"))).toBe("job-node-0-0");
  expect(await run(b, dial("other-node-0-0.other.default.svc.cluster.local"))).toBe("other-node-0-0");
  expect(await run(b, "getent hosts web; getent hosts job-node-0-1.job; getent hosts nobody.job || echo none")).toMatch(
    new RegExp(`^10\\.0\\.0\\.1 +web\\.default\\.svc\\.cluster\\.local\\n${b.podIp} +job-node-0-1\\.job\\.default\\.svc\\.cluster\\.local.*\\nnone$`),
  );
  expect(await run(b, `getent hosts ${a.podIp}`)).toContain("job-node-0-0.job.default.svc.cluster.local");
});

test("pods reach this machine at its address on the bridge, and it reaches them", async () => {
  const sandbox = await trial.sandboxes.ensure(podNamed("p"));
  await using server = createServer((socket) => socket.end("machine")).listen(0, trial.sandboxes.hostIp);
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  expect(await run(sandbox, dial(trial.sandboxes.hostIp, port))).toBe("machine");
});

test("a pod with this machine's network has its address and its names", async () => {
  const sandbox = await trial.sandboxes.ensure(podNamed("p", { hostNetwork: true }));
  expect(sandbox.podIp).toBe(trial.sandboxes.hostIp);
  expect(await run(sandbox, "cat /etc/resolv.conf")).not.toContain("cluster.local");
  const asking = await trial.sandboxes.ensure(
    podNamed("q", { hostNetwork: true, resolver: { policy: "cluster" }, hostAliases: [{ ip: "10.9.9.9", hostnames: ["alias"] }] }),
  );
  expect(await run(asking, "getent hosts web; getent hosts alias")).toMatch(/^10\.0\.0\.1 .*\n10\.9\.9\.9 +alias$/);
});

test("fifty pods at once have a network at once, and leave nothing", async () => {
  const bridge = bridgeOf(trial.sandboxes) ?? "";
  const names = Array.from({ length: 50 }, (_, index) => `p${index}`);
  const all = await Promise.all(names.map((name) => trial.sandboxes.ensure(podNamed(name))));
  expect(new Set(all.map(({ podIp }) => podIp)).size).toBe(50);
  await trial.sandboxes.retain(new Set());
  await trial.sandboxes[Symbol.asyncDispose]();
  expect(namespacesOf(bridge)).toEqual([]);
  // The kernel takes the ends of the pods' cables away in its own time.
  await vi.waitFor(() => expect(Object.keys(networkInterfaces()).filter((name) => name.startsWith(bridge))).toEqual([]));
});

const NOBODY = /No route|timed out|unreachable|refused/;

test("after a crash pods run on and keep their addresses, and what was no pod's is gone", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sandboxes-"));
  const crashing = spawn(process.execPath, [join(import.meta.dirname, "crash.fixture.ts"), directory], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = (await once(crashing.stdout, "data")) as [Buffer];
  const addresses = JSON.parse(said.toString()) as { kept: string; lost: string };
  crashing.kill("SIGKILL");
  await once(crashing, "exit");

  await using after = await openTrial({ directory });
  await after.sandboxes.retain(new Set(["uid-kept"]));
  const kept = await after.sandboxes.ensure(podNamed("kept"));
  expect(kept.podIp).toBe(addresses.kept);
  const peer = await after.sandboxes.ensure(podNamed("peer"));
  expect(await run(peer, dial(kept.podIp))).toBe("kept");
  expect(await run(peer, `${dial(addresses.lost)} 2>&1 | tail -1`)).toMatch(NOBODY);

  await after.sandboxes.remove("uid-kept");
  expect(await run(peer, `${dial(addresses.kept)} 2>&1 | tail -1`)).toMatch(NOBODY);
});

test("after a restart of the machine a pod has its old address in a new namespace", async () => {
  const before = await trial.sandboxes.ensure(podNamed("p"));
  const bridge = bridgeOf(trial.sandboxes) ?? "";
  expect(await finish(command("ip", "netns", "del", `${bridge}-${numberOf(before.podIp)}`))).toMatchObject({ code: 0 });
  const after = await (await trial.reopen()).ensure(podNamed("p"));
  expect(after.podIp).toBe(before.podIp);
  expect(await run(after, "grep -c eth0 /proc/net/dev")).toBe("1");
});

test.each([
  ["where the kernel does not lead to services", { serviceRules: false }, "pod"],
  ["where pods share this machine's network", { network: false }, "shared"],
])("%s, pods reach them by name through this program", async (_, allow, network) => {
  known.set("web.default.svc.cluster.local", "10.96.201.7");
  await using other = await openTrial({ names, allow });
  const { services, features, hostIp } = other.sandboxes;
  expect(features).toMatchObject({ network, services: "proxy", missing: [expect.any(String)] });
  if (services.by !== "proxy") throw new Error("the kernel leads there");
  await using server = createServer((socket) => socket.end("served")).listen(0, hostIp);
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  await using proxy = new ServiceProxy({
    info: () => {},
    warn: (message, fields) => expect.fail(`${message} ${String(fields?.["error"])}`),
    error: () => {},
  });
  const route: ServiceRoute = { name: "default/web:http", address: "10.96.201.7", port: 80, protocol: "TCP", endpoints: [{ address: hostIp, port }] };
  await proxy.apply([{ address: services.addressOf(route.address), port: 80, route }]);
  const pod = await other.sandboxes.ensure(podNamed("p"));
  expect(await run(pod, dial("web", 80))).toBe("served");
});

test("two nodes on one machine do not meet", async () => {
  await using other = await openTrial();
  expect(other.sandboxes.hostIp).not.toBe(trial.sandboxes.hostIp);
  const [here, there] = [await trial.sandboxes.ensure(podNamed("p")), await other.sandboxes.ensure(podNamed("p"))];
  expect(here.podIp.split(".").slice(0, 2)).toEqual(["10", expect.any(String)]);
  expect(here.podIp).not.toBe(there.podIp);
});

function numberOf(address: string): number {
  const [, , third = 0, fourth = 0] = address.split(".").map(Number);
  return (third % 16) * 256 + fourth;
}

function command(...argv: string[]): HostCommand {
  return { argv, env: { PATH: process.env["PATH"] ?? "" }, cwd: "/" };
}
