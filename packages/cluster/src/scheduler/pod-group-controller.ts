import { defineController, defineIndex, type Controller } from "@sluice/controller";
import { jsonEqual, Pod, type KubernetesObject } from "@sluice/kubernetes";
import { groupOf } from "./pending-pod.ts";
import { minMemberOf, PodGroup, type PodGroupStatus } from "./pod-group.ts";

const BY_GROUP = defineIndex(Pod, "pod-group", (pod: Pod) => {
  const group = groupOf(pod);
  return group === undefined ? [] : [group];
});

/** Says of each group of pods how far it has come. */
export function podGroupController(): Controller {
  return defineController({
    name: "pod-group-controller",
    for: PodGroup,
    watches: [
      {
        resource: Pod,
        keys: (pod: KubernetesObject) => {
          const [namespace, name] = groupOf(pod)?.split("/") ?? [];
          return namespace === undefined || name === undefined ? [] : [{ namespace, name }];
        },
      },
    ],
    indexes: [BY_GROUP],
    async reconcile(key, { cache, client, clock }) {
      const group = cache.get(PodGroup, key);
      if (group === undefined) return;
      const pods = cache.byIndex(Pod, BY_GROUP.name, `${key.namespace ?? ""}/${key.name}`);
      const status = podGroupStatus(group, pods, `${new Date(clock.now()).toISOString().slice(0, 19)}Z`);
      if (jsonEqual(status, group.status)) return;
      await client.patch(PodGroup, key, { type: "merge", subresource: "status", body: { status } });
    },
  });
}

/** The status of a group, in the words and by the rules of scheduler-plugins' controller. */
function podGroupStatus(group: PodGroup, pods: readonly Pod[], now: string): PodGroupStatus {
  const { status: before = {} } = group;
  if (before.phase === "Finished" || before.phase === "Failed") return before;
  const inPhase = (phase: string): number => pods.filter(({ status }) => status?.phase === phase).length;
  const counts = { running: inPhase("Running"), succeeded: inPhase("Succeeded"), failed: inPhase("Failed") };
  const phase = phaseOf(minMemberOf(group), pods.length, counts);
  if (phase === "Pending") return { ...before, ...(before.phase === undefined ? {} : counts), phase };
  return { scheduleStartTime: now, ...occupiedBy(pods), ...before, ...counts, phase };
}

function phaseOf(
  minMember: number,
  pods: number,
  { running, succeeded, failed }: { readonly running: number; readonly succeeded: number; readonly failed: number },
): PodGroupStatus["phase"] & string {
  if (pods < minMember) return "Pending";
  if (succeeded >= minMember) return "Finished";
  if (failed > 0 && failed + running + succeeded >= minMember) return "Failed";
  return running + succeeded >= minMember ? "Running" : "Scheduling";
}

function occupiedBy([pod]: readonly Pod[]): Pick<PodGroupStatus, "occupiedBy"> {
  const owners = (pod?.metadata.ownerReferences ?? []).map(({ name }) => `${pod?.metadata.namespace ?? ""}/${name}`);
  return owners.length === 0 ? {} : { occupiedBy: owners.toSorted().join(",") };
}
