import type { Deployment, ReplicaSet } from "@sluice/kubernetes";
import { availableOf, byAge, sizeOf, tolerances, type Sizes } from "./plan-rollout.ts";

const DESIRED = "deployment.kubernetes.io/desired-replicas";
const MOST = "deployment.kubernetes.io/max-replicas";

/** The annotations by which a ReplicaSet remembers for how large a Deployment it was sized. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const { replicas = 1 } = deployment.spec;
  return { [DESIRED]: `${replicas}`, [MOST]: `${replicas + tolerances(deployment).surge}` };
}

/** Whether the Deployment's size has changed since its ReplicaSets were sized. */
export function isScaled({ spec }: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets.some((set) => {
    const desired = set.metadata.annotations?.[DESIRED];
    return sizeOf(set) > 0 && desired !== undefined && desired !== `${spec.replicas ?? 1}`;
  });
}

/**
 * The sizes of ReplicaSets once the Deployment has another size. In the midst of a rollout, or where that is paused,
 * all grow and shrink by their share, so that a change of size is none of the template. Holds every set that has pods.
 */
export function planScale(deployment: Deployment, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): Sizes {
  const { replicas = 1, strategy } = deployment.spec;
  const all = [...old.toSorted(byAge), ...(current === undefined ? [] : [current])];
  const active = all.filter((set) => sizeOf(set) > 0);
  const only = active.length === 0 ? all.at(-1) : active[0];
  if (only === undefined) return new Map();
  if (active.length <= 1) return new Map([[only, replicas]]);
  if (current !== undefined && isSaturated(current, replicas)) return new Map(active.map((set) => [set, set === current ? replicas : 0]));
  return strategy?.type === "Recreate" ? new Map(active.map((set) => [set, sizeOf(set)])) : share(deployment, active);
}

function share(deployment: Deployment, active: readonly ReplicaSet[]): Sizes {
  const { replicas = 1 } = deployment.spec;
  const most = replicas === 0 ? 0 : replicas + tolerances(deployment).surge;
  const change = most - active.reduce((sum, set) => sum + sizeOf(set), 0);
  // Of equals the younger grow first, the older shrink first.
  const ranked = active.toSorted((a, b) => sizeOf(b) - sizeOf(a) || (change > 0 ? byAge(b, a) : byAge(a, b)));
  let rest = change;
  const sizes = new Map<ReplicaSet, number>();
  for (const set of ranked) {
    const before = Number(set.metadata.annotations?.[MOST]) || (deployment.status?.replicas ?? 0);
    const fair = replicas === 0 ? 0 : before === 0 ? sizeOf(set) : Math.round((sizeOf(set) * most) / before);
    const step = change > 0 ? Math.min(fair - sizeOf(set), rest) : change < 0 ? Math.max(fair - sizeOf(set), rest) : 0;
    sizes.set(set, sizeOf(set) + step);
    rest -= step;
  }
  const [largest] = ranked;
  if (largest !== undefined) sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + rest));
  return sizes;
}

function isSaturated(set: ReplicaSet, replicas: number): boolean {
  return sizeOf(set) === replicas && set.metadata.annotations?.[DESIRED] === `${replicas}` && availableOf(set) === replicas;
}
