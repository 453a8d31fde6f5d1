import { randomUUID } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createClient, type Client } from "@sluice/client";
import type { Program } from "@sluice/component";
import { runManager, systemClock, type Clock, type Logger } from "@sluice/controller";
import { builtinResources, Pod, type ContainerStatus, type PodSpec } from "@sluice/kubernetes";
import { createApiServer } from "../api-server/create-api-server.ts";
import type { VirtualResource } from "../api-server/registry.ts";
import { persistentVolumeClaimController } from "../controllers/volume/claim-controller.ts";
import { persistentVolumeController } from "../controllers/volume/volume-controller.ts";
import { openStore } from "../store/store.ts";
import { standardStorageClass } from "../volume/storage-class.ts";
import { ImageError, type Images } from "./images/images.ts";
import type { RestartBackoff } from "./lifecycle/restart-backoff.ts";
import type { Node } from "./node.ts";
import type { HostCommand, SandboxMount, SandboxProcess, Sandboxes } from "./sandbox/sandbox.ts";
import { ServiceCatalog } from "./services/service-catalog.ts";
import { startNode } from "./start-node.ts";

/** The name of the node in tests. */
export const NODE = "here";

/** Plain processes; what a container would see mounted is put into its words instead. */
const plainSandboxes: Sandboxes = {
  features: { isolation: "none", network: "shared", services: "kernel", limits: "none", images: "none", missing: ["These are tests."] },
  hostIp: "127.0.0.1",
  services: { by: "kernel", apply: async () => {} },
  isolate: plainCommand,
  ensure: async () => ({
    podIp: "127.0.0.1",
    command: plainCommand,
    exec: (_hostPid, process) => plainCommand(process),
    inNetwork: () => undefined,
    signal: async (pid, signal) => {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
      }
    },
    whenRunning: async () => {},
    startFailure: () => undefined,
    wasOutOfMemory: async () => false,
  }),
  remove: async () => {},
  retain: async () => {},
  [Symbol.asyncDispose]: async () => {},
};

function plainCommand({ argv, env, mounts, workingDirectory }: SandboxProcess): HostCommand {
  return {
    argv: argv.map((word) => withSources(word, mounts)),
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, withSources(value, mounts)])),
    cwd: workingDirectory === undefined ? "/" : withSources(workingDirectory, mounts),
  };
}

function withSources(text: string, mounts: readonly SandboxMount[]): string {
  if (mounts.length === 0) return text;
  const targets = mounts.map(({ target }) => target.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).sort((a, b) => b.length - a.length);
  const pattern = new RegExp(`(?<![\\w/.-])(?:${targets.join("|")})(?![\\w-])`, "g");
  return text.replace(pattern, (target) => mounts.findLast((mount) => mount.target === target)?.source ?? target);
}

