import { isDeepStrictEqual } from "node:util";
import { defineController, type Cache, type Controller, type ReconcileContext, type ReconcileResult } from "@sluice/controller";
import {
  ApiError,
  ControllerRevision,
  isApiError,
  labelSelectorFrom,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
  type ObjectKey,
  type StatefulSetStatus,
} from "@sluice/kubernetes";
import { createInBatches } from "../create-in-batches.ts";
import { isNamespaceTerminating } from "../namespace-terminating.ts";
import { claim } from "./claim.ts";
import { claimablePods, freePods, isControlled } from "./claimable-pods.ts";
import { planStatefulSet, type StatefulPod } from "./plan-stateful-set.ts";
import { claimsOf, ordinalOf, podName, podOfStatefulSet, revisionOf } from "./stateful-set-pods.ts";
import { findRevisions, forgetRevisions, templateOf, type Revisions } from "./stateful-set-revisions.ts";

/** Keeps the pods of StatefulSets, each with its name and its claims. */
export function statefulSetController(): Controller {
  return defineController({
    name: "statefulset-controller",
    for: StatefulSet,
    owns: [Pod, ControllerRevision],
    indexes: [freePods],
    watches: [
      { resource: Pod, keys: adopters },
      { resource: PersistentVolumeClaim, keys: claimants },
    ],
    concurrency: 5,
    async reconcile(key, context) {
      const set = context.cache.get(StatefulSet, key);
      if (set === undefined) return;
      const revisions = await withoutNamespace(() => findRevisions(set, context));
      if (revisions === undefined) return;
      const claimant = { owner: set, resource: StatefulSet, selector: set.spec.selector };
      const candidates = claimablePods(set, context.cache).filter((pod) => ordinalOf(set, pod) !== undefined);
      const pods = await claim(claimant, Pod, candidates, context);
      return carryOut(set, pods, revisions, context);
    },
  });
}

async function carryOut(set: StatefulSet, pods: readonly Pod[], revisions: Revisions, context: ReconcileContext): Promise<ReconcileResult | void> {
  const { cache, client, events, clock } = context;
  const { current, update, collisionCount } = revisions;
  const claims = new Map(cache.list(PersistentVolumeClaim, set.metadata.namespace).map((one) => [one.metadata.name, one]));
  const plan = planStatefulSet({
    ...{ set, pods, claims, collisionCount },
    ...{ current: current.metadata.name, update: update.metadata.name, now: clock.now() },
  });
  for (const { claim: one, owners } of plan.hand) {
    const { uid, resourceVersion } = one.metadata;
    await client.patch(PersistentVolumeClaim, one.metadata, {
      type: "merge",
      body: { metadata: { uid, resourceVersion, ownerReferences: owners } },
    });
  }
  for (const { pod, labels } of plan.amend)
    await client.patch(Pod, pod.metadata, { type: "merge", body: { metadata: { uid: pod.metadata.uid, labels } } });
  await Promise.all(plan.remove.map((pod) => removePod(set, pod, context)));
  let { error } = await createInBatches(plan.replenish, (ordinal) => createClaims(set, ordinal, claims, context));
  if (error === undefined) ({ error } = await createInBatches(plan.create, (wish) => createPod(set, wish, revisions, claims, context)));
  await writeStatus(set, plan.status, context);
  if (error !== undefined && !isNamespaceTerminating(error)) throw error;
  await forgetRevisions(set, revisions, new Set(pods.map(revisionOf)), context);
  return plan.requeueAfter === undefined ? undefined : { requeueAfter: plan.requeueAfter };

  async function removePod(owner: StatefulSet, { metadata }: Pod, { client: writer }: ReconcileContext): Promise<void> {
    const { uid, name } = metadata;
    try {
      await writer.delete(Pod, metadata, uid === undefined ? {} : { preconditions: { uid } });
    } catch (failure) {
      if (!isApiError(failure, "Conflict")) throw failure; // Another pod has its name by now.
      return;
    }
    events.record(owner, {
      type: "Normal",
      reason: "SuccessfulDelete",
      message: `Delete Pod ${name} in StatefulSet ${owner.metadata.name} successful`,
    });
  }
}

