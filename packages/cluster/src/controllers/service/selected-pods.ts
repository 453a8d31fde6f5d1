import type { Cache } from "@sluice/controller";
import { Pod, Service, type ObjectKey } from "@sluice/kubernetes";

/** The pods that a service leads to; undefined where it has no selector, so that somebody else says where it leads. */
export function selectedPods({ metadata, spec }: Service, cache: Cache): Pod[] | undefined {
  const { selector, type } = spec;
  if (selector === undefined || Object.keys(selector).length === 0 || type === "ExternalName") return undefined;
  return cache.list(Pod, metadata.namespace).filter((pod) => selects(selector, pod));
}

/** The services that lead to a pod. */
export function selectingServices({ metadata }: Pod, cache: Cache): ObjectKey[] {
  return cache
    .list(Service, metadata.namespace)
    .filter(({ spec }) => spec.selector !== undefined && selects(spec.selector, { metadata }))
    .map((service) => service.metadata);
}

function selects(selector: Readonly<Record<string, string>>, { metadata: { labels = {} } }: Pick<Pod, "metadata">): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}
