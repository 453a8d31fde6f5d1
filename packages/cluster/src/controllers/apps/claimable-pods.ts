import { defineIndex, type Cache, type IndexDefinition } from "@sluice/controller";
import { Pod, type KubernetesObject } from "@sluice/kubernetes";

/** Finds pods that nobody controls by their namespace. */
export const freePods: IndexDefinition = defineIndex(Pod, "free", ({ metadata }) => (isControlled({ metadata }) ? [] : [metadata.namespace ?? ""]));

/** The pods that an owner may claim: its own and those of nobody. Needs the index `freePods`. */
export function claimablePods({ metadata: { uid = "", namespace = "" } }: KubernetesObject, cache: Cache): Pod[] {
  const own = cache.byIndex(Pod, "owner", uid).filter((pod) => isControlled(pod));
  return [...own, ...cache.byIndex(Pod, freePods.name, namespace)];
}

/** Whether somebody controls an object. */
export function isControlled({ metadata }: Pick<KubernetesObject, "metadata">): boolean {
  return metadata.ownerReferences?.some(({ controller }) => controller === true) === true;
}
