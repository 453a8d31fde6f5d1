import type { PersistentVolumeClaim } from "@sluice/kubernetes";
import { judgeClaims, SELECTED_NODE, type ClaimVerdict, type VolumeLookup } from "./judge-claims.ts";
import type { PodDemand } from "./pod-demand.ts";

/** What is known of claims, and what they are about to be told. */
export class ClaimBook {
  readonly #lookup: VolumeLookup;
  /** The nodes that were chosen, by the claims' uids. */
  readonly #chosen = new Map<string, string>();

  constructor(lookup: Omit<VolumeLookup, "selectedNode">) {
    this.#lookup = {
      ...lookup,
      selectedNode: ({ metadata }) => metadata.annotations?.[SELECTED_NODE] ?? this.#chosen.get(metadata.uid ?? ""),
    };
  }

  /** What the claims of a pod mean for where it may go. */
  judge(demand: PodDemand): ClaimVerdict {
    return judgeClaims(demand, this.#lookup);
  }

  /** The claims of a pod that wait for its node. */
  delayed(demand: PodDemand): readonly PersistentVolumeClaim[] {
    if (demand.claims.length === 0) return [];
    const verdict = this.judge(demand);
    return "blocked" in verdict ? [] : verdict.delayed;
  }

  /** A pod goes to a node: others of its claims must follow, though the claims have not been told yet. */
  choose(demand: PodDemand, node: string): void {
    for (const { metadata } of this.delayed(demand)) this.#chosen.set(metadata.uid ?? "", node);
  }

  /** A claim has changed, or is gone. */
  changed(before: PersistentVolumeClaim | undefined, after: PersistentVolumeClaim | undefined): void {
    const { uid = "", annotations } = (after ?? before)?.metadata ?? {};
    if (after === undefined || annotations?.[SELECTED_NODE] !== undefined) this.#chosen.delete(uid);
  }
}
