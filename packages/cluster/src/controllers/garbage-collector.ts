import { defineController, type Controller, type ReconcileContext } from "@sluice/controller";
import {
  Pod,
  type KubernetesObject,
  type ObjectKey,
  type ObjectMeta,
  type OwnerReference,
  type Resource,
  type UnknownObject,
} from "@sluice/kubernetes";
import { groupOf, isReferent, type GraphNode, type ObjectGraph } from "./object-graph.ts";
import { aborted, type World } from "./world.ts";

const FOREGROUND = "foregroundDeletion";
const ORPHAN = "orphan";

/** What an owner means to its dependent: it keeps it, it waits for it to go, or it is no more. */
type OwnerState = "solid" | "waiting" | "absent";

/**
 * Deletes what no owner keeps any more, and lets owners go once their dependents are dealt with. It looks at an object
 * only when the object, one of its owners or one of its dependents has changed.
 */
export function garbageCollector(world: World): Controller {
  const collector = new Collector(world);
  return defineController({
    name: "garbage-collector-controller",
    concurrency: 20,
    sources: [(context) => world.run(context), (context) => collector.follow(context.enqueue, context.signal)],
    reconcile: ({ name: uid }, context) => collector.process(uid, context),
  });
}

class Collector {
  readonly #world: World;
  readonly #graph: ObjectGraph;
  /** Objects with an owner of a kind that is not served: it may be served again. */
  readonly #undecided = new Set<string>();
  /** Of which kinds the dependents have been that an owner in deletion waited for. */
  readonly #awaited = new Map<string, Set<Resource<KubernetesObject>>>();
  #enqueue: (key: ObjectKey) => void = () => {};

  constructor(world: World) {
    this.#world = world;
    this.#graph = world.graph;
  }

  async follow(enqueue: (key: ObjectKey) => void, signal: AbortSignal): Promise<void> {
    await this.#world.ready;
    this.#enqueue = enqueue;
    const stop = this.#graph.onChange((before, after) => this.#changed(before, after));
    this.#world.onKindsChange(() => {
      for (const uid of this.#undecided) enqueue({ name: uid });
      this.#undecided.clear();
    });
    for (const node of this.#graph.all()) this.#consider(node);
    await aborted(signal);
    stop();
  }

  #changed(before: GraphNode | undefined, after: GraphNode | undefined): void {
    if (after !== undefined) this.#consider(after);
    else if (before !== undefined) for (const dependent of this.#graph.dependents(before.uid)) this.#consider(dependent);
    for (const node of [before, after]) {
      for (const { uid } of node?.metadata.ownerReferences ?? []) {
        const owner = this.#graph.get(uid);
        if (owner !== undefined && isWaiting(owner.metadata)) this.#enqueue({ name: uid });
      }
    }
  }

  /** Asks for work on an object if there may be some: that most objects are well owned is known without a request. */
  #consider(node: GraphNode): void {
    const { deletionTimestamp, finalizers = [], ownerReferences = [] } = node.metadata;
    const needed =
      deletionTimestamp === undefined
        ? ownerReferences.some((reference) => this.#knownState(reference, node) !== "solid")
        : finalizers.includes(FOREGROUND) || finalizers.includes(ORPHAN);
    if (needed) this.#enqueue({ name: node.uid });
  }

  async process(uid: string, context: ReconcileContext): Promise<void> {
    const node = this.#graph.get(uid);
    if (node === undefined) return;
    const { deletionTimestamp, finalizers = [] } = node.metadata;
    if (deletionTimestamp === undefined) await this.#collect(node, context);
    else if (finalizers.includes(ORPHAN)) await this.#orphan(node, context);
    else if (finalizers.includes(FOREGROUND)) await this.#release(node, context);
  }

  /** Deletes the object if nobody keeps it, or drops its references to owners that do not. */
  async #collect(node: GraphNode, context: ReconcileContext): Promise<void> {
    if ((node.metadata.ownerReferences ?? []).every((reference) => this.#knownState(reference, node) === "solid")) return;
    const latest = await find(node, context);
    if (latest === undefined || latest.metadata.deletionTimestamp !== undefined) return;
    const owners = await Promise.all(
      (latest.metadata.ownerReferences ?? []).map(async (reference) => ({ reference, state: await this.#stateOf(reference, node, latest, context) })),
    );
    const solid = owners.filter(({ state }) => state === "solid").map(({ reference }) => reference);
    if (owners.length === solid.length) return;
    if (solid.length > 0) return patchMeta(node, latest, { ownerReferences: solid }, context);

    const isAwaited = owners.some(({ state }) => state === "waiting");
    const dependents = this.#graph.dependents(node.uid);
    if (isAwaited && dependents.some(({ metadata }) => isWaiting(metadata))) {
      // Its owner waits for it, and it would wait for its owner: in a circle nobody may block.
      await patchMeta(node, latest, { ownerReferences: owners.map(({ reference }) => ({ ...reference, blockOwnerDeletion: false })) }, context);
      await context.client.delete(node.resource, latest.metadata, { propagationPolicy: "Foreground", preconditions: { uid: node.uid } });
      return;
    }
    const { finalizers = [], resourceVersion } = latest.metadata;
    const inherited = finalizers.includes(ORPHAN) ? "Orphan" : finalizers.includes(FOREGROUND) ? "Foreground" : "Background";
    const propagationPolicy = isAwaited && dependents.length > 0 ? "Foreground" : inherited;
    const preconditions = { uid: node.uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    await context.client.delete(node.resource, latest.metadata, { propagationPolicy, preconditions });
  }

  /** Lets an owner go that was deleted in the foreground, once nobody blocks it. */
  async #release(owner: GraphNode, context: ReconcileContext): Promise<void> {
    const dependents = this.#graph.dependents(owner.uid);
    const kinds = this.#awaited.get(owner.uid) ?? new Set<Resource<KubernetesObject>>([Pod]);
    for (const { resource } of dependents) kinds.add(resource);
    this.#awaited.set(owner.uid, kinds);
    if (!dependents.some(({ metadata }) => blocks(metadata, owner))) {
      // A controller that had not heard of the deletion may just have made another one: its event comes yet.
      if (await hasBlockers(owner, kinds, context)) return;
      this.#awaited.delete(owner.uid);
      return removeFinalizer(owner, FOREGROUND, context);
    }
    for (const { uid, metadata } of dependents) if (metadata.deletionTimestamp === undefined) this.#enqueue({ name: uid });
  }

  /** Lets an owner go whose dependents are to stay, once none refers to it. */
  async #orphan(owner: GraphNode, context: ReconcileContext): Promise<void> {
    await Promise.all(
      this.#graph.dependents(owner.uid).map(async (dependent) => {
        const latest = await find(dependent, context);
        if (latest === undefined) return;
        const ownerReferences = (latest.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.uid);
        await patchMeta(dependent, latest, { ownerReferences }, context);
      }),
    );
    await removeFinalizer(owner, ORPHAN, context);
  }

  /** What the graph knows of an owner: absent may also mean not seen yet. */
  #knownState(reference: OwnerReference, dependent: GraphNode): OwnerState {
    const owner = this.#graph.get(reference.uid);
    if (owner === undefined || !isReferent(owner, reference, dependent)) return "absent";
    return isWaiting(owner.metadata) ? "waiting" : "solid";
  }

