import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, createHttpsTransport, loadKubeconfig } from "@sluice/client";
import { PersistentVolumeClaim, Pod } from "@sluice/kubernetes";
import { findRunning } from "@sluice/platform";
import { compile, container, createPipelinesClient, pipeline, string, type Run } from "@sluice/sdk";
import { afterEach, expect, test } from "vitest";
import { parse, stringify } from "yaml";

const SLUICE = join(import.meta.dirname, "../bin/sluice.js");
const KILLS = Number(process.env["SLUICE_CRASH_KILLS"] ?? 12);
const CLAIM = "marks";
const NAMES = ["first", "fan-0", "fan-1", "fan-2", "fan-3", "fan-4", "fan-5", "last"];

const directory = mkdtempSync(join(tmpdir(), "sluice-crash-"));
const children = new Set<ChildProcess>();

afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** Says its name in a file that outlives everything, and takes its time. */
const step = container({
  name: "step",
  image: "busybox",
  command: ["sh", "-c", 'echo "$0 $1" >> /marks/ran && sleep 0.3 && echo "$0 $1" >> /marks/ended'],
  args: ({ inputs }) => [inputs.round, inputs.name],
  inputs: { round: string(), name: string() },
  outputs: {},
});

const steps = pipeline({ name: "survives", inputs: { round: string() } }, ({ round }) => {
  const [name = "", ...names] = NAMES;
  const first = step({ round, name }, { cache: false });
  const middle = names.slice(0, -1).map((each) => step({ round, name: each }, { cache: false, after: [first] }));
  step({ round, name: names.at(-1) ?? "" }, { cache: false, after: middle });
});

/** The pipeline, with the claim mounted into every task: what its Kubernetes platform adds. */
function withMarks(): string {
  const spec = compile(steps);
  const { deploymentSpec } = parse(spec) as { deploymentSpec: { executors: Record<string, unknown> } };
  const executors = Object.fromEntries(
    Object.keys(deploymentSpec.executors).map((name) => [name, { pvcMount: [{ constant: CLAIM, mountPath: "/marks" }] }]),
  );
  return `${spec}\n---\n${stringify({ platforms: { kubernetes: { deploymentSpec: { executors } } } })}`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

interface Ports {
  readonly port: number;
  readonly apiPort: number;
}

/** Starts Sluice. */
function start({ port, apiPort }: Ports): ChildProcess {
  const args = [SLUICE, "up", "--data-dir", directory, "--port", String(port), "--api-port", String(apiPort)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  return child;
}

/** Starts Sluice and resolves once it is ready. */
async function up(ports: Ports): Promise<ChildProcess> {
  const child = start(ports);
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, "exit").then(() => Promise.reject(new Error(`Sluice ended: ${said}`)));
  await Promise.race([child.stdout === null ? ended : once(child.stdout, "data"), ended]);
  ended.catch(() => undefined); // Being killed is what it is for.
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  children.delete(child);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What the steps have said, in the directory on this machine of the only claim. */
function marks(file: string): string[] {
  const volumes = join(directory, "node/volumes");
  return readFileSync(join(volumes, readdirSync(volumes)[0] ?? "", file), "utf8")
    .trim()
    .split("\n")
    .toSorted();
}

/** Processes of this machine that have to do with the data directory. */
function processes(): string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/u.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return command.includes(directory) ? [`${pid}: ${command}`] : [];
      } catch {
        return []; // It has just ended.
      }
    });
}

test(`runs outlive ${KILLS} kill -9s, and nothing that has run runs again`, { timeout: 30_000 + KILLS * 10_000 }, async () => {
  const ports: Ports = { port: await freePort(), apiPort: await freePort() };
  let child = await up(ports);
  const pipelines = createPipelinesClient({ host: `http://127.0.0.1:${ports.port}` });
  const connect = async () => createHttpsTransport(await loadKubeconfig((await findRunning(directory))?.kubeconfig ?? ""));
  {
    using transport = await connect();
    const client = createClient(transport);
    await client.create(PersistentVolumeClaim, {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: CLAIM, namespace: "kubeflow" },
      spec: { accessModes: ["ReadWriteMany"], resources: { requests: { storage: "1Mi" } } },
    });
  }
  const runs: string[] = [];
  for (let kills = 0; kills < KILLS;) {
    const round = String(runs.length);
    const { run_id: id } = await pipelines.submit({ pipeline: withMarks(), parameters: { round } });
    runs.push(id);
    // From before the first pod exists to the middle of the last one, and while Sluice is just starting: any moment will do.
    await pause(Math.random() * 500);
    for (let again = Math.random() * 4; again > 0 && kills < KILLS; again--, kills++) {
      await kill(child);
      child = start(ports);
      await pause(Math.random() * 2000);
    }
    await kill(child);
    kills++;
    child = await up(ports);
    let run: Run = await pipelines.getRun(id);
    for await (const change of pipelines.follow(id)) run = change.run;
    expect(run.state, run.error?.message).toBe("SUCCEEDED");
  }
  const all = runs.flatMap((_, round) => NAMES.map((name) => `${round} ${name}`)).toSorted();
  expect(marks("ran")).toEqual(all);
  expect(marks("ended")).toEqual(all);

  using transport = await connect();
  const pods = await createClient(transport).list(Pod, { labelSelector: "pipeline/runid" });
  expect(pods.items.map(({ status }) => status?.phase)).toEqual(all.map(() => "Succeeded"));
  child.kill("SIGTERM");
  await once(child, "exit");
  expect(processes()).toEqual([]);
});
