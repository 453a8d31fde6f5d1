import { UserError } from "@sluice/kubernetes";
import { recurrenceOf } from "./next-slot.ts";
import type { Trigger } from "./trigger.ts";

/** Throws `UserError` unless a trigger can be read and happens at all. */
export function checkTrigger(trigger: Trigger, now: number, zone: string): void {
  const { start, end } = trigger;
  if (start !== undefined && end !== undefined && end < start) throw new UserError("trigger: end_time lies before start_time");
  const recurrence = recurrenceOf(trigger, zone);
  if (recurrence !== undefined && recurrence.next(now) === undefined) {
    throw new UserError(`trigger: ${JSON.stringify(trigger.cron)} never happens`, { fix: "look at the day and the month" });
  }
}
