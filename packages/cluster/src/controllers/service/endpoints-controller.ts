import { isDeepStrictEqual } from "node:util";
import { defineController, type Controller } from "@sluice/controller";
import { Endpoints, Pod, Service, type ObjectKey } from "@sluice/kubernetes";
import { isNamespaceTerminating } from "../namespace-terminating.ts";
import { ENDPOINT_CONTROLLER, ENDPOINTS_MANAGED_BY, planEndpoints } from "./plan-endpoints.ts";
import { selectedPods, selectingServices } from "./selected-pods.ts";

/** Keeps the Endpoints of services that select pods, for clients of the older API; those of a service go with it. */
export function endpointsController(): Controller {
  return defineController({
    name: "endpoint-controller",
    for: Service,
    watches: [
      { resource: Pod, keys: selectingServices },
      {
        resource: Endpoints,
        keys: ({ metadata }): ObjectKey[] => (metadata.labels?.[ENDPOINTS_MANAGED_BY] === ENDPOINT_CONTROLLER ? [metadata] : []),
      },
    ],
    concurrency: 5,
    async reconcile(key, { cache, client }) {
      const service = cache.get(Service, key);
      const present = cache.get(Endpoints, key);
      if (service === undefined) {
        if (present !== undefined) await client.delete(Endpoints, key);
        return;
      }
      const pods = selectedPods(service, cache);
      if (pods === undefined || service.metadata.deletionTimestamp !== undefined) return;
      const wanted = planEndpoints(service, pods);
      if (present !== undefined && isSame(present, wanted)) return;
      try {
        if (present === undefined) await client.create(Endpoints, wanted);
        else await client.update(Endpoints, { ...wanted, metadata: { ...present.metadata, ...wanted.metadata } });
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
      }
    },
  });
}

function isSame(present: Endpoints, wanted: Endpoints): boolean {
  const content = ({ metadata, subsets = [] }: Endpoints): unknown => [
    metadata.labels,
    metadata.annotations?.["endpoints.kubernetes.io/over-capacity"],
    subsets,
  ];
  return isDeepStrictEqual(content(present), content(wanted));
}
