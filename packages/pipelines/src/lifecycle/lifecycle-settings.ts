import { isFinal } from "../runner/run-record.ts";
import type { RunInfo, RunProgress } from "../engine/types.ts";

/** What becomes of the artifacts of a run that is deleted. */
export type ArtifactPolicy = "delete" | "keep";

/** How long runs that are over stay (milliseconds): unlimited where nothing is said. */
export interface Retention {
  /** From its end until a run is archived. */
  readonly archiveAfterMs?: number | undefined;
  /** From when it was archived until it is deleted. */
  readonly deleteAfterMs?: number | undefined;
}

/** What an installation decides about runs that are over. */
export interface LifecycleSettings extends Retention {
  /** What becomes of a deleted run's artifacts where nobody says. */
  readonly artifacts: ArtifactPolicy;
  /** How long the pods and the workspace of a run stay after its end (milliseconds), unless its pipeline says otherwise. */
  readonly podsKeptMs: number;
  /** Namespaces whose runs stay for another time. */
  readonly namespaces: Readonly<Record<string, Retention>>;
}

/** As upstream, runs stay; pods stay for a week. What a deleted run has made goes with it. */
export const DEFAULT_LIFECYCLE: LifecycleSettings = { artifacts: "delete", podsKeptMs: 7 * 24 * 3_600_000, namespaces: {} };

/** When the pods of a run are to go (milliseconds since the epoch); 0 while it is not over. */
export function podsDueAt({ platform }: RunInfo, { phase, endedAt }: RunProgress, { podsKeptMs }: Pick<LifecycleSettings, "podsKeptMs">): number {
  if (!isFinal(phase) || endedAt === undefined) return 0;
  const { resourceTtlOnCompletion, resourceTtlOnSuccess, resourceTtlOnFailure } = platform?.platforms.kubernetes.pipelineConfig ?? {};
  const own = phase === "SUCCEEDED" ? resourceTtlOnSuccess : resourceTtlOnFailure;
  const seconds = [own, resourceTtlOnCompletion].map(Number).find((one) => one > 0);
  return endedAt + (seconds === undefined ? podsKeptMs : seconds * 1000);
}
