import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@sluice/controller";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readConfig } from "./config.ts";
import { claimDataDirectory, findRunning } from "./data-directory.ts";
import { embeddedHome } from "./home.ts";
import { checkPort } from "./ports.ts";

let root: string;
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), "sluice-platform-"))));
afterAll(() => rm(root, { recursive: true }));

test("a second process is refused and told who was first; kill -9 frees the directory", async () => {
  const path = join(root, "data");
  const module = new URL("./data-directory.ts", import.meta.url).href;
  const script = `const { claimDataDirectory } = await import(${JSON.stringify(module)});
    globalThis.held = await claimDataDirectory(${JSON.stringify(path)}, { pid: process.pid, version: "1" }); console.log("held"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  await expect(claimDataDirectory(path, { pid: process.pid, version: "1" })).rejects.toThrow(`in use by process ${child.pid}`);
  expect((await findRunning(path))?.pid).toBe(child.pid);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await findRunning(path)).toBeUndefined();
  const claimed = await claimDataDirectory(path, { pid: process.pid, version: "1" });
  await claimed[Symbol.asyncDispose]();
});

test("a taken port is named, with who has it and which flag changes it", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await expect(checkPort("127.0.0.1", port, "--port")).rejects.toMatchObject({
    message: expect.stringContaining(`port ${port} is taken by`) as string,
    fix: expect.stringContaining("--port") as string,
  });
  server.close();
});

test("flag, environment, default, in this order", async () => {
  const config = await readConfig({ dataDir: root, port: "1234" }, { SLUICE_PORT: "1", SLUICE_API_PORT: "77", SLUICE_COMPONENTS: "pipelines, hub" });
  expect(config).toMatchObject({ port: 1234, apiPort: 77, components: ["pipelines", "hub"], address: "127.0.0.1" });
  await expect(readConfig({ dataDir: root }, { SLUICE_PORT: "many" })).rejects.toThrow("SLUICE_PORT");
  expect([config.sandbox, (await readConfig({ dataDir: root, sandbox: "none" }, {})).sandbox]).toEqual(["auto", "none"]);
  await expect(readConfig({ dataDir: root, sandbox: "some" }, {})).rejects.toThrow("--sandbox");
});

test("nodes are read from the file, and what is wrong with them is said", async () => {
  const dataDir = join(root, "nodes");
  const read = async (text: string): Promise<unknown> => {
    await mkdir(dataDir, { recursive: true });
    await writeFile(join(dataDir, "sluice.yaml"), text);
    return (await readConfig({ dataDir }, {})).nodes;
  };
  expect(await read("nodes: [{name: a, labels: {tier: 1}, taints: [{key: k, effect: NoSchedule}], capacity: {cpu: 4, nvidia.com/gpu: 8}}]")).toEqual([
    { name: "a", labels: { tier: "1" }, taints: [{ key: "k", effect: "NoSchedule" }], capacity: { cpu: "4", "nvidia.com/gpu": "8" } },
  ]);
  await expect(read("nodes: []")).rejects.toThrow("at least one node");
  await expect(read("nodes: [{name: a}, {name: a}]")).rejects.toThrow("two nodes have the same name");
  await expect(read("nodes: [{name: A_b}]")).rejects.toThrow("lower case");
  await expect(read("nodes: [{name: a, capacity: {cpu: plenty}}]")).rejects.toThrow("an amount is a number");
});

test("the file says whom to believe, and where to write down what they do", async () => {
  const directory = await mkdtemp(join(root, "file-"));
  const oidc = { issuer: "https://login.example.com", clientIds: ["sluice"], groupsClaim: "groups", caFile: join(directory, "none.pem") };
  await writeFile(join(directory, "sluice.yaml"), JSON.stringify({ auditLog: "audit.log", auditPolicy: "policy.yaml", oidc }));
  const config = await readConfig({ dataDir: directory }, { SLUICE_AUDIT_LOG: "/var/log/audit.log" });
  expect(config).toMatchObject({ auditLog: "/var/log/audit.log", auditPolicy: "policy.yaml", oidc });
  const logger = { info: () => {}, warn: () => {}, error: () => {} };
  await expect(embeddedHome(config).startCluster({ programs: [], clock: systemClock, logger, environment: {} })).rejects.toThrow(
    "cannot read the certificates of https://login.example.com",
  );
});
