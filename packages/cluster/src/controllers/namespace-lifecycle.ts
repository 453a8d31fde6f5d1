import type { Client } from "@sluice/client";
import { defineController, type Controller, type ReconcileContext, type ReconcileResult } from "@sluice/controller";
import { isApiError, Namespace, pathOf, Pod, type NamespaceCondition, type Resource } from "@sluice/kubernetes";
import { namespaceConditions, type NamespaceContent } from "./namespace-conditions.ts";
import type { GraphNode } from "./object-graph.ts";
import { aborted, type World } from "./world.ts";

const FINALIZER = "kubernetes";
/** Only for what no watch tells of. */
const LOOK_AGAIN_MS = 5000;

/** Empties a namespace that is being deleted, pods first so that they can end in order, and then lets it go. */
export function namespaceLifecycleController(world: World): Controller {
  return defineController({
    name: "namespace-controller",
    for: Namespace,
    when: (_before, after) => after?.metadata.deletionTimestamp !== undefined,
    concurrency: 4,
    sources: [
      async ({ cache, enqueue, signal }) => {
        const stop = world.graph.onChange((before, after) => {
          const name = (after ?? before)?.metadata.namespace;
          if (name === undefined || cache.get(Namespace, { name })?.metadata.deletionTimestamp === undefined) return;
          if (before === undefined || after === undefined || before.metadata.finalizers?.length !== after.metadata.finalizers?.length)
            enqueue({ name });
        });
        await aborted(signal);
        stop();
      },
    ],
    async reconcile({ name }, context) {
      const namespace = context.cache.get(Namespace, { name });
      if (namespace?.metadata.deletionTimestamp === undefined || !(namespace.spec?.finalizers ?? []).includes(FINALIZER)) return;
      await world.ready;
      return empty(namespace, world, context);
    },
  });
}

/** Deletes what is in the namespace, says what is left, and finalizes it once nothing is. */
async function empty(namespace: Namespace, world: World, context: ReconcileContext): Promise<ReconcileResult | void> {
  const { name } = namespace.metadata;
  const { client } = context;
  const residents = world.graph.inNamespace(name);
  const pods = residents.filter(({ resource }) => resource.kind === Pod.kind && resource.group === Pod.group);
  const failures: string[] = [];
  // The rest may be what pods need to end well: their accounts, volumes and configuration stay as long as they do.
  const due = (pods.length > 0 ? pods : residents).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  await Promise.all([...new Set(due.map(({ resource }) => resource))].map((resource) => deleteAll(client, resource, name, failures)));
  const overlooked = residents.length === 0 ? await deleteOverlooked(client, world.kinds, name, failures) : 0;
  if (residents.length > 0 || overlooked > 0 || failures.length > 0) {
    await report(namespace, namespaceConditions({ failures, content: contentOf(residents) }), context);
    if (failures.length > 0) throw new Error(`cannot empty namespace ${name}: ${failures.join("; ")}`);
    return overlooked > 0 ? { requeueAfter: LOOK_AGAIN_MS } : undefined;
  }
  const finalizers = (namespace.spec?.finalizers ?? []).filter((one) => one !== FINALIZER);
  const { resourceVersion: _, ...metadata } = namespace.metadata;
  try {
    await client.update(Namespace, { ...namespace, metadata, spec: { finalizers } }, { subresource: "finalize" });
  } catch (error) {
    if (!isApiError(error, "NotFound")) throw error; // Gone already.
  }
}

/** Deletes every object of one kind in the namespace. */
async function deleteAll(client: Client, resource: Resource, namespace: string, failures: string[]): Promise<void> {
  try {
    await client.request({
      method: "DELETE",
      path: pathOf(resource, { namespace }),
      body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background" },
    });
  } catch (error) {
    // A kind that is not served any more holds nothing.
    if (!isApiError(error, "NotFound")) failures.push(`${resource.plural}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Deletes what no watch has shown: Events, and what was created a moment ago. How many kinds are not empty even so. */
async function deleteOverlooked(client: Client, kinds: readonly Resource[], namespace: string, failures: string[]): Promise<number> {
  const isEmpty = async (resource: Resource): Promise<boolean> => {
    try {
      return (await client.list(resource, { namespace, limit: 1 })).items.length === 0;
    } catch (error) {
      if (isApiError(error, "NotFound")) return true;
      throw error;
    }
  };
  const left = await Promise.all(
    kinds
      .filter(({ scope }) => scope === "Namespaced")
      .map(async (resource) => {
        if (await isEmpty(resource)) return 0;
        await deleteAll(client, resource, namespace, failures);
        return (await isEmpty(resource)) ? 0 : 1;
      }),
  );
  return left.reduce<number>((sum, one) => sum + one, 0);
}

function contentOf(residents: readonly GraphNode[]): NamespaceContent {
  const kinds = new Map<string, number>();
  const finalizers = new Map<string, number>();
  const count = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const { resource, metadata } of residents) {
    count(kinds, `${resource.plural}.${resource.group}`);
    for (const finalizer of metadata.finalizers ?? []) count(finalizers, finalizer);
  }
  return { kinds, finalizers };
}

async function report(namespace: Namespace, wanted: readonly NamespaceCondition[], { client, clock }: ReconcileContext): Promise<void> {
  const now = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
  const before = namespace.status?.conditions ?? [];
  const isSame = wanted.every((one) =>
    before.some(
      ({ type, status, reason, message }) => type === one.type && status === one.status && reason === one.reason && message === one.message,
    ),
  );
  if (isSame) return;
  const conditions = wanted.map((one): NamespaceCondition => {
    const old = before.find(({ type }) => type === one.type);
    return { ...one, lastTransitionTime: old?.status === one.status ? (old.lastTransitionTime ?? now) : now };
  });
  await client.patch(Namespace, namespace.metadata, {
    type: "merge",
    subresource: "status",
    body: { metadata: { uid: namespace.metadata.uid }, status: { conditions } },
  });
}
