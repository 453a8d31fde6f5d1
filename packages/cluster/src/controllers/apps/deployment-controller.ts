import { isDeepStrictEqual } from "node:util";
import { defineController, type Controller, type ReconcileContext, type ReconcileResult } from "@sluice/controller";
import { Deployment, isApiError, labelSelectorFrom, ReplicaSet, type DeploymentStatus } from "@sluice/kubernetes";
import { isNamespaceTerminating } from "../namespace-terminating.ts";
import { claim, controllerReference } from "./claim.ts";
import { newAnnotations, recordRevision, revisionOf } from "./deployment-revision.ts";
import { reportDeployment } from "./deployment-status.ts";
import { areEmpty, byAge, initialSize, planRollout, sizeOf } from "./plan-rollout.ts";
import { isScaled, planScale, sizeAnnotations } from "./plan-scale.ts";
import { HASH_LABEL, isSameTemplate, templateHash } from "./template-hash.ts";

/** Leads each Deployment from its old ReplicaSets to the one that its template asks for. */
export function deploymentController(): Controller {
  return defineController({
    name: "deployment-controller",
    for: Deployment,
    owns: [ReplicaSet],
    watches: [
      {
        resource: ReplicaSet,
        keys({ metadata }, cache) {
          if (metadata.ownerReferences?.some(({ controller }) => controller === true) === true) return [];
          const deployments = cache.list(Deployment, metadata.namespace);
          return deployments.filter(({ spec }) => labelSelectorFrom(spec.selector).matches(metadata.labels)).map((deployment) => deployment.metadata);
        },
      },
    ],
    concurrency: 5,
    async reconcile(key, context) {
      const deployment = context.cache.get(Deployment, key);
      if (deployment === undefined) return;
      const claimant = { owner: deployment, resource: Deployment, selector: deployment.spec.selector };
      const sets = (await claim(claimant, ReplicaSet, context.cache.list(ReplicaSet, key.namespace), context)).toSorted(byAge);
      return carryOut(deployment, sets, context);
    },
  });
}

async function carryOut(deployment: Deployment, sets: readonly ReplicaSet[], context: ReconcileContext): Promise<ReconcileResult | void> {
  const { spec, metadata } = deployment;
  const current = sets.find((set) => isSameTemplate(set.spec.template, spec.template));
  const old = sets.filter((set) => set !== current);
  let creation: Creation = {};
  if (metadata.deletionTimestamp === undefined) {
    const mayCreate = current === undefined && (spec.strategy?.type !== "Recreate" || areEmpty(old));
    if (spec.paused === true || isScaled(deployment, sets)) {
      for (const [set, size] of planScale(deployment, current, old)) await resize(deployment, set, size, context);
    } else if (mayCreate) creation = await createReplicaSet(deployment, old, context);
    else for (const [set, size] of planRollout(deployment, current, old)) await resize(deployment, set, size, context);
    if (current !== undefined) await recordRevision(deployment, current, old, context);
  }
  const now = context.clock.now();
  const { status, deadline } = reportDeployment(
    deployment,
    {
      current,
      old,
      ...(creation.created === undefined ? {} : { created: creation.created }),
      ...(creation.error === undefined ? {} : { failure: messageOf(creation.error) }),
    },
    now,
  );
  await writeStatus(deployment, status, context);
  if (creation.error !== undefined) throw creation.error;
  if (status.updatedReplicas === spec.replicas && status.replicas === spec.replicas && !spec.paused) await forget(deployment, old, context);
  return deadline === undefined ? undefined : { requeueAfter: Math.max(0, deadline - now) };
}

/** What came of making a ReplicaSet: its name, or why there is none; neither if it is to be tried again. */
interface Creation {
  readonly created?: string;
  readonly error?: unknown;
}

async function createReplicaSet(deployment: Deployment, old: readonly ReplicaSet[], { client, events }: ReconcileContext): Promise<Creation> {
  const { spec, metadata, status } = deployment;
  const hash = templateHash(spec.template, status?.collisionCount ?? 0);
  const labels = { ...spec.template.metadata?.labels, [HASH_LABEL]: hash };
  const { selector } = spec;
  const name = `${metadata.name}-${hash}`;
  const replicas = initialSize(deployment, old);
  const set: ReplicaSet = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels,
      annotations: { ...newAnnotations(deployment, old), ...sizeAnnotations(deployment) },
      ownerReferences: [controllerReference({ owner: deployment, resource: Deployment })],
    },
    spec: {
      replicas,
      ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH_LABEL]: hash } },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  };
  try {
    await client.create(ReplicaSet, set);
  } catch (error) {
    if (isNamespaceTerminating(error)) return {};
    if (!isApiError(error, "AlreadyExists")) {
      const message = `Failed to create new replica set ${JSON.stringify(name)}: ${messageOf(error)}`;
      events.record(deployment, { type: "Warning", reason: "ReplicaSetCreateError", message });
      return { error: new Error(message, { cause: error }) };
    }
    // Another template has that name: the next attempt takes another one.
    await client.patch(Deployment, metadata, {
      type: "merge",
      subresource: "status",
      body: { status: { collisionCount: (status?.collisionCount ?? 0) + 1 } },
    });
    return {};
  }
  if (replicas > 0)
    events.record(deployment, { type: "Normal", reason: "ScalingReplicaSet", message: `Scaled up replica set ${name} from 0 to ${replicas}` });
  return { created: name };
}

async function resize(deployment: Deployment, set: ReplicaSet, replicas: number, { client, events }: ReconcileContext): Promise<void> {
  const { uid, resourceVersion, name, annotations: before = {} } = set.metadata;
  const annotations = sizeAnnotations(deployment);
  const isNoted = Object.entries(annotations).every(([key, value]) => before[key] === value);
  if (isNoted && sizeOf(set) === replicas) return;
  await client.patch(ReplicaSet, set.metadata, { type: "merge", body: { metadata: { uid, resourceVersion, annotations }, spec: { replicas } } });
  if (sizeOf(set) === replicas) return;
  const direction = replicas > sizeOf(set) ? "up" : "down";
  events.record(deployment, {
    type: "Normal",
    reason: "ScalingReplicaSet",
    message: `Scaled ${direction} replica set ${name} from ${sizeOf(set)} to ${replicas}`,
  });
}

/** Deletes the oldest of the empty ReplicaSets, beyond as many as a rollback may want. */
async function forget({ spec }: Deployment, old: readonly ReplicaSet[], { client }: ReconcileContext): Promise<void> {
  const empty = old
    .filter((set) => areEmpty([set]) && set.metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => revisionOf(a) - revisionOf(b));
  for (const { metadata } of empty.slice(0, Math.max(0, empty.length - (spec.revisionHistoryLimit ?? 10)))) {
    await client.delete(ReplicaSet, metadata, metadata.uid === undefined ? {} : { preconditions: { uid: metadata.uid } });
  }
}

async function writeStatus(deployment: Deployment, status: DeploymentStatus, { client }: ReconcileContext): Promise<void> {
  if (isDeepStrictEqual(deployment.status, status)) return;
  try {
    await client.patch(Deployment, deployment.metadata, {
      type: "merge",
      subresource: "status",
      body: { metadata: { uid: deployment.metadata.uid }, status },
    });
  } catch (error) {
    if (!isApiError(error, "NotFound")) throw error; // Deleted meanwhile: nobody will ask.
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
