import type { Client } from "@sluice/client";
import type { Clock, Logger } from "@sluice/controller";
import { isApiError, jsonEqual, Lease, Node, type Taint } from "@sluice/kubernetes";
import type { Images } from "./images/images.ts";
import { inspectMachine } from "./machine.ts";
import { nodeObject, type NodeFacts } from "./node-object.ts";
import type { NodeSpec } from "./node-spec.ts";
import type { SandboxFeatures } from "./sandbox/sandbox.ts";
import { volumesDirectory } from "./volumes/bound-volume.ts";

/** What keeps a node registered. */
export interface RegistrationOptions {
  readonly client: Client;
  readonly name: string;
  readonly directory: string;
  /** Below it volumes are kept, for all nodes of a machine. */
  readonly volumes: string;
  readonly features: SandboxFeatures;
  readonly spec?: NodeSpec | undefined;
  readonly gpus: number;
  readonly hostIp: string;
  readonly images: Pick<Images, "list">;
  readonly version: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const LEASE_NAMESPACE = "kube-node-lease";
const LEASE_SECONDS = 40;
/** As upstream: how often the lease is renewed. */
const HEARTBEAT_MS = 10_000;
/** How often the node's status is written though nothing but its time has changed. */
const STATUS_MS = 300_000;

/** Registers the node, or brings its object up to date; it has `taints`, whatever others it has. */
export async function registerNode(options: RegistrationOptions, taints: readonly Taint[] = []): Promise<Node> {
  const { client, name } = options;
  for (;;) {
    const current = await client.find(Node, { name });
    const wanted = withTaints(nodeObject(factsOf(options), current), taints);
    try {
      const written = current === undefined ? await client.create(Node, wanted) : await client.update(Node, wanted);
      return await client.update(Node, { ...wanted, metadata: written.metadata }, { subresource: "status" });
    } catch (error) {
      // Somebody has labelled it meanwhile, or made or deleted it.
      if (!isApiError(error, "Conflict") && !isApiError(error, "AlreadyExists") && !isApiError(error, "NotFound")) throw error;
    }
  }
}

/** Renews the lease and keeps the node's status true, whoever else has written it, until `signal` aborts; `beat` is called each time. */
export async function keepNode(registered: Node, options: RegistrationOptions, beat: () => void): Promise<void> {
  const { client, name, clock, logger, signal } = options;
  let node = registered;
  let reported = clock.now();
  while (!signal.aborted) {
    try {
      await renewLease(node, options);
      const current = await client.find(Node, { name });
      const isTrue = current !== undefined && jsonEqual(timeless(nodeObject(factsOf(options), current)), timeless(current));
      if (!isTrue || clock.now() - reported >= STATUS_MS) {
        node = await registerNode(options);
        reported = clock.now();
      }
    } catch (error) {
      logger.warn("the node's heartbeat failed", { node: name, error });
    }
    await clock.sleep(HEARTBEAT_MS, signal);
    if (!signal.aborted) beat();
  }
}

function withTaints(node: Node, taints: readonly Taint[]): Node {
  if (taints.length === 0) return node;
  const others = (node.spec?.taints ?? []).filter((one) => !taints.some(({ key, effect }) => key === one.key && effect === one.effect));
  return { ...node, spec: { ...node.spec, taints: [...others, ...taints] } };
}

function factsOf({ name, directory, volumes, features, spec, gpus, hostIp, images, version, clock }: RegistrationOptions): NodeFacts {
  const machine = inspectMachine(directory);
  const facts = { name, volumesDirectory: volumesDirectory(volumes), machine, features, spec, gpus };
  return { ...facts, hostIp, images: images.list(), version, now: clock.now() };
}

function timeless({ status }: Node): unknown {
  return { ...status, conditions: status?.conditions?.map(({ lastHeartbeatTime: _time, ...condition }) => condition) };
}

async function renewLease(node: Node, { client, name, clock }: RegistrationOptions): Promise<void> {
  const key = { namespace: LEASE_NAMESPACE, name };
  const renewTime = new Date(clock.now()).toISOString().replace("Z", "000Z");
  const current = await client.find(Lease, key);
  if (current !== undefined) {
    await client.update(Lease, { ...current, spec: { ...current.spec, holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime } });
    return;
  }
  const ownerReferences = [{ apiVersion: "v1", kind: "Node", name, uid: node.metadata.uid ?? "" }];
  await client.create(Lease, {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { ...key, ownerReferences },
    spec: { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime },
  });
}