  /** What an owner is in truth: one that the graph does not show is looked up. */
  async #stateOf(reference: OwnerReference, node: GraphNode, dependent: UnknownObject, { client, events }: ReconcileContext): Promise<OwnerState> {
    const known = this.#knownState(reference, node);
    if (known !== "absent") return known;
    const { apiVersion, kind, name, uid } = reference;
    const resource = this.#world.kinds.find((one) => one.kind === kind && one.group === groupOf(apiVersion));
    if (resource === undefined) {
      this.#undecided.add(node.uid);
      return "solid";
    }
    const { namespace } = dependent.metadata;
    if (resource.scope === "Namespaced" && namespace === undefined) {
      const message = `ownerRef [${apiVersion}/${kind}, name: ${name}, uid: ${uid}] is namespaced, but its dependent is cluster-scoped`;
      events.record(dependent, { type: "Warning", reason: "OwnerRefInvalidNamespace", message });
      return "solid";
    }
    const owner = await client.find(resource, resource.scope === "Namespaced" ? { namespace, name } : { name });
    if (owner?.metadata.uid === uid) return isWaiting(owner.metadata) ? "waiting" : "solid";
    const elsewhere = this.#graph.get(uid)?.metadata.namespace;
    if (elsewhere !== undefined && elsewhere !== namespace) {
      const message = `ownerRef [${apiVersion}/${kind}, namespace: ${namespace ?? ""}, name: ${name}, uid: ${uid}] does not exist in namespace ${JSON.stringify(namespace)}`;
      events.record(dependent, { type: "Warning", reason: "OwnerRefInvalidNamespace", message });
    }
    return "absent";
  }
}

/** Whether an object must go before its owner may. */
function blocks({ ownerReferences = [] }: ObjectMeta, owner: GraphNode): boolean {
  return ownerReferences.some(({ uid, blockOwnerDeletion }) => uid === owner.uid && blockOwnerDeletion === true);
}

/** Whether the API knows of objects of these kinds that must go before their owner may. */
async function hasBlockers(owner: GraphNode, kinds: ReadonlySet<Resource<KubernetesObject>>, { client }: ReconcileContext): Promise<boolean> {
  const { namespace } = owner.metadata;
  const lists = await Promise.all([...kinds].map((resource) => client.list(resource, namespace === undefined ? {} : { namespace })));
  return lists.some(({ items }) => items.some(({ metadata }) => blocks(metadata, owner)));
}

/** Whether an owner is being deleted in the foreground: it goes after its dependents. */
function isWaiting({ deletionTimestamp, finalizers = [] }: ObjectMeta): boolean {
  return deletionTimestamp !== undefined && finalizers.includes(FOREGROUND);
}

/** The object as it is now, unless it is gone or another one has its name. */
async function find({ resource, uid, metadata }: GraphNode, { client }: ReconcileContext): Promise<UnknownObject | undefined> {
  const latest = await client.find(resource, metadata);
  return latest?.metadata.uid === uid ? latest : undefined;
}

async function patchMeta(
  { resource, uid }: GraphNode,
  latest: UnknownObject,
  change: Partial<ObjectMeta>,
  { client }: ReconcileContext,
): Promise<void> {
  const { resourceVersion } = latest.metadata;
  await client.patch(resource, latest.metadata, { type: "merge", body: { metadata: { uid, resourceVersion, ...change } } });
}

async function removeFinalizer(node: GraphNode, finalizer: string, context: ReconcileContext): Promise<void> {
  const latest = await find(node, context);
  const { finalizers = [] } = latest?.metadata ?? {};
  if (latest === undefined || !finalizers.includes(finalizer)) return;
  await patchMeta(node, latest, { finalizers: finalizers.filter((one) => one !== finalizer) }, context);
}