type Claims = ReadonlyMap<string, PersistentVolumeClaim>;

async function createPod(
  set: StatefulSet,
  { ordinal, revision }: StatefulPod,
  { all, update }: Revisions,
  claims: Claims,
  context: ReconcileContext,
): Promise<void> {
  const { client, events } = context;
  const name = podName(set, ordinal);
  const made = all.find(({ metadata }) => metadata.name === revision) ?? update;
  try {
    await createClaims(set, ordinal, claims, context);
    await client.create(Pod, podOfStatefulSet(set, ordinal, { name: made.metadata.name, template: templateOf(made) }));
  } catch (error) {
    if (!isNamespaceTerminating(error)) {
      const message = `Create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${error instanceof Error ? error.message : String(error)}`;
      events.record(set, { type: "Warning", reason: "FailedCreate", message });
    }
    throw error;
  }
  events.record(set, { type: "Normal", reason: "SuccessfulCreate", message: `Create Pod ${name} in StatefulSet ${set.metadata.name} successful` });
}

/** Creates what is missing of a pod's claims. */
async function createClaims(set: StatefulSet, ordinal: number, claims: Claims, { client, events }: ReconcileContext): Promise<void> {
  for (const wanted of claimsOf(set, ordinal)) {
    const { name } = wanted.metadata;
    const present = claims.get(name);
    if (present?.metadata.deletionTimestamp !== undefined) throw new ApiError("Conflict", `pvc ${name} is being deleted`);
    if (present !== undefined) continue;
    const where = `Pod ${podName(set, ordinal)} in StatefulSet ${set.metadata.name}`;
    try {
      await client.create(PersistentVolumeClaim, wanted);
    } catch (error) {
      if (isApiError(error, "AlreadyExists")) continue;
      if (!isNamespaceTerminating(error)) {
        const message = `Create Claim ${name} for ${where} failed error: ${error instanceof Error ? error.message : String(error)}`;
        events.record(set, { type: "Warning", reason: "FailedCreate", message });
      }
      throw error;
    }
    events.record(set, { type: "Normal", reason: "SuccessfulCreate", message: `Create Claim ${name} ${where} success` });
  }
}

async function writeStatus(set: StatefulSet, status: StatefulSetStatus, { client }: ReconcileContext): Promise<void> {
  if (isDeepStrictEqual(set.status, status)) return;
  try {
    await client.update(StatefulSet, { ...set, status }, { subresource: "status" });
  } catch (error) {
    if (!isApiError(error, "NotFound")) throw error; // Deleted meanwhile: nobody will ask.
  }
}

/** Undefined where nothing can be created any more, as the namespace is going. */
async function withoutNamespace<T>(create: () => Promise<T>): Promise<T | undefined> {
  try {
    return await create();
  } catch (error) {
    if (isNamespaceTerminating(error)) return undefined;
    throw error;
  }
}

function adopters({ metadata }: Pod, cache: Cache): ObjectKey[] {
  if (isControlled({ metadata })) return [];
  return cache
    .list(StatefulSet, metadata.namespace)
    .filter((set) => ordinalOf(set, { metadata }) !== undefined && labelSelectorFrom(set.spec.selector).matches(metadata.labels))
    .map((set) => set.metadata);
}

function claimants({ metadata }: PersistentVolumeClaim, cache: Cache): ObjectKey[] {
  return cache
    .list(StatefulSet, metadata.namespace)
    .filter(({ metadata: { name }, spec }) =>
      (spec.volumeClaimTemplates ?? []).some((template) => metadata.name.startsWith(`${template.metadata.name}-${name}-`)),
    )
    .map((set) => set.metadata);
}
