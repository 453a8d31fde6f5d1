import { UserError } from "@sluice/kubernetes";
import { Cron } from "croner";

/** A sequence of times without beginning or end, in milliseconds since the epoch. */
export interface Recurrence {
  /** The first time after `after`; undefined if there is none. */
  next(after: number): number | undefined;
  /** The last time after `after` that is not after `until`; undefined if there is none. */
  latest(after: number, until: number): number | undefined;
}

const SECOND = 1000;
const ZONE_PREFIX = /^(?:CRON_)?TZ=(\S+)\s+/u;
const NICKNAMES: Readonly<Record<string, string>> = {
  ...{ "@yearly": "0 0 0 1 1 *", "@annually": "0 0 0 1 1 *", "@monthly": "0 0 0 1 * *", "@weekly": "0 0 0 * * 0" },
  ...{ "@daily": "0 0 0 * * *", "@midnight": "0 0 0 * * *", "@hourly": "0 0 * * * *" },
};
const UNITS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: SECOND, m: 60 * SECOND, h: 3600 * SECOND };
/** The last values of the fields, for steps without an end. */
const LAST = [59, 59, 23, 31, 12, 6];

/**
 * Reads a cron expression: five fields from the minute on, six from the second on, `@daily` and its like, or `@every 1h30m`. Before it
 * may stand `CRON_TZ=<zone>` or `TZ=<zone>`; else it is in `zone`. At changes of daylight saving time it does as Vixie cron: what has a
 * fixed time of day happens once a day, what happens every so often goes on doing so. Throws `UserError`.
 */
export function parseCron(text: string, zone: string): Recurrence {
  const prefix = ZONE_PREFIX.exec(text.trim());
  const expression = text.trim().slice(prefix?.[0].length ?? 0);
  const timezone = prefix?.[1] ?? zone;
  checkZone(timezone);
  const duration = /^@every\s+(\S+)$/u.exec(expression)?.[1];
  if (duration !== undefined) return everyMs(parseDuration(duration));
  const fields = NICKNAMES[expression] ?? expression;
  // Days of the month and of the week that are both narrowed down are alternatives; every second day is no such narrowing.
  const domAndDow = /[*?]/u.test(fields.split(/\s+/u).at(-1) ?? "") || /[*?]/u.test(fields.split(/\s+/u).at(-3) ?? "");
  let cron: Cron;
  try {
    cron = new Cron(explicitSteps(fields), { timezone, mode: "5-or-6-parts", fixedTimeRule: "no-wildcard", domAndDow });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^CronPattern: /u, "") : String(cause);
    throw new UserError(`${JSON.stringify(text)} is not a cron expression: ${reason}`, {
      fix: 'write five or six fields such as "0 30 9 * * MON-FRI", or "@every 1h"',
      cause,
    });
  }
  const next = (after: number): number | undefined => cron.nextRun(new Date(after))?.getTime();
  return {
    next,
    latest(after, until) {
      // The search backwards has whole seconds and leaves its start out.
      const found = cron.previousRuns(1, new Date((Math.floor(until / SECOND) + 1) * SECOND))[0]?.getTime();
      return found !== undefined && found > after ? found : undefined;
    },
  };
}

/** The times that lie whole multiples of `ms` after the one that is asked for. */
export function everyMs(ms: number): Recurrence {
  return {
    next: (after) => after + ms,
    latest: (after, until) => (until - after < ms ? undefined : after + Math.floor((until - after) / ms) * ms),
  };
}

/** Throws `UserError` unless `zone` is a time zone's name. */
export function checkZone(zone: string): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
  } catch (cause) {
    throw new UserError(`${JSON.stringify(zone)} is not a time zone`, { fix: "name one such as UTC or Europe/Berlin", cause });
  }
}

/** `5/15` means `5-59/15`, which has to be said. */
function explicitSteps(expression: string): string {
  const fields = expression.split(/\s+/u);
  const last = LAST.slice(-fields.length);
  return fields.map((field, index) => field.replace(/(?<![-\d#L])(\d+)\/(?=\d)/gu, `$1-${last[index] ?? 0}/`)).join(" ");
}

/** A duration as Go writes it, in whole seconds and at least one. */
function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/gu)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new UserError(`@every: ${JSON.stringify(text)} is not a duration`, { fix: "write one such as 90s or 1h30m" });
  }
  const ms = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ""] ?? 0), 0);
  return Math.max(1, Math.floor(ms / SECOND)) * SECOND;
}
