import { Heap } from "./heap.ts";
import type { PendingPod } from "./pending-pod.ts";

/** The least and the longest time for which pods that could not be placed rest if nothing says that they would fit. */
const LEAST_REST_MS = 100;
const LONGEST_REST_MS = 2000;
/** Of more pods that wait for the same, one is told why for all. */
const TOLD = 64;

/** Pods that are tried together: a group, or pods that ask for exactly the same; if one of those cannot be placed, none can. */
export interface Unit {
  readonly key: string;
  /** The group, if it is one. */
  readonly group: string | undefined;
  /** The highest of its pods. */
  readonly priority: number;
  /** As they came. */
  readonly pods: ReadonlyMap<string, PendingPod>;
}

interface Waiting extends Unit {
  readonly pods: Map<string, PendingPod>;
  priority: number;
  /** Half placed: to be completed before anything else. */
  isUrgent: boolean;
  /** When its first pod came. */
  arrival: number;
  /** Which of the heap's entries speaks for it. */
  ticket: number;
  /** What it was last found unplaceable with. */
  failure: { readonly message: string; readonly retryAt: number } | undefined;
  /** Whether something has changed since. */
  isStale: boolean;
  restMs: number;
  /** The pods that have not been told why they wait. */
  readonly untold: Set<string>;
}

interface Ticket {
  readonly unit: Waiting;
  readonly ticket: number;
  readonly isUrgent: boolean;
  readonly priority: number;
  readonly arrival: number;
}

/** What a change in the cluster means for a unit that could not be placed: it fits now, it is worth another look, or nothing. */
export type Hint = "fits" | "look" | "no";

/**
 * Pods in the order in which they are tried: by priority, then as they came. What was found unplaceable waits until
 * something changes that may help, and then for a rest that grows each time that it did not help.
 */
export class SchedulingQueue {
  readonly #units = new Map<string, Waiting>();
  readonly #unitOf = new Map<string, string>();
  readonly #arrivals = new Map<string, number>();
  readonly #failed = new Set<Waiting>();
  readonly #heap = new Heap<Ticket>(comesBefore);
  #arrived = 0;

  /** Adds a pod, or takes note of its change; its place is kept if it still asks for the same. */
  add(pending: PendingPod): void {
    const { uid, group, signature, demand } = pending;
    const key = group === undefined ? signature : `group ${group}`;
    if (this.#unitOf.get(uid) !== key) this.remove(uid);
    const arrival = this.#arrivals.get(uid) ?? this.#arrived++;
    this.#arrivals.set(uid, arrival);
    this.#unitOf.set(uid, key);
    const priority = demand.spec.priority ?? 0;
    let unit = this.#units.get(key);
    const isNew = unit?.pods.has(uid) !== true;
    if (unit === undefined) {
      unit = {
        ...{ key, group, priority, arrival, pods: new Map(), untold: new Set() },
        ...{ isUrgent: false, ticket: 0, failure: undefined, isStale: false, restMs: 0 },
      };
      this.#units.set(key, unit);
    }
    unit.pods.set(uid, pending);
    if (isNew) unit.untold.add(uid);
    if (unit.pods.size === 1) this.#ready(unit);
    // One more of a group can make it whole, and one that asks for something else can make it fit.
    else if (group !== undefined) this.#ready(Object.assign(unit, { priority: Math.max(unit.priority, priority) }));
  }

  /** Forgets a pod. */
  remove(uid: string): void {
    const unit = this.#units.get(this.#unitOf.get(uid) ?? "");
    this.#unitOf.delete(uid);
    this.#arrivals.delete(uid);
    if (unit === undefined) return;
    const [first] = unit.pods.keys();
    unit.pods.delete(uid);
    unit.untold.delete(uid);
    if (unit.pods.size === 0) {
      this.#units.delete(unit.key);
      this.#failed.delete(unit);
      unit.ticket = -1;
    } else if (first === uid && !this.#failed.has(unit)) this.#ready(unit);
  }

  /** The pod, if it still waits. */
  get(uid: string): PendingPod | undefined {
    return this.#units.get(this.#unitOf.get(uid) ?? "")?.pods.get(uid);
  }

  /** The unit to try next, which stays in the queue; undefined while there is none worth it. */
  next(now: number): Unit | undefined {
    for (const unit of this.#failed) if (unit.isStale && (unit.failure?.retryAt ?? 0) <= now) this.#ready(unit);
    for (let top = this.#heap.peek(); top !== undefined; top = this.#heap.peek()) {
      if (top.unit.ticket === top.ticket) return top.unit;
      this.#heap.pop();
    }
    return undefined;
  }

  /** When the next unit's rest is over, if something has changed for one. */
  get nextRetry(): number | undefined {
    let earliest: number | undefined;
    for (const { isStale, failure } of this.#failed)
      if (isStale && failure !== undefined && failure.retryAt < (earliest ?? Infinity)) earliest = failure.retryAt;
    return earliest;
  }

  /** Something has changed: `hint` says of each unit that could not be placed what that means for it. */
  wake(hint: (unit: Unit) => Hint): void {
    for (const unit of this.#failed) {
      const verdict = hint(unit);
      if (verdict === "fits") this.#ready(Object.assign(unit, { restMs: 0 }));
      else if (verdict === "look" && unit.isUrgent) this.#ready(unit);
      else if (verdict === "look") unit.isStale = true;
    }
  }

  /** A group of which some pods are placed and others are not goes before all else. */
  setUrgent(group: string, isUrgent: boolean): void {
    const unit = this.#units.get(`group ${group}`);
    if (unit === undefined || unit.isUrgent === isUrgent) return;
    unit.isUrgent = isUrgent;
    if (!this.#failed.has(unit)) this.#ready(unit);
  }

  /** Notes that a unit cannot be placed now; pods that could are taken out before. */
  fail({ key }: Unit, message: string, now: number): void {
    const unit = this.#units.get(key);
    if (unit === undefined) return;
    const last = unit.failure?.message;
    if (last !== undefined && last !== message)
      for (const uid of [...unit.pods.keys()].slice(0, unit.pods.size > TOLD ? 1 : TOLD)) unit.untold.add(uid);
    this.#failed.add(Object.assign(unit, { failure: { message, retryAt: now + unit.restMs }, isStale: false, ticket: unit.ticket + 1 }));
    unit.restMs = Math.min(LONGEST_REST_MS, Math.max(LEAST_REST_MS, 2 * unit.restMs));
  }

  /** Takes the pods that have to be told why they wait. */
  takeUntold(): { readonly uid: string; readonly message: string }[] {
    const told: { readonly uid: string; readonly message: string }[] = [];
    for (const { failure, untold } of this.#failed) {
      if (failure === undefined) continue;
      for (const uid of untold) told.push({ uid, message: failure.message });
      untold.clear();
    }
    return told;
  }

  /** Lets a unit be tried. */
  #ready(unit: Waiting): void {
    this.#failed.delete(unit);
    const [first = ""] = unit.pods.keys();
    unit.arrival = this.#arrivals.get(first) ?? 0;
    unit.ticket++;
    const { isUrgent, priority, arrival, ticket } = unit;
    this.#heap.push({ unit, isUrgent, priority, arrival, ticket });
  }
}

function comesBefore(a: Ticket, b: Ticket): boolean {
  if (a.isUrgent !== b.isUrgent) return a.isUrgent;
  return a.priority === b.priority ? a.arrival < b.arrival : a.priority > b.priority;
}
