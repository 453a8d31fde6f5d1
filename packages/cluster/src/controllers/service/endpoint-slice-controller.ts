import { defineController, type Controller } from "@sluice/controller";
import { EndpointSlice, Pod, Service } from "@sluice/kubernetes";
import { keepSlices } from "./keep-slices.ts";
import { MANAGED_BY, planEndpointSlices } from "./plan-endpoint-slices.ts";
import { selectedPods, selectingServices } from "./selected-pods.ts";

/** Keeps the EndpointSlices of services that select pods. */
export function endpointSliceController(): Controller {
  return defineController({
    name: "endpointslice-controller",
    for: Service,
    owns: [EndpointSlice],
    watches: [{ resource: Pod, keys: selectingServices }],
    concurrency: 5,
    async reconcile(key, context) {
      const { cache } = context;
      const service = cache.get(Service, key);
      if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
      const pods = selectedPods(service, cache);
      if (pods === undefined) return;
      const present = cache
        .byIndex(EndpointSlice, "owner", service.metadata.uid ?? "")
        .filter(({ metadata }) => metadata.labels?.["endpointslice.kubernetes.io/managed-by"] === MANAGED_BY);
      await keepSlices(planEndpointSlices(service, pods), present, context);
    },
  });
}
