import { defineController, type Controller } from "@sluice/controller";
import { DEBUG_LABEL } from "../engine/debug-pod.ts";
import { type ObservedPod, PODS } from "../runner/kinds.ts";
import { isOver } from "../runner/pod-outcome.ts";

/** How long whoever debugged has to read how it ended. */
const READ_MS = 60_000;

/** Deletes debug pods that are over: whoever began the session may be gone. */
export function debugPods(): Controller {
  return defineController({
    name: "pipelines-debug-pods",
    for: PODS,
    when: (before, after) => (after ?? before)?.metadata.labels?.[DEBUG_LABEL] !== undefined,
    async reconcile(key, { cache, client, clock }) {
      const pod = cache.get(PODS, key);
      if (pod === undefined || !isOver(pod)) return;
      const left = endOf(pod) + READ_MS - clock.now();
      if (left > 0) return { requeueAfter: left };
      await client.delete(PODS, key);
    },
  });
}

/** When its last container ended (milliseconds since the epoch); 0 if none began. */
function endOf({ status }: ObservedPod): number {
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const times = containers.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ""));
  return Math.max(0, ...times.filter((time) => !Number.isNaN(time)));
}
