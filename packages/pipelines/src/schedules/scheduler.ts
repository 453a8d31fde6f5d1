import type { Clock, Logger } from "@sluice/controller";
import { ApiError, isApiError, UserError } from "@sluice/kubernetes";
import type { EngineContext } from "../engine/index.ts";
import { Limiter } from "../runner/limiter.ts";
import type { Runner } from "../runner/runner.ts";
import { EVERY_RUN } from "../runner/run-notices.ts";
import type { Store } from "../store/store.ts";
import type { RecurringRunRow, VersionRow } from "../store/tables.ts";
import { nextSlot, type Schedule } from "./next-slot.ts";
import { runOfSlot } from "./run-of-slot.ts";
import type { Trigger } from "./trigger.ts";

/** What a scheduler works with. */
export interface SchedulerOptions {
  readonly store: Store;
  readonly runner: Pick<Runner, "create" | "subscribe">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sha256: EngineContext["sha256"];
  /** The time zone of cron expressions that name none. */
  readonly timeZone: string;
  readonly signal: AbortSignal;
}

/** A timer neither counts the time that the machine sleeps nor sees its clock being set, so the clock is looked at this often while a slot is ahead. */
const LONGEST_SLEEP_MS = 60_000;
const RETRY_MS = 5000;
/** How many schedules are looked at together. */
const CONCURRENCY = 16;

/** What of a stored schedule decides when it runs next. */
export function scheduleOf(row: RecurringRunRow): Schedule {
  return {
    trigger: JSON.parse(row.trigger) as Trigger,
    catchesUp: row.no_catchup === 0,
    createdAt: row.created_at,
    lastSlot: row.last_slot_at === 0 ? undefined : row.last_slot_at,
  };
}

/**
 * Starts the runs of schedules: each slot once, in order, and at most `max_concurrency` of a schedule at a time. All that it knows can
 * be had again from the database; a slot is taken in the transaction that stores its run.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  /** When to look at which schedule again; those that wait for a run to end, or for nothing at all, are not in it. */
  readonly #due = new Map<string, number>();
  readonly #limiter = new Limiter(CONCURRENCY);
  #wake = new AbortController();

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Takes up the schedules that there are, and goes on until the signal aborts. */
  async start(): Promise<void> {
    const { store, runner, signal } = this.#options;
    const stops = [
      store.changes.subscribe(({ kind, id }) => {
        if (kind === "RecurringRun") this.#look(id);
      }),
      runner.subscribe(EVERY_RUN, ({ row, isOver }) => {
        if (isOver && row.recurring_run_id !== "") this.#look(row.recurring_run_id);
      }),
    ];
    signal.addEventListener("abort", () => this.#wake.abort(), { once: true });
    for (const id of await store.recurringRuns.enabled()) this.#due.set(id, 0);
    void this.#run().finally(() => stops.forEach((stop) => stop()));
  }

  #look(id: string): void {
    this.#due.set(id, 0);
    this.#wake.abort();
  }

  async #run(): Promise<void> {
    const { clock, signal } = this.#options;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const now = clock.now();
      const ready = [...this.#due].filter(([, due]) => due <= now).map(([id]) => id);
      await Promise.all(ready.map((id) => this.#limiter.run(() => this.#attend(id))));
      const next = Math.min(...this.#due.values());
      if (next === Infinity) await aborted(this.#wake.signal);
      else await clock.sleep(Math.min(next - clock.now(), LONGEST_SLEEP_MS), this.#wake.signal);
    }
  }

  /** Deals with a schedule's next slot if it is due, and notes when to look again. */
  async #attend(id: string): Promise<void> {
    const { store, clock, logger, timeZone, signal } = this.#options;
    if (signal.aborted) return;
    // What happens to the schedule from here on makes it due again.
    this.#due.delete(id);
    try {
      const row = await store.recurringRuns.find(id);
      if (row === undefined || row.status === "DISABLED") return;
      const slot = nextSlot(scheduleOf(row), clock.now(), timeZone);
      if (slot === undefined) return;
      if (slot > clock.now()) {
        this.#due.set(id, Math.min(this.#due.get(id) ?? Infinity, slot));
        return;
      }
      if ((await store.recurringRuns.countUnfinished(id)) >= row.max_concurrency) return;
      await this.#fire(row, slot);
      this.#due.set(id, 0);
    } catch (error) {
      if (signal.aborted) return;
      logger.error("cannot start the run of a schedule; it will be tried again", { recurringRun: id, error });
      this.#due.set(id, clock.now() + RETRY_MS);
    }
  }

  async #fire(row: RecurringRunRow, slot: number): Promise<void> {
    const { store, runner, clock, logger, sha256 } = this.#options;
    try {
      const version = row.spec === "" ? await this.#version(row) : undefined;
      await runner.create(runOfSlot(row, { slot, now: clock.now(), version, sha256 }));
    } catch (error) {
      // The schedule was changed meanwhile: it is looked at again.
      if (isApiError(error, "Conflict")) return;
      if (!isRefusal(error)) throw error;
      logger.warn("a schedule cannot start a run", { recurringRun: row.id, slot: new Date(slot).toISOString(), error });
      await store.recurringRuns.skip(row.id, slot, `no run for ${new Date(slot).toISOString()}: ${error.message}`);
    }
  }

  async #version({ pipeline_id: pipelineId, version_id: versionId }: RecurringRunRow): Promise<VersionRow> {
    const { versions } = this.#options.store;
    const version = await (versionId === "" ? versions.findLatest(pipelineId) : versions.find(pipelineId, versionId));
    if (version !== undefined) return version;
    throw new ApiError("NotFound", versionId === "" ? `pipeline ${pipelineId} has no version` : `pipeline version ${versionId} not found`);
  }
}

/** Whether trying again cannot help. */
function isRefusal(error: unknown): error is Error {
  return error instanceof UserError || isApiError(error, "NotFound") || isApiError(error, "BadRequest") || isApiError(error, "Invalid");
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
