import { isDeepStrictEqual } from "node:util";
import type { ReconcileContext } from "@sluice/controller";
import { ControllerRevision, isApiError, StatefulSet, type PodTemplateSpec } from "@sluice/kubernetes";
import { claim, controllerReference } from "./claim.ts";
import { templateHash } from "./template-hash.ts";

const HASH_LABEL = "controller.kubernetes.io/hash";
/** Leaves room for the hash in an object's name. */
const LONGEST_PREFIX = 223;

/** The revisions of a set, oldest first, the one that its status names, and the one that its template makes. */
export interface Revisions {
  readonly all: readonly ControllerRevision[];
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  readonly collisionCount: number;
}

/** Finds a set's revisions. A template that none of them holds makes a new one; one that an older holds makes that the newest. */
export async function findRevisions(set: StatefulSet, context: ReconcileContext): Promise<Revisions> {
  const claimant = { owner: set, resource: StatefulSet, selector: set.spec.selector };
  const owned = await claim(claimant, ControllerRevision, context.cache.list(ControllerRevision, set.metadata.namespace), context);
  const known = owned.toSorted((a, b) => a.revision - b.revision);
  const last = known.at(-1);
  const next = (last?.revision ?? 0) + 1;
  const data = dataOf(set);
  const equal = known.findLast((revision) => isDeepStrictEqual(revision.data, data));
  let collisionCount = set.status?.collisionCount ?? 0;
  let update = equal;
  if (equal === undefined) ({ revision: update, collisionCount } = await createRevision(set, next, collisionCount, context));
  else if (equal !== last) update = await context.client.patch(ControllerRevision, equal.metadata, { type: "merge", body: { revision: next } });
  if (update === undefined) throw new Error(`StatefulSet ${set.metadata.name} has no revision`);
  const newest = update;
  const all = [...known.filter(({ metadata }) => metadata.name !== newest.metadata.name), newest];
  return { all, current: all.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? newest, update: newest, collisionCount };
}

/** The pod template that a revision holds. */
export function templateOf({ data, metadata }: ControllerRevision): PodTemplateSpec {
  const spec = data?.["spec"];
  const template = typeof spec === "object" && spec !== null && "template" in spec ? spec.template : undefined;
  if (typeof template !== "object" || template === null) throw new Error(`ControllerRevision ${metadata.name} holds no pod template`);
  const { $patch: _, ...rest } = template as PodTemplateSpec & { readonly $patch?: string };
  return rest;
}

/** Deletes the oldest of the revisions that nothing uses, beyond as many as a rollback may want. */
export async function forgetRevisions(
  set: StatefulSet,
  { all, current, update }: Revisions,
  used: ReadonlySet<string>,
  { client }: ReconcileContext,
): Promise<void> {
  const idle = all.filter((revision) => revision !== current && revision !== update && !used.has(revision.metadata.name));
  for (const { metadata } of idle.slice(0, Math.max(0, idle.length - (set.spec.revisionHistoryLimit ?? 10)))) {
    await client.delete(ControllerRevision, metadata, metadata.uid === undefined ? {} : { preconditions: { uid: metadata.uid } });
  }
}

/** What a revision holds: the strategic merge patch that brings its template back, as `kubectl rollout undo` sends it. */
function dataOf({ spec }: StatefulSet): Record<string, unknown> {
  return { spec: { template: { ...spec.template, $patch: "replace" } } };
}

async function createRevision(
  set: StatefulSet,
  revision: number,
  collisions: number,
  { client }: ReconcileContext,
): Promise<{ readonly revision: ControllerRevision; readonly collisionCount: number }> {
  const { namespace, name: setName, annotations } = set.metadata;
  const data = dataOf(set);
  for (let collisionCount = collisions; ; collisionCount++) {
    const hash = templateHash(set.spec.template, collisionCount);
    const name = `${setName.slice(0, LONGEST_PREFIX)}-${hash}`;
    const wanted: ControllerRevision = {
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        labels: { ...set.spec.template.metadata?.labels, [HASH_LABEL]: hash },
        ...(annotations === undefined ? {} : { annotations }),
        ownerReferences: [controllerReference({ owner: set, resource: StatefulSet })],
      },
      data,
      revision,
    };
    try {
      return { revision: await client.create(ControllerRevision, wanted), collisionCount };
    } catch (error) {
      if (!isApiError(error, "AlreadyExists")) throw error;
      const present = await client.find(ControllerRevision, { namespace, name });
      const isOurs = present?.metadata.ownerReferences?.some(({ uid }) => uid === set.metadata.uid) === true;
      if (present !== undefined && isOurs && isDeepStrictEqual(present.data, data)) return { revision: present, collisionCount };
    }
  }
}
