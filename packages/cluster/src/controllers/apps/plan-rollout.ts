import type { Deployment, ReplicaSet } from "@sluice/kubernetes";

/** Sizes for ReplicaSets whose size is to change. */
export type Sizes = ReadonlyMap<ReplicaSet, number>;

/** How many pods a Deployment may have beyond its wish, and how many of those it wishes for may be missing. */
export function tolerances({ spec }: Deployment): { readonly surge: number; readonly unavailable: number } {
  const { replicas = 1, strategy } = spec;
  if (strategy?.type === "Recreate") return { surge: 0, unavailable: replicas };
  const { maxSurge = "25%", maxUnavailable = "25%" } = strategy?.rollingUpdate ?? {};
  const surge = resolve(maxSurge, replicas, Math.ceil);
  const unavailable = Math.min(resolve(maxUnavailable, replicas, Math.floor), replicas);
  // With neither nothing could ever move.
  return { surge, unavailable: surge === 0 && unavailable === 0 ? Math.min(1, replicas) : unavailable };
}

/** The next sizes on the way from the old ReplicaSets to the new one. */
export function planRollout(deployment: Deployment, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): Sizes {
  const { replicas = 1, strategy } = deployment.spec;
  if (strategy?.type === "Recreate") return planRecreation(replicas, current, old);
  const total = sum([...old, ...(current === undefined ? [] : [current])], sizeOf);
  const { surge, unavailable } = tolerances(deployment);
  if (current !== undefined && sizeOf(current) !== replicas) {
    const room = replicas + surge - total;
    const size = sizeOf(current) > replicas ? replicas : Math.min(replicas, sizeOf(current) + Math.max(0, room));
    if (size !== sizeOf(current)) return new Map([[current, size]]);
  }
  return shrink(old, { current, least: replicas - unavailable, total });
}

/** How large a new ReplicaSet begins. */
export function initialSize(deployment: Deployment, old: readonly ReplicaSet[]): number {
  const { replicas = 1, strategy } = deployment.spec;
  if (strategy?.type === "Recreate") return replicas;
  return Math.min(replicas, Math.max(0, replicas + tolerances(deployment).surge - sum(old, sizeOf)));
}

/** Whether no pod of these ReplicaSets is left, not even one on its way out. */
export function areEmpty(sets: readonly ReplicaSet[]): boolean {
  return sets.every((set) => sizeOf(set) === 0 && (set.status?.replicas ?? 0) === 0 && (set.status?.terminatingReplicas ?? 0) === 0);
}

function planRecreation(replicas: number, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): Sizes {
  const left = old.filter((set) => sizeOf(set) > 0);
  if (left.length > 0) return new Map(left.map((set) => [set, 0]));
  return current !== undefined && sizeOf(current) !== replicas && areEmpty(old) ? new Map([[current, replicas]]) : new Map();
}

/** Takes pods from the old ReplicaSets, those first that do not work, and never so many that fewer than `least` do. */
function shrink(
  old: readonly ReplicaSet[],
  { current, least, total }: { readonly current: ReplicaSet | undefined; readonly least: number; readonly total: number },
): Sizes {
  const missing = current === undefined ? 0 : sizeOf(current) - availableOf(current);
  let spare = total - least - missing;
  if (spare <= 0) return new Map();
  const oldest = old.filter((set) => sizeOf(set) > 0).toSorted(byAge);
  const sizes = new Map(oldest.map((set) => [set, sizeOf(set)]));
  for (const set of oldest) {
    const broken = Math.min(spare, Math.max(0, sizeOf(set) - availableOf(set)));
    sizes.set(set, sizeOf(set) - broken);
    spare -= broken;
  }
  let dispensable = Math.min(spare, sum([...old, ...(current === undefined ? [] : [current])], availableOf) - least);
  for (const set of oldest) {
    const size = sizes.get(set) ?? 0;
    const taken = Math.max(0, Math.min(size, dispensable));
    sizes.set(set, size - taken);
    dispensable -= taken;
  }
  return new Map([...sizes].filter(([set, size]) => size !== sizeOf(set)));
}

/** Orders by creation, the oldest first. */
export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  return (
    Date.parse(a.metadata.creationTimestamp ?? "") - Date.parse(b.metadata.creationTimestamp ?? "") || (a.metadata.name < b.metadata.name ? -1 : 1)
  );
}

/** How many pods a ReplicaSet is told to have. */
export function sizeOf({ spec }: ReplicaSet): number {
  return spec.replicas ?? 1;
}

/** How many of a ReplicaSet's pods work. */
export function availableOf({ status }: ReplicaSet): number {
  return status?.availableReplicas ?? 0;
}

function sum(sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number {
  return sets.reduce((total, set) => total + of(set), 0);
}

function resolve(value: number | string, replicas: number, round: (value: number) => number): number {
  if (typeof value === "number") return value;
  const [, percent] = /^(\d+)%$/.exec(value) ?? [];
  return percent === undefined ? Number(value) || 0 : round((Number(percent) * replicas) / 100);
}