/** Images that stand for this machine's own programs. */
export const plainImages: Images = {
  list: () => [],
  files: ({ image }) => Promise.reject(new ImageError("ErrImagePull", `there is no image ${image}`)),
  async resolve({ image, command = [], args = [] }) {
    const name = image.split(":")[0] ?? "";
    if (!["busybox", "alpine", "node"].includes(name)) throw new ImageError("ErrImagePull", `no image profile stands for ${image}`);
    const entrypoint = command.length > 0 ? [] : [name === "node" ? process.execPath : "sh"];
    return {
      imageId: `profile://${name}`,
      profile: name,
      note: "this machine's own programs",
      argv: [...entrypoint, ...command, ...args],
      env: { PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` },
      mounts: [],
    };
  },
};

/** Keeps what went wrong, for tests to look at. */
function recordingLogger(): Logger & { readonly errors: string[] } {
  const errors: string[] = [];
  return {
    errors,
    info: () => {},
    warn: (message, fields) => void errors.push(`${message} ${describe(fields)}`),
    error: (message, fields) => void errors.push(`${message} ${describe(fields)}`),
  };
}

function describe(fields: Readonly<Record<string, unknown>> = {}): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value instanceof Error ? (value.stack ?? value.message) : JSON.stringify(value)}`)
    .join(" ");
}

/** What a world is made with. */
export interface WorldOptions {
  readonly directory: string;
  /** Of the store; in memory unless given. */
  readonly database?: string;
  readonly programs?: readonly Program[];
  readonly images?: Images;
  readonly sandboxes?: Sandboxes;
  readonly restartBackoff?: RestartBackoff;
  readonly clock?: Clock;
  readonly virtual?: readonly VirtualResource[];
}

/** A cluster with one node. */
export interface World extends AsyncDisposable {
  readonly client: Client;
  readonly node: Node;
  readonly errors: string[];
  /** Deletes all pods, and waits until nothing of them is left: they would outlive the world. */
  clear(): Promise<void>;
  /** Ends the node alone, and starts it again. */
  restartNode(): Promise<void>;
  stopNode(): Promise<void>;
}

/** Starts an API server and a node on it. */
export async function openWorld(options: WorldOptions): Promise<World> {
  const clock = options.clock ?? systemClock;
  const logger = recordingLogger();
  const store = await openStore({ path: options.database ?? ":memory:" });
  let node: Node | undefined;
  const api = await createApiServer({
    store,
    resources: builtinResources,
    virtual: options.virtual ?? [],
    authorizer: { authorize: () => ({ allowed: true, reason: "" }) },
    authenticate: async () => ({ username: "admin", groups: [] }),
    nodes: () => node,
    bootstrap: [standardStorageClass],
    clock,
    newId: randomUUID,
    logger,
  });
  const client = createClient(api.transport({ username: "admin", groups: ["system:masters"] }));
  const start = (): Promise<Node> =>
    startNode({
      client,
      name: NODE,
      directory: options.directory,
      programs: options.programs ?? [],
      sandboxes: options.sandboxes ?? plainSandboxes,
      images: options.images ?? plainImages,
      services: new ServiceCatalog(),
      nodePortAddresses: ["127.0.0.1"],
      restartBackoff: options.restartBackoff ?? { baseMs: 500, maxMs: 2000, resetMs: 600_000 },
      api: { host: "127.0.0.1", port: 6443, caCertificate: "CERTIFICATE" },
      clock,
      logger,
    });
  node = await start();
  const stop = new AbortController();
  const controllers = [persistentVolumeClaimController(), persistentVolumeController()];
  const running = runManager({ client, controllers, clock, logger, signal: stop.signal });
  return {
    client,
    errors: logger.errors,
    get node() {
      if (node === undefined) throw new Error("the node is stopped");
      return node;
    },
    async clear() {
      const { items } = await client.list(Pod);
      for (const { metadata } of items) await client.delete(Pod, metadata, { gracePeriodSeconds: 0 });
      const pods = join(options.directory, "pods");
      while (existsSync(pods) && readdirSync(pods).length > 0) await new Promise(setImmediate);
    },
    async stopNode() {
      await node?.[Symbol.asyncDispose]();
      node = undefined;
    },
    async restartNode() {
      await node?.[Symbol.asyncDispose]();
      node = await start();
    },
    async [Symbol.asyncDispose]() {
      await node?.[Symbol.asyncDispose]();
      stop.abort();
      await running;
      await api[Symbol.asyncDispose]();
      await store.close();
    },
  };
}

/** A pod on the node. */
export function podOn(name: string, spec: Partial<PodSpec>, metadata: Partial<Pod["metadata"]> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", ...metadata },
    spec: { nodeName: NODE, restartPolicy: "Never", automountServiceAccountToken: false, containers: [], ...spec },
  };
}

/** A container that runs a shell script. */
export function shell(script: string, more: Partial<PodSpec["containers"][number]> = {}): PodSpec["containers"][number] {
  return { name: "main", image: "busybox", command: ["sh", "-c", script], ...more };
}

/** Waits until a pod satisfies `condition`; undefined is a pod that is gone. */
export async function untilPod(
  client: Client,
  name: string,
  condition: (pod: Pod | undefined) => boolean,
  timeoutMs = 15_000,
): Promise<Pod | undefined> {
  const signal = AbortSignal.timeout(timeoutMs);
  const key = { namespace: "default", name };
  const list = await client.list(Pod, { namespace: "default", fieldSelector: `metadata.name=${name}` });
  let last = list.items[0];
  if (condition(last)) return last;
  for await (const event of client.watch(Pod, {
    namespace: "default",
    fieldSelector: `metadata.name=${name}`,
    resourceVersion: list.metadata.resourceVersion,
    signal,
  })) {
    if (event.type === "ERROR") throw new Error(event.object.message);
    if (event.type === "BOOKMARK") continue;
    last = event.type === "DELETED" ? undefined : event.object;
    if (condition(last)) return last;
  }
  throw new Error(`pod ${key.name} did not come to it; it is ${JSON.stringify(last?.status, null, 1)}`);
}

/** Waits for a pod's phase. */
export async function untilPhase(client: Client, name: string, phase: string): Promise<Pod> {
  const pod = await untilPod(client, name, (one) => one?.status?.phase === phase);
  if (pod === undefined) throw new Error(`pod ${name} is gone`);
  return pod;
}

/** A container's status. */
export function statusOf(pod: Pod | undefined, container = "main"): ContainerStatus {
  const all = [...(pod?.status?.initContainerStatuses ?? []), ...(pod?.status?.containerStatuses ?? [])];
  const found = all.find(({ name }) => name === container);
  if (found === undefined) throw new Error(`container ${container} has no status`);
  return found;
}

/** A container's log. */
export async function logOf(world: World, name: string, options: Parameters<Node["log"]>[1] = {}): Promise<string> {
  let text = "";
  for await (const chunk of await world.node.log({ namespace: "default", name }, options)) text += Buffer.from(chunk).toString("utf8");
  return text;
}
