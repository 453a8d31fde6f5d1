import type { ClusterNames } from "../sandbox/dns/cluster-names.ts";
import type { ServiceCatalog } from "./service-catalog.ts";
import { reverseRecords, serviceRecords } from "./service-records.ts";

/** The names that the services of a catalog have, for the pods' name server. */
export function catalogNames(catalog: ServiceCatalog): ClusterNames {
  return {
    get isKnown() {
      return catalog.isSynced;
    },
    find: (name) => serviceRecords(name, catalog),
    reverse: (address) => reverseRecords(address, catalog),
  };
}
