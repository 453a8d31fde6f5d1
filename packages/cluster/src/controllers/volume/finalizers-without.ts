import type { KubernetesObject } from "@sluice/kubernetes";

/** An object's finalizers without that one; undefined if it has not got it. */
export function finalizersWithout({ metadata: { finalizers = [] } }: KubernetesObject, finalizer: string): string[] | undefined {
  return finalizers.includes(finalizer) ? finalizers.filter((one) => one !== finalizer) : undefined;
}
