import { defineController, type Controller } from "@sluice/controller";
import { Node, Pod, type Taint, type Toleration } from "@sluice/kubernetes";
import { tolerates } from "../../scheduler/taints.ts";
import { disruptPod } from "./disrupt-pod.ts";
import { podsByNode } from "./pods-by-node.ts";

/** Ends pods on nodes with NoExecute taints: at once, or after as long as they tolerate it. */
export function taintEvictionController(): Controller {
  return defineController({
    name: "taint-eviction-controller",
    for: Pod,
    when: (before, after) => after !== undefined && before?.spec.nodeName !== after.spec.nodeName,
    indexes: [podsByNode],
    watches: [
      {
        resource: Node,
        keys: (node: Node, cache) =>
          expelling(node).length === 0 ? [] : cache.byIndex(Pod, podsByNode.name, node.metadata.name).map(({ metadata }) => metadata),
      },
    ],
    async reconcile(key, context) {
      const { cache, clock, events } = context;
      const pod = cache.get(Pod, key);
      const node = cache.get(Node, { name: pod?.spec.nodeName ?? "" });
      if (pod === undefined || node === undefined || pod.metadata.deletionTimestamp !== undefined) return;
      const end = evictionTime(expelling(node), pod.spec.tolerations ?? [], clock.now());
      if (end === Infinity) return;
      if (end > clock.now()) return { requeueAfter: end - clock.now() };
      events.record(pod, { type: "Normal", reason: "TaintManagerEviction", message: `Marking for deletion Pod ${key.namespace ?? ""}/${key.name}` });
      await disruptPod(pod, { reason: "DeletionByTaintManager", message: "Taint manager: deleting due to NoExecute taint" }, context, {
        isLost: false,
      });
      return;
    },
  });
}

/** When the taints drive out a pod with these tolerations, in milliseconds; Infinity if never. */
export function evictionTime(taints: readonly Taint[], tolerations: readonly Toleration[], now: number): number {
  let end = Infinity;
  for (const taint of taints) {
    const tolerating = tolerations.filter((toleration) => tolerates(toleration, taint));
    const seconds = Math.min(...tolerating.map(({ tolerationSeconds = Infinity }) => Math.max(0, tolerationSeconds)));
    const start = taint.timeAdded === undefined ? now : Date.parse(taint.timeAdded);
    end = Math.min(end, tolerating.length === 0 ? now : start + seconds * 1000);
  }
  return end;
}

function expelling({ spec }: Node): Taint[] {
  return (spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute");
}
