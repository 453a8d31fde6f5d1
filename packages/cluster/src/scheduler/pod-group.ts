import { defineResource, type KubernetesObject, type Resource } from "@sluice/kubernetes";

/** Pods that start together or not at all, as scheduler-plugins defines them. */
export interface PodGroup extends KubernetesObject {
  readonly spec?: {
    readonly minMember?: number;
    readonly minResources?: Readonly<Record<string, string>>;
    readonly scheduleTimeoutSeconds?: number;
  };
  readonly status?: PodGroupStatus;
}

/** How far a group has come. */
export interface PodGroupStatus {
  readonly phase?: "Pending" | "PreScheduling" | "Scheduling" | "Scheduled" | "Running" | "Unknown" | "Finished" | "Failed";
  /** Whose pods they are, as `namespace/owner`. */
  readonly occupiedBy?: string;
  readonly running?: number;
  readonly succeeded?: number;
  readonly failed?: number;
  readonly scheduleStartTime?: string;
}

/** scheduling.x-k8s.io/v1alpha1 PodGroup. */
export const PodGroup: Resource<PodGroup> = defineResource<PodGroup>({
  group: "scheduling.x-k8s.io",
  version: "v1alpha1",
  kind: "PodGroup",
  plural: "podgroups",
  shortNames: ["pg", "pgs"],
  scope: "Namespaced",
  subresources: { status: true },
  schema: {},
});

/** How many pods of a group start together. */
export function minMemberOf({ spec }: PodGroup): number {
  return spec?.minMember ?? 1;
}
