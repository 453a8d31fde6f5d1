import type { ReconcileContext } from "@sluice/controller";
import {
  apiVersionOf,
  isApiError,
  labelSelectorFrom,
  type KubernetesObject,
  type LabelSelectorSpec,
  type ObjectMeta,
  type OwnerReference,
  type Resource,
} from "@sluice/kubernetes";

/** Who controls objects by selecting them. */
export interface Claimant<T extends KubernetesObject> {
  readonly owner: KubernetesObject;
  readonly resource: Resource<T>;
  readonly selector: LabelSelectorSpec;
  /** What holds objects that it adopts. */
  readonly finalizer?: string;
}

/** Of `candidates` those that the claimant controls: it adopts what matches and nobody controls, and lets go of what matches no more. */
export async function claim<C extends KubernetesObject, T extends KubernetesObject>(
  claimant: Claimant<C>,
  resource: Resource<T>,
  candidates: readonly T[],
  context: ReconcileContext,
): Promise<T[]> {
  const { owner } = claimant;
  const selector = labelSelectorFrom(claimant.selector);
  const { uid } = owner.metadata;
  const isGoing = owner.metadata.deletionTimestamp !== undefined;
  const claimed: T[] = [];
  for (const object of candidates) {
    const { ownerReferences = [], labels, deletionTimestamp } = object.metadata;
    const controller = ownerReferences.find((reference) => reference.controller === true);
    const isMatch = selector.matches(labels);
    if (controller?.uid === uid) {
      if (isMatch) claimed.push(object);
      else if (!isGoing)
        await patchMeta(resource, object, { ownerReferences: ownerReferences.filter((reference) => reference.uid !== uid) }, context);
    } else if (controller === undefined && isMatch && !isGoing && deletionTimestamp === undefined) {
      const adopted = await patchMeta(resource, object, adoption(claimant, object), context);
      if (adopted !== undefined) claimed.push(adopted);
    }
  }
  return claimed;
}

/** The reference of what a claimant creates or adopts. */
export function controllerReference<T extends KubernetesObject>({ owner, resource }: Pick<Claimant<T>, "owner" | "resource">): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}

function adoption<C extends KubernetesObject>(claimant: Claimant<C>, { metadata }: KubernetesObject): Partial<ObjectMeta> {
  const { ownerReferences = [], finalizers = [] } = metadata;
  const { finalizer } = claimant;
  const held = finalizer === undefined || finalizers.includes(finalizer) ? {} : { finalizers: [...finalizers, finalizer] };
  return { ownerReferences: [...ownerReferences, controllerReference(claimant)], ...held };
}

/** The object after the change; undefined if it is not there any more, or not the same. */
async function patchMeta<T extends KubernetesObject>(
  resource: Resource<T>,
  { metadata }: T,
  change: Partial<ObjectMeta>,
  { client }: ReconcileContext,
): Promise<T | undefined> {
  const { uid, resourceVersion } = metadata;
  try {
    return await client.patch(resource, metadata, { type: "merge", body: { metadata: { uid, resourceVersion, ...change } } });
  } catch (error) {
    // It has changed or gone: its event brings the question back.
    if (isApiError(error, "Conflict") || isApiError(error, "NotFound")) return undefined;
    throw error;
  }
}
