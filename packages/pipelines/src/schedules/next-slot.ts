import { everyMs, parseCron, type Recurrence } from "./cron.ts";
import type { Trigger } from "./trigger.ts";

/** What of a recurring run decides when it runs next. */
export interface Schedule {
  readonly trigger: Trigger;
  /** Whether slots that were missed are dealt with one by one, and not only the latest. */
  readonly catchesUp: boolean;
  readonly createdAt: number;
  /** The last slot that was dealt with; undefined before the first. */
  readonly lastSlot: number | undefined;
}

/**
 * The slot that is to be dealt with next: it is due unless it lies after `now`. Undefined if there is none any more. `zone` is the time
 * zone of cron expressions that name none.
 */
export function nextSlot({ trigger, catchesUp, createdAt, lastSlot }: Schedule, now: number, zone: string): number | undefined {
  const recurrence = recurrenceOf(trigger, zone);
  if (recurrence === undefined) return lastSlot === undefined ? wholeSecond(createdAt) : undefined;
  const { start, end = Infinity } = trigger;
  const from = Math.max(lastSlot ?? start ?? wholeSecond(createdAt), start ?? -Infinity);
  const missed = catchesUp ? undefined : recurrence.latest(from, Math.min(now, end));
  const slot = missed ?? recurrence.next(from);
  return slot === undefined || slot > end ? undefined : slot;
}

/** The times of a trigger; undefined if it has but one. */
export function recurrenceOf({ cron, every }: Trigger, zone: string): Recurrence | undefined {
  if (cron !== undefined) return parseCron(cron, zone);
  return every === undefined ? undefined : everyMs(every * 1000);
}

function wholeSecond(time: number): number {
  return Math.floor(time / 1000) * 1000;
}
