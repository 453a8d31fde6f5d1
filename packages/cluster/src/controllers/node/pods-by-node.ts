import { defineIndex, type IndexDefinition } from "@sluice/controller";
import { Pod } from "@sluice/kubernetes";

/** Finds pods by the node that they are bound to. */
export const podsByNode: IndexDefinition = defineIndex(Pod, "node", ({ spec }) => (spec.nodeName === undefined ? [] : [spec.nodeName]));
