import { readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Client } from "@sluice/client";
import { isApiError, Node as NodeResource } from "@sluice/kubernetes";
import { detectGpus } from "./gpu/detect-gpus.ts";
import { HostPorts } from "./host-ports.ts";
import { gpusByNode, type NodeSpec } from "./node-spec.ts";
import type { Node, NodeOptions } from "./node.ts";
import { Limiter } from "./pod/limiter.ts";
import { listPods, removeOrphans, startNode } from "./start-node.ts";

/** What the nodes of a machine need. */
export interface NodesOptions extends Omit<NodeOptions, "client" | "name" | "directory" | "spec" | "gpus" | "shared"> {
  /** Below it everything is kept: of the machine's own node directly, of others in a directory each. */
  readonly directory: string;
  readonly nodes: readonly NodeSpec[];
  /** The name of the machine's own node. */
  readonly ownName: string;
  readonly client: (user: string) => Client;
  /** Where programs of this machine are. */
  readonly path: string;
}

/** The nodes of a machine, by name. Disposing of them leaves their pods running. */
export interface Nodes extends AsyncDisposable {
  get(name: string): Node | undefined;
}

const NODES = "nodes";
/** Only nodes of this program have it. */
const OWN_LABEL = "node.sluice.dev/isolation";

/** Starts the nodes that this machine is to have, and takes away those that it is to have no longer. */
export async function startNodes(options: NodesOptions): Promise<Nodes> {
  const { directory, nodes, ownName, client, path, sandboxes, logger } = options;
  const home = (name: string): string => (name === ownName ? directory : join(directory, NODES, name));
  const admin = client("kube-controller-manager");
  await removeOthers(admin, new Set(nodes.map(({ name }) => name)));

  const pods = (await Promise.all(nodes.map(({ name }) => listPods(admin, `spec.nodeName=${name}`)))).flat();
  const live = pods.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");
  await sandboxes.retain(new Set(live.map(({ metadata }) => metadata.uid ?? "")));
  const homes = new Set(nodes.map(({ name }) => home(name)));
  for (const left of [directory, ...directoriesIn(join(directory, NODES))]) {
    if (homes.has(left)) continue;
    await removeOrphans(left, [], logger);
    if (left !== directory) await rm(left, { recursive: true, force: true });
  }

  const gpus = gpusByNode(nodes, detectGpus(path));
  const shared = { ports: new HostPorts(), starts: new Limiter(2 * availableParallelism()), volumes: directory };
  const stack = new AsyncDisposableStack();
  const started = new Map<string, Node>();
  try {
    for (const [index, spec] of nodes.entries()) {
      const { name } = spec;
      const nodePortAddresses = index === 0 ? options.nodePortAddresses : undefined;
      const user = client(`node:${name}`);
      started.set(
        name,
        stack.use(await startNode({ ...options, client: user, name, directory: home(name), spec, gpus: gpus.get(name), shared, nodePortAddresses })),
      );
    }
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
  return { get: (name) => started.get(name), [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** What is bound to a node that is no more is given up. */
async function removeOthers(client: Client, names: ReadonlySet<string>): Promise<void> {
  const { items } = await client.list(NodeResource, { labelSelector: OWN_LABEL });
  for (const { metadata } of items) {
    if (names.has(metadata.name)) continue;
    try {
      await client.delete(NodeResource, metadata);
    } catch (error) {
      if (!isApiError(error, "NotFound")) throw error;
    }
  }
}

function directoriesIn(path: string): string[] {
  try {
    return readdirSync(path).map((name) => join(path, name));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
