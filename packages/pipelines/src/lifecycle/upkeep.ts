import type { Clock, Logger } from "@sluice/controller";
import { EVERY_RUN } from "../runner/run-notices.ts";
import type { Runner } from "../runner/runner.ts";
import type { RunRow } from "../store/tables.ts";
import type { Store } from "../store/store.ts";
import type { NamespaceScope } from "../store/upkeep-store.ts";
import type { LifecycleSettings, Retention } from "./lifecycle-settings.ts";

/** How much is done before anything else has its turn. */
const BATCH = 100;
const RETRY_MS = 60_000;
/** Clocks are set, too: nothing is slept through for longer. */
const LONGEST_SLEEP_MS = 6 * 3_600_000;

/** What upkeep works with. */
export interface UpkeepOptions {
  readonly store: Store;
  readonly runner: Runner;
  readonly settings: LifecycleSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Lets runs that are over go, step by step: their pods, then by policy from the shelf, then from the records. It sleeps until something is due. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #retentions: readonly (readonly [NamespaceScope, Retention])[];
  #alarm = new AbortController();

  constructor(options: UpkeepOptions) {
    this.#options = options;
    const { namespaces, archiveAfterMs, deleteAfterMs } = options.settings;
    this.#retentions = [
      [{ allBut: Object.keys(namespaces) }, { archiveAfterMs, deleteAfterMs }],
      ...Object.entries(namespaces).map(([namespace, retention]) => [{ namespace }, retention] as const),
    ];
  }

  /** Goes on until the program stops; resolves at once. */
  start(): Promise<void> {
    const unsubscribe = this.#options.runner.subscribe(EVERY_RUN, ({ isOver }) => {
      if (isOver) this.#alarm.abort();
    });
    void this.#keepUp().finally(unsubscribe);
    return Promise.resolve();
  }

  async #keepUp(): Promise<void> {
    const { clock, logger, signal } = this.#options;
    while (!signal.aborted) {
      this.#alarm = new AbortController();
      let pause: number;
      try {
        pause = await this.#sweep();
      } catch (error) {
        if (signal.aborted) return;
        logger.error("cannot let runs go that are over; trying again", { error });
        pause = RETRY_MS;
        this.#alarm = new AbortController();
      }
      await clock.sleep(pause, AbortSignal.any([signal, this.#alarm.signal]));
    }
  }

  /** Does what is due; tells for how long nothing else will be (milliseconds). */
  async #sweep(): Promise<number> {
    const { store, runner, clock, logger, signal } = this.#options;
    for (let isMore = true; isMore && !signal.aborted;) {
      const now = clock.now();
      const withPods = await store.upkeep.withPodsDue(now, BATCH);
      for (const id of withPods) await this.#with(id, (row) => runner.releasePods(row));
      isMore = withPods.length === BATCH;
      for (const [scope, { archiveAfterMs, deleteAfterMs }] of this.#retentions) {
        if (archiveAfterMs !== undefined) {
          const archived = await store.upkeep.archive(scope, now - archiveAfterMs, { now, limit: BATCH });
          if (archived > 0) logger.info("archived runs", { count: archived, ...scope });
          isMore ||= archived === BATCH;
        }
        if (deleteAfterMs === undefined) continue;
        const old = await store.upkeep.archivedUntil(scope, now - deleteAfterMs, BATCH);
        for (const id of old) await this.#with(id, (row) => runner.delete(row));
        if (old.length > 0) logger.info("deleted archived runs", { count: old.length, ...scope });
        isMore ||= old.length === BATCH;
      }
    }
    const due = await store.upkeep.nextDue(this.#retentions);
    // Whatever is archived or unarchived from now on is due no sooner than after the shortest time.
    const shortest = this.#retentions.flatMap(([, { archiveAfterMs = Infinity, deleteAfterMs = Infinity }]) => [archiveAfterMs, deleteAfterMs]);
    return Math.max(1, Math.min((due ?? Infinity) - clock.now(), LONGEST_SLEEP_MS, ...shortest));
  }

  async #with(id: string, act: (row: RunRow) => Promise<void>): Promise<void> {
    const row = await this.#options.store.runs.find(id);
    if (row !== undefined) await act(row);
  }
}
