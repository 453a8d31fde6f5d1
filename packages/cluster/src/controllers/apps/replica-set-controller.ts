import { isDeepStrictEqual } from "node:util";
import { defineController, type Controller, type ReconcileContext, type ReconcileResult } from "@sluice/controller";
import {
  isApiError,
  labelSelectorFrom,
  Pod,
  ReplicaSet,
  ReplicationController,
  type LabelSelectorSpec,
  type ReplicaSetStatus,
  type Resource,
} from "@sluice/kubernetes";
import { createInBatches } from "../create-in-batches.ts";
import { isNamespaceTerminating } from "../namespace-terminating.ts";
import { byWorth, isActive, isReady, isTerminating } from "../pod-state.ts";
import { claim, controllerReference } from "./claim.ts";
import { claimablePods, freePods, isControlled } from "./claimable-pods.ts";
import { timeToAvailability } from "./pod-availability.ts";

const MOST_AT_ONCE = 500;

/** What to do about the pods. */
interface ReplicaPlan {
  readonly create: number;
  readonly remove: readonly Pod[];
  readonly status: ReplicaSetStatus;
  /** When a pod will have been ready for long enough, in milliseconds from now. */
  readonly requeueAfter?: number;
}

/** What keeps a number of pods: ReplicaSets, and their elders. */
type Replicated = ReplicaSet | ReplicationController;

/** How the one differs from the other. */
interface ReplicaKind<T extends Replicated> {
  readonly name: string;
  readonly resource: Resource<T>;
  selectorOf(set: T): LabelSelectorSpec;
}

/** Keeps as many pods running as each ReplicaSet wants. */
export function replicaSetController(): Controller {
  return replicaController({ name: "replicaset-controller", resource: ReplicaSet, selectorOf: ({ spec }) => spec.selector });
}

/** Keeps as many pods running as each ReplicationController wants. */
export function replicationController(): Controller {
  return replicaController({
    name: "replication-controller",
    resource: ReplicationController,
    selectorOf: ({ spec }) => ({ matchLabels: spec.selector ?? spec.template?.metadata?.labels ?? {} }),
  });
}

function replicaController<T extends Replicated>({ name, resource, selectorOf }: ReplicaKind<T>): Controller {
  return defineController({
    name,
    for: resource,
    owns: [Pod],
    indexes: [freePods],
    watches: [
      {
        resource: Pod,
        keys({ metadata }, cache) {
          if (isControlled({ metadata })) return [];
          const sets = cache.list(resource, metadata.namespace);
          return sets.filter((set) => labelSelectorFrom(selectorOf(set)).matches(metadata.labels)).map((set) => set.metadata);
        },
      },
    ],
    concurrency: 5,
    async reconcile(key, context) {
      const set = context.cache.get(resource, key);
      if (set === undefined) return;
      const pods = await claim({ owner: set, resource, selector: selectorOf(set) }, Pod, claimablePods(set, context.cache), context);
      return carryOut(set, resource, planReplicas(set, pods, context.clock.now()), context);
    },
  });
}

/** Plans the next step from the pods that it controls and the time in milliseconds. */
function planReplicas(set: Replicated, pods: readonly Pod[], now: number): ReplicaPlan {
  const { spec, metadata } = set;
  const active = pods.filter(isActive);
  const surplus = active.length - (spec.replicas ?? 1);
  const isGoing = metadata.deletionTimestamp !== undefined;
  const waits = active.map((pod) => timeToAvailability(pod, spec.minReadySeconds ?? 0, now));
  const next = Math.min(...waits.filter((wait) => wait > 0));
  const wanted = Object.entries(spec.template?.metadata?.labels ?? {});
  return {
    create: isGoing ? 0 : Math.min(Math.max(0, -surplus), MOST_AT_ONCE),
    remove: isGoing || surplus <= 0 ? [] : active.toSorted(byWorth).slice(0, Math.min(surplus, MOST_AT_ONCE)),
    status: {
      replicas: active.length,
      fullyLabeledReplicas: active.filter((pod) => wanted.every(([key, value]) => pod.metadata.labels?.[key] === value)).length,
      readyReplicas: active.filter(isReady).length,
      availableReplicas: waits.filter((wait) => wait === 0).length,
      ...(set.kind === "ReplicaSet" ? { terminatingReplicas: pods.filter(isTerminating).length } : {}),
      observedGeneration: metadata.generation ?? 0,
      ...(set.status?.conditions === undefined ? {} : { conditions: set.status.conditions }),
    },
    ...(Number.isFinite(next) ? { requeueAfter: next } : {}),
  };
}

async function carryOut<T extends Replicated>(
  set: T,
  resource: Resource<T>,
  plan: ReplicaPlan,
  context: ReconcileContext,
): Promise<ReconcileResult | void> {
  const { client, events, clock } = context;
  await Promise.all(
    plan.remove.map(async (pod) => {
      const { uid, name } = pod.metadata;
      await client.delete(Pod, pod.metadata, uid === undefined ? {} : { preconditions: { uid } });
      events.record(set, { type: "Normal", reason: "SuccessfulDelete", message: `Deleted pod: ${name}` });
    }),
  );
  const { error } = await createInBatches(Array.from({ length: plan.create }), async () => {
    const { metadata } = await client.create(Pod, podOf(set, resource));
    events.record(set, { type: "Normal", reason: "SuccessfulCreate", message: `Created pod: ${metadata.name}` });
  });
  const isRefused = error !== undefined && !isNamespaceTerminating(error);
  const message = error instanceof Error ? error.message : String(error);
  if (isRefused) events.record(set, { type: "Warning", reason: "FailedCreate", message: `Error creating: ${message}` });
  await writeStatus(set, resource, withFailure(plan.status, isRefused ? message : undefined, clock.now()), context);
  if (isRefused) throw error;
  return plan.requeueAfter === undefined ? undefined : { requeueAfter: plan.requeueAfter };
}

function withFailure({ conditions = [], ...status }: ReplicaSetStatus, message: string | undefined, now: number): ReplicaSetStatus {
  const others = conditions.filter(({ type }) => type !== "ReplicaFailure");
  const old = conditions.find(({ type }) => type === "ReplicaFailure");
  const lastTransitionTime = `${new Date(now).toISOString().slice(0, 19)}Z`;
  // As upstream, the first failure is told: messages name the pod that was to be, hence each would be news, and work to do at once.
  const failed = (why: string): typeof others => [
    old ?? { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: why, lastTransitionTime },
  ];
  const all = message === undefined ? others : [...others, ...failed(message)];
  return all.length === 0 ? status : { ...status, conditions: all };
}

async function writeStatus<T extends Replicated>(
  set: T,
  resource: Resource<T>,
  status: ReplicaSetStatus,
  { client }: ReconcileContext,
): Promise<void> {
  if (isDeepStrictEqual(set.status, status)) return;
  try {
    await client.update(resource, { ...set, status }, { subresource: "status" });
  } catch (error) {
    if (!isApiError(error, "NotFound")) throw error; // Deleted meanwhile: nobody will ask.
  }
}

function podOf<T extends Replicated>(set: T, resource: Resource<T>): Pod {
  const { template } = set.spec;
  const { namespace, name } = set.metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...template?.metadata,
      name: "",
      generateName: `${name}-`,
      ...(namespace === undefined ? {} : { namespace }),
      ownerReferences: [controllerReference({ owner: set, resource })],
    },
    spec: template?.spec ?? { containers: [] },
  };
}
