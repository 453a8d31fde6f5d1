import type { ClusterState } from "./cluster-state.ts";
import type { SchedulableNode } from "./node-usage.ts";
import { isSocial, type PodDemand } from "./pod-demand.ts";
import { topologyRules } from "./pod-topology.ts";
import { refusalOf } from "./refusal.ts";
import { bestOf, findFeasible, schedule, type Placement, type ScheduleOptions } from "./schedule.ts";
import { scoreOf } from "./score.ts";

/** How many kinds of pods are remembered. */
const KINDS = 64;
/** The score of a node that no longer takes such pods. */
const NEVER = -Infinity;

/** The nodes that pods of one kind choose from, as they were when they were looked at. */
interface Choice {
  readonly shape: number;
  readonly nodes: SchedulableNode[];
  readonly scores: number[];
  readonly versions: number[];
}

/**
 * Places pods that ask for the same without looking at all nodes for each: a choice of feasible nodes is kept, and of
 * these only the ones whose pods have changed are looked at again. Pods to which other pods matter are placed anew each time.
 */
export class EquivalenceCache {
  readonly #state: ClusterState;
  /** By signature, the most recently used last. */
  readonly #choices = new Map<string, Choice>();
  #start = 0;

  constructor(state: ClusterState) {
    this.#state = state;
  }

  /** Finds the node for a pod; pods of one signature ask for the same. */
  place(signature: string, demand: PodDemand, rules: ScheduleOptions["rules"] = []): Placement {
    const { nodes, namespaces, shape } = this.#state;
    const known = this.#choices.get(signature);
    this.#choices.delete(signature);
    if (known?.shape === shape && rules.length === 0) {
      this.#choices.set(signature, known);
      const best = refresh(known, demand);
      if (best !== undefined) return { node: best.node.metadata.name };
    }
    const start = this.#turn(nodes.length);
    if (isSocial(demand.spec) || rules.length > 0 || topologyRules(demand, nodes, namespaces).length > 0)
      return schedule(demand, nodes, namespaces, { rules, start });
    const found = findFeasible(demand, nodes, { start });
    if ("failure" in found) {
      this.#choices.delete(signature);
      return found;
    }
    const choice: Choice = {
      shape,
      nodes: found.feasible,
      scores: found.feasible.map((candidate) => scoreOf(demand, candidate)),
      versions: found.feasible.map(({ usage }) => usage.version),
    };
    this.#choices.set(signature, choice);
    for (const oldest of this.#choices.keys()) {
      if (this.#choices.size <= KINDS) break;
      this.#choices.delete(oldest);
    }
    const best = refresh(choice, demand);
    if (best === undefined) throw new Error("there is a feasible node, but none is the best");
    return { node: best.node.metadata.name };
  }

  /** Where to begin to look: elsewhere each time where not all nodes are looked at, so that all get their share. */
  #turn(nodes: number): number {
    if (nodes < 100) return 0;
    this.#start = (this.#start + 257) % nodes;
    return this.#start;
  }
}

/** The best of a choice as its nodes are now; undefined if none takes the pod. */
function refresh({ nodes, scores, versions }: Choice, demand: PodDemand): SchedulableNode | undefined {
  for (let i = 0; i < nodes.length; i++) {
    const candidate = nodes[i];
    if (candidate === undefined || candidate.usage.version === versions[i]) continue;
    versions[i] = candidate.usage.version;
    scores[i] = refusalOf(demand, candidate, []) === undefined ? scoreOf(demand, candidate) : NEVER;
  }
  const best = bestOf(scores, nodes);
  return scores[best] === NEVER ? undefined : nodes[best];
}
