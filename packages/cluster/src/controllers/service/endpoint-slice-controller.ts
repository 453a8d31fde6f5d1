import { isDeepStrictEqual } from "node:util";
import { defineController, type Cache, type Controller } from "@sluice/controller";
import { EndpointSlice, isApiError, Pod, Service, type ObjectKey } from "@sluice/kubernetes";
import { isNamespaceTerminating } from "../namespace-terminating.ts";
import { MANAGED_BY, planEndpointSlices } from "./plan-endpoint-slices.ts";

/** Keeps the EndpointSlices of services that select pods. */
export function endpointSliceController(): Controller {
  return defineController({
    name: "endpointslice-controller",
    for: Service,
    owns: [EndpointSlice],
    watches: [{ resource: Pod, keys: selectingServices }],
    concurrency: 5,
    async reconcile(key, { cache, client }) {
      const service = cache.get(Service, key);
      if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
      const { selector, type } = service.spec ?? {};
      // Without a selector somebody else says where the service leads.
      if (selector === undefined || Object.keys(selector).length === 0 || type === "ExternalName") return;
      const pods = cache.list(Pod, key.namespace).filter((pod) => selects(selector, pod));
      const wanted = planEndpointSlices(service, pods);
      const present = cache
        .byIndex(EndpointSlice, "owner", service.metadata.uid ?? "")
        .filter(({ metadata }) => metadata.labels?.["endpointslice.kubernetes.io/managed-by"] === MANAGED_BY);
      try {
        for (const slice of wanted) {
          const old = present.find(({ metadata }) => metadata.name === slice.metadata.name);
          if (old === undefined) await client.create(EndpointSlice, slice);
          else if (!isSame(old, slice)) await client.update(EndpointSlice, { ...slice, metadata: { ...old.metadata, ...slice.metadata } });
        }
      } catch (error) {
        if (isNamespaceTerminating(error)) return;
        throw error;
      }
      for (const { metadata } of present) if (!wanted.some((slice) => slice.metadata.name === metadata.name)) await deleteSlice(metadata);

      async function deleteSlice({ namespace, name, uid }: EndpointSlice["metadata"]): Promise<void> {
        try {
          await client.delete(EndpointSlice, { namespace, name }, uid === undefined ? {} : { preconditions: { uid } });
        } catch (error) {
          if (!isApiError(error, "Conflict")) throw error; // Another has its name by now.
        }
      }
    },
  });
}

function selectingServices({ metadata }: Pod, cache: Cache): ObjectKey[] {
  return cache
    .list(Service, metadata.namespace)
    .filter(({ spec }) => spec?.selector !== undefined && selects(spec.selector, { metadata }))
    .map((service) => service.metadata);
}

function selects(selector: Readonly<Record<string, string>>, { metadata: { labels = {} } }: Pick<Pod, "metadata">): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

function isSame(old: EndpointSlice, slice: EndpointSlice): boolean {
  const content = ({ metadata, endpoints, ports = [] }: EndpointSlice): unknown => [metadata.labels, endpoints, ports];
  return isDeepStrictEqual(content(old), content(slice));
}
