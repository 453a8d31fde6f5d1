import type { SchedulableNode } from "./node-usage.ts";
import type { PendingPod } from "./pending-pod.ts";
import { isSocial } from "./pod-demand.ts";
import { refusalOf } from "./refusal.ts";
import type { Hint, Unit } from "./scheduling-queue.ts";

/** What it means for a unit that nodes offer more than before, or that pods have come, gone or changed their places. */
export function hintOf({ pods, group }: Unit, improved: readonly SchedulableNode[], isMoved: boolean): Hint {
  const [first] = pods.values();
  if (first === undefined) return "no";
  const { demand } = first;
  if (
    group === undefined &&
    !isSocial(demand.spec) &&
    demand.claims.length === 0 &&
    improved.some((node) => refusalOf(demand, node, []) === undefined)
  )
    return "fits";
  if (improved.length > 0) return "look";
  // Outside of groups they all ask for the same.
  const isConcerned = (): boolean => (group === undefined ? isSocial(demand.spec) : someOf(pods, (pending) => isSocial(pending.demand.spec)));
  return isMoved && isConcerned() ? "look" : "no";
}

/** What it means for a unit that claims, volumes or their classes have changed. */
export function volumeHintOf({ pods }: Unit): Hint {
  return someOf(pods, ({ demand }) => demand.claims.length > 0) ? "look" : "no";
}

function someOf(pods: ReadonlyMap<string, PendingPod>, holds: (pending: PendingPod) => boolean): boolean {
  for (const pending of pods.values()) if (holds(pending)) return true;
  return false;
}
