import { defineController, type Controller } from "@sluice/controller";
import { Node, Pod } from "@sluice/kubernetes";
import { disruptPod } from "./disrupt-pod.ts";
import { podsByNode } from "./pods-by-node.ts";

/** A node may be registered anew: its pods are given up only after this time. */
const PATIENCE_MS = 40_000;

/** Deletes pods whose node is no more: nobody else could end them. */
export function podGarbageCollector(): Controller {
  const missingSince = new Map<string, number>();
  return defineController({
    name: "pod-garbage-collector-controller",
    for: Pod,
    when: (before, after) => after !== undefined && before?.spec.nodeName !== after.spec.nodeName,
    indexes: [podsByNode],
    watches: [
      {
        resource: Node,
        keys({ metadata: { name } }, cache) {
          if (cache.get(Node, { name }) === undefined) return cache.byIndex(Pod, podsByNode.name, name).map(({ metadata }) => metadata);
          missingSince.delete(name);
          return [];
        },
      },
    ],
    async reconcile(key, context) {
      const { cache, client, clock } = context;
      const pod = cache.get(Pod, key);
      const name = pod?.spec.nodeName ?? "";
      if (pod === undefined || name === "" || cache.get(Node, { name }) !== undefined) return;
      const since = missingSince.get(name) ?? clock.now();
      missingSince.set(name, since);
      const rest = since + PATIENCE_MS - clock.now();
      if (rest > 0) return { requeueAfter: rest };
      if ((await client.find(Node, { name })) !== undefined) return;
      await disruptPod(pod, { reason: "DeletionByPodGC", message: "PodGC: node no longer exists" }, context, { isLost: true });
      return;
    },
  });
}
