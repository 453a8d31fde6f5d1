import { jsonEqual } from "@sluice/kubernetes";
import type { Strategy } from "../strategy.ts";

/** Role bindings: whom they bind may change, to what not. */
export const roleBindingStrategy: Strategy = {
  hasGeneration: false,
  nameRule: "path",
  createsOnUpdate: true,
  validate: (next, current) => {
    if (current === undefined || jsonEqual(next["roleRef"], current["roleRef"])) return [];
    return [{ reason: "FieldValueInvalid", field: "roleRef", message: `Invalid value: ${JSON.stringify(next["roleRef"])}: cannot change roleRef` }];
  },
};
