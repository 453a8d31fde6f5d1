import type { TaskRecord } from "../engine/types.ts";
import type { RunRow } from "../store/tables.ts";

/** A change of a run, after it was stored. */
export interface RunNotice {
  readonly row: RunRow;
  /** Those that changed. */
  readonly tasks: readonly TaskRecord[];
  /** Whether the run is over, or gone. */
  readonly isOver: boolean;
}

/** Instead of a run's id: all of them. */
export const EVERY_RUN = "*";

/** Who wants to hear of which run. */
export class RunNotices {
  readonly #listeners = new Map<string, Set<(notice: RunNotice) => void>>();

  /** Calls `listener` with every notice of a run, or of `EVERY_RUN`, from now on; call what it returns to hear no more. */
  subscribe(runId: string, listener: (notice: RunNotice) => void): () => void {
    const all = this.#listeners.get(runId) ?? new Set();
    this.#listeners.set(runId, all.add(listener));
    return () => {
      all.delete(listener);
      if (all.size === 0 && this.#listeners.get(runId) === all) this.#listeners.delete(runId);
    };
  }

  tell(notice: RunNotice): void {
    for (const key of [notice.row.id, EVERY_RUN]) for (const listener of this.#listeners.get(key) ?? []) listener(notice);
  }
}
