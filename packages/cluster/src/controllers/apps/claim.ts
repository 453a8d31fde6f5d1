import type { ReconcileContext } from "@sluice/controller";
import {
  apiVersionOf,
  isApiError,
  labelSelectorFrom,
  type KubernetesObject,
  type LabelSelectorSpec,
  type OwnerReference,
  type Resource,
} from "@sluice/kubernetes";

/** Who controls objects by selecting them. */
export interface Claimant<T extends KubernetesObject> {
  readonly owner: KubernetesObject;
  readonly resource: Resource<T>;
  readonly selector: LabelSelectorSpec;
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
        await setOwners(
          resource,
          object,
          ownerReferences.filter((reference) => reference.uid !== uid),
          context,
        );
    } else if (controller === undefined && isMatch && !isGoing && deletionTimestamp === undefined) {
      const isAdopted = await setOwners(resource, object, [...ownerReferences, controllerReference(claimant)], context);
      if (isAdopted) claimed.push(object);
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

/** Whether the object was still there, and the same. */
async function setOwners<T extends KubernetesObject>(
  resource: Resource<T>,
  object: T,
  ownerReferences: readonly OwnerReference[],
  { client }: ReconcileContext,
): Promise<boolean> {
  const { uid, resourceVersion } = object.metadata;
  try {
    await client.patch(resource, object.metadata, { type: "merge", body: { metadata: { uid, resourceVersion, ownerReferences } } });
    return true;
  } catch (error) {
    // It has changed or gone: its event brings the question back.
    if (isApiError(error, "Conflict") || isApiError(error, "NotFound")) return false;
    throw error;
  }
}
