import type { Pod } from "@sluice/kubernetes";
import { groupOf, type PendingPod } from "./pending-pod.ts";
import type { Failure, Placement } from "./schedule.ts";

/** Which pods are of which group, and how many of them have a node. */
export class GangMembers {
  readonly #groups = new Map<string, Map<string, boolean>>();
  readonly #groupOf = new Map<string, string>();

  /** Notes a pod as it is; `isPlaced` if it has, or had, a node. Its group, if it has one. */
  note(pod: Pod, isPlaced: boolean): string | undefined {
    const { uid = "" } = pod.metadata;
    const group = groupOf(pod);
    if (this.#groupOf.get(uid) !== group) this.forget(uid);
    if (group === undefined) return undefined;
    this.#groupOf.set(uid, group);
    this.#groups.set(group, (this.#groups.get(group) ?? new Map<string, boolean>()).set(uid, isPlaced));
    return group;
  }

  /** Forgets a pod; the group that it was of. */
  forget(uid: string): string | undefined {
    const group = this.#groupOf.get(uid);
    if (group === undefined) return undefined;
    this.#groupOf.delete(uid);
    const members = this.#groups.get(group);
    members?.delete(uid);
    if (members?.size === 0) this.#groups.delete(group);
    return group;
  }

  /** How many pods a group has. */
  size(group: string): number {
    return this.#groups.get(group)?.size ?? 0;
  }

  /** How many of them have, or had, a node. */
  placed(group: string): number {
    return [...(this.#groups.get(group)?.values() ?? [])].filter(Boolean).length;
  }
}

/** What a group is placed with. */
export interface GangOptions {
  /** How many more of its pods must be placed for any to be. */
  readonly needed: number;
  /** Finds the node for one, given that the others before it count. */
  readonly place: (pending: PendingPod) => Placement;
  readonly assign: (pending: PendingPod, node: string) => void;
  readonly release: (pending: PendingPod) => void;
}

/** The pods of a group that are placed, all of which are counted; or why none is, and how many could have been. */
export type GangPlacement =
  | { readonly placed: readonly { readonly pending: PendingPod; readonly node: string }[]; readonly rest?: Refused | undefined }
  | { readonly refused: Refused; readonly fitting: number };

interface Refused {
  readonly pending: PendingPod;
  readonly failure: Failure;
}

/** Places the pods of a group in one decision: as many as fit if these are enough, else none. */
export function placeGang(pods: readonly PendingPod[], { needed, place, assign, release }: GangOptions): GangPlacement {
  const placed: { readonly pending: PendingPod; readonly node: string }[] = [];
  let refused: Refused | undefined;
  for (const pending of pods.toSorted(byDemand)) {
    const placement = place(pending);
    if ("node" in placement) {
      assign(pending, placement.node);
      placed.push({ pending, node: placement.node });
    } else refused ??= { pending, failure: placement.failure };
  }
  if (refused === undefined || (placed.length > 0 && placed.length >= needed)) return { placed, rest: refused };
  for (const { pending } of placed) release(pending);
  return { refused, fitting: placed.length };
}

/** Those that are hardest to place come first: by devices, then by processors, then by memory. */
function byDemand(a: PendingPod, b: PendingPod): number {
  return devicesOf(b) - devicesOf(a) || amountOf("cpu", b) - amountOf("cpu", a) || amountOf("memory", b) - amountOf("memory", a);
}

function devicesOf({ demand }: PendingPod): number {
  return [...demand.requests].reduce((sum, [name, amount]) => sum + (name.includes("/") ? amount : 0), 0);
}

function amountOf(name: string, { demand }: PendingPod): number {
  return demand.requests.get(name) ?? 0;
}
