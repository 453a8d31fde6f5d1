import type { PriorityClass, UnknownObject } from "@sluice/kubernetes";
import type { Strategy } from "../strategy.ts";
import { forbid, immutable } from "./immutable.ts";

const HIGHEST_USER_PRIORITY = 1_000_000_000;
const SYSTEM = "system-";
const SYSTEM_CLASSES: readonly string[] = ["system-node-critical", "system-cluster-critical"];

/** Priority classes: the system's own stay, and nobody else's come near them. */
export const priorityClassStrategy: Strategy = {
  hasGeneration: true,
  undeletable: ({ metadata: { name } }) => (SYSTEM_CLASSES.includes(name) ? "this is a system priority class and cannot be deleted" : undefined),
  validate: (next, current) => {
    const { metadata, value, preemptionPolicy } = next as UnknownObject & PriorityClass;
    const before = current as (UnknownObject & PriorityClass) | undefined;
    if (before !== undefined) {
      const changed = "may not be changed in an update.";
      return [
        ...(value === before.value ? [] : [forbid("value", changed)]),
        ...(preemptionPolicy === before.preemptionPolicy ? [] : [immutable("preemptionPolicy", preemptionPolicy)]),
      ];
    }
    if (SYSTEM_CLASSES.includes(metadata.name)) return [];
    return [
      ...(metadata.name.startsWith(SYSTEM)
        ? [
            forbid(
              "metadata.name",
              `priority class names with '${SYSTEM}' prefix are reserved for system use only. error: ${metadata.name} is not a known system priority class`,
            ),
          ]
        : []),
      ...(value > HIGHEST_USER_PRIORITY ? [forbid("value", `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`)] : []),
    ];
  },
};
