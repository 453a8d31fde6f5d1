import { randomUUID } from "node:crypto";
import { createClient, type Client } from "@sluice/client";
import { runManager, systemClock, type Clock, type Logger } from "@sluice/controller";
import { builtinResources, Node, Pod, type KubernetesObject, type ObjectKey, type Resource } from "@sluice/kubernetes";
import { onTestFinished } from "vitest";
import { createApiServer } from "../api-server/create-api-server.ts";
import { podGroupDefinition, runScheduler } from "../scheduler/index.ts";
import { openStore } from "../store/store.ts";
import { standardStorageClass } from "../volume/storage-class.ts";
import { controlPlaneControllers } from "./index.ts";

/** A cluster without nodes: tests play the kubelet. */
export interface TestCluster {
  readonly client: Client;
  /** What controllers and the scheduler logged as errors. */
  readonly errors: unknown[];
  /** Gives up the scheduler, whatever it waits for, and starts another. */
  abandonScheduler(): void;
}

/** Starts the API server, the controllers and the scheduler over an empty store, until the test ends. */
export async function startTestCluster(
  options: { readonly clock?: Clock; readonly schedulerClient?: (client: Client) => Client } = {},
): Promise<TestCluster> {
  const clock = options.clock ?? systemClock;
  const errors: unknown[] = [];
  const logger: Logger = { info: () => {}, warn: () => {}, error: (message, fields) => errors.push({ message, ...fields }) };
  const store = await openStore({ path: ":memory:" });
  const admin = { username: "admin", groups: ["system:masters"] };
  const api = await createApiServer({
    store,
    resources: builtinResources,
    authorizer: { authorize: () => ({ allowed: true, reason: "" }) },
    authenticate: async () => admin,
    nodes: () => undefined,
    bootstrap: [standardStorageClass, podGroupDefinition],
    clock,
    newId: randomUUID,
    logger,
  });
  const client = createClient(api.transport(admin));
  const stop = new AbortController();
  const running = runManager({ client, controllers: controlPlaneControllers({ rootCa: "test CA" }), clock, logger, signal: stop.signal });
  let scheduler = startScheduler(options.schedulerClient?.(client) ?? client);
  onTestFinished(async () => {
    stop.abort();
    await Promise.all([running, scheduler.stop()]);
    await api[Symbol.asyncDispose]();
    await store.close();
  });
  return {
    client,
    errors,
    abandonScheduler() {
      void scheduler.stop();
      scheduler = startScheduler(client);
    },
  };

  function startScheduler(own: Client): { stop(): Promise<void> } {
    const end = new AbortController();
    const scheduling = runScheduler({ client: own, clock, logger, signal: end.signal });
    return {
      async stop() {
        end.abort();
        await scheduling;
      },
    };
  }
}

/** Turns of the event loop after which looking again costs more than it finds. */
const EAGER_TURNS = 50;

/** Resolves with what `look` returns once it is neither undefined nor false. */
export async function eventually<T>(look: () => Promise<T | undefined | false> | T | undefined | false, timeoutMs = 18_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (let turn = 0; ; turn++) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`it never came true: ${look.toString()}`);
    await new Promise((resolve) => (turn < EAGER_TURNS ? setImmediate(resolve) : setTimeout(resolve, 5)));
  }
}

/** Lets everything that is under way come to rest. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves once the object is gone. */
export function gone<T extends KubernetesObject>(client: Client, resource: Resource<T>, key: ObjectKey): Promise<true> {
  return eventually(async () => (await client.find(resource, key)) === undefined);
}

/** A ready node with room for `allocatable`. */
export function nodeObject(
  name: string,
  allocatable: Record<string, string> = { cpu: "8", memory: "16Gi", pods: "110" },
  more: Partial<Node> = {},
): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    ...more,
    metadata: { name, ...more.metadata, labels: { "kubernetes.io/hostname": name, ...more.metadata?.labels } },
    status: { allocatable, capacity: allocatable, conditions: [{ type: "Ready", status: "True" }] },
  };
}

/** Registers a node, status included. */
export async function addNode(client: Client, node: Node): Promise<void> {
  await client.create(Node, node);
  await client.patch(Node, node.metadata, { type: "merge", subresource: "status", body: { status: node.status } });
}

/** Says of a pod what the kubelet would; times are in seconds since the epoch. */
export async function reportPod(
  client: Client,
  key: ObjectKey,
  phase: "Running" | "Succeeded" | "Failed",
  options: { readonly exitCode?: number; readonly finishedAt?: number } = {},
): Promise<void> {
  const { exitCode = phase === "Failed" ? 1 : 0, finishedAt = Date.now() / 1000 } = options;
  const state =
    phase === "Running" ? { running: {} } : { terminated: { exitCode, finishedAt: `${new Date(finishedAt * 1000).toISOString().slice(0, 19)}Z` } };
  const ready = phase === "Running";
  const status = {
    phase,
    conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    containerStatuses: [{ name: "main", state, ready, restartCount: 0, image: "x", imageID: "" }],
  };
  await client.patch(Pod, key, { type: "merge", subresource: "status", body: { status } });
}
