import { isDeepStrictEqual } from "node:util";
import { defineController, type Cache, type Controller, type ReconcileContext, type ReconcileResult } from "@sluice/controller";
import { isApiError, Job, labelSelectorFrom, Pod, type JobStatus, type ObjectKey } from "@sluice/kubernetes";
import { claim } from "../apps/claim.ts";
import { claimablePods, freePods, isControlled } from "../apps/claimable-pods.ts";
import { createInBatches } from "../create-in-batches.ts";
import { isNamespaceTerminating } from "../namespace-terminating.ts";
import { podOfJob } from "./job-pod.ts";
import { TRACKING_FINALIZER } from "./job-pods.ts";
import { planJob } from "./plan-job.ts";
import type { PodWish } from "./plan-workforce.ts";
import { releasePod } from "./release-pod.ts";

const MANAGER = "kubernetes.io/job-controller";

/** Runs Jobs: keeps as many pods as each needs, counts how they end, and says when it is over. */
export function jobController(): Controller {
  return defineController({
    name: "job-controller",
    for: Job,
    owns: [Pod],
    indexes: [freePods],
    watches: [{ resource: Pod, keys: adopters }],
    concurrency: 5,
    async reconcile(key, context) {
      const job = context.cache.get(Job, key);
      if (job === undefined || (job.spec.managedBy ?? MANAGER) !== MANAGER) return;
      const pods = await podsOf(job, context);
      return carryOut(job, pods, context);
    },
  });
}

/** The pods that the Job controls; what it selects and nobody controls becomes its own. */
async function podsOf(job: Job, context: ReconcileContext): Promise<Pod[]> {
  const candidates = claimablePods(job, context.cache);
  const { selector } = job.spec;
  if (selector === undefined) return candidates.filter((pod) => isControlled(pod));
  return claim({ owner: job, resource: Job, selector, finalizer: TRACKING_FINALIZER }, Pod, candidates, context);
}

function adopters({ metadata }: Pod, cache: Cache): ObjectKey[] {
  if (isControlled({ metadata })) return [];
  return cache
    .list(Job, metadata.namespace)
    .filter(({ spec }) => spec.selector !== undefined && labelSelectorFrom(spec.selector).matches(metadata.labels))
    .map((job) => job.metadata);
}

async function carryOut(job: Job, pods: readonly Pod[], context: ReconcileContext): Promise<ReconcileResult | void> {
  const plan = planJob(job, pods, context.clock.now());
  await Promise.all([
    ...plan.discard.map(async (pod) => {
      await releasePod(pod, context);
      await deletePod(job, pod, context);
    }),
    ...plan.stop.map((pod) => deletePod(job, pod, context)),
  ]);
  const { created, error } = await createInBatches(plan.create, (wish) => createPod(job, wish, context));
  const active = (plan.status.active ?? 0) - (plan.create.length - created);
  await writeStatus(job, { ...plan.status, active }, context);
  for (const event of plan.events) context.events.record(job, event);
  await Promise.all(plan.release.map((pod) => releasePod(pod, context)));
  if (error !== undefined && !isNamespaceTerminating(error)) {
    context.events.record(job, {
      type: "Warning",
      reason: "FailedCreate",
      message: `Error creating: ${error instanceof Error ? error.message : String(error)}`,
    });
    throw error;
  }
  return plan.requeueAfter === undefined ? undefined : { requeueAfter: plan.requeueAfter };
}

async function createPod(job: Job, wish: PodWish, { client, events }: ReconcileContext): Promise<void> {
  const { metadata } = await client.create(Pod, podOfJob(job, wish));
  events.record(job, { type: "Normal", reason: "SuccessfulCreate", message: `Created pod: ${metadata.name}` });
}

async function deletePod(job: Job, { metadata }: Pod, { client, events }: ReconcileContext): Promise<void> {
  const { uid } = metadata;
  try {
    const deleted = await client.delete(Pod, metadata, uid === undefined ? {} : { preconditions: { uid } });
    if (deleted !== undefined) events.record(job, { type: "Normal", reason: "SuccessfulDelete", message: `Deleted pod: ${metadata.name}` });
  } catch (error) {
    if (!isApiError(error, "Conflict")) throw error; // Another pod has its name: this one is gone.
  }
}

/** Writes a status that differs from what is there. What has changed meanwhile is a Conflict, and is looked at again. */
async function writeStatus(job: Job, status: JobStatus, { client }: ReconcileContext): Promise<void> {
  if (isDeepStrictEqual(job.status, status)) return;
  try {
    await client.update(Job, { ...job, status }, { subresource: "status" });
  } catch (error) {
    if (!isApiError(error, "NotFound")) throw error; // Deleted meanwhile: nobody will ask.
  }
}
