import type { UnknownObject } from "@sluice/kubernetes";
import { toCoreGroup } from "./event-versions.ts";
import type { ServedResource } from "./registry.ts";
import type { ServerContext } from "./request-context.ts";

/** Whether the server counts the generations of this kind. */
export function hasGeneration({ resource, strategy, isCustom }: ServedResource): boolean {
  return strategy.hasGeneration ?? (isCustom || resource.subresources.status);
}

/** Whether nothing holds back an object whose deletion has begun. */
export function isFinished({ strategy }: ServedResource, object: UnknownObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  return deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0 && finalizers.length === 0 && strategy.isHeld?.(object) !== true;
}

/** The object under the version that the store keeps. */
export function toStorage(served: ServedResource, object: UnknownObject): UnknownObject {
  if (object.apiVersion === "events.k8s.io/v1") return toCoreGroup(object);
  return object.apiVersion === served.storageVersion ? object : { ...object, apiVersion: served.storageVersion };
}

/** The object with what no two may have; called while it is being written. */
export function allocated({ store }: ServerContext, { strategy }: ServedResource, object: UnknownObject): UnknownObject {
  return strategy.allocate?.(object, { staged: (table) => store.staged(table) }) ?? object;
}
