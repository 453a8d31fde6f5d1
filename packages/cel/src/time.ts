import { CelDuration, CelFailure, CelTimestamp } from "./values.ts";

const SECOND = 1_000_000_000n;
const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
  d: 86_400n * SECOND,
  w: 604_800n * SECOND,
};
const MAX_DURATION = 2n ** 63n - 1n;
const MIN_DURATION = -(2n ** 63n);
const MIN_TIMESTAMP = -62_135_596_800n * SECOND;
const MAX_TIMESTAMP = 253_402_300_800n * SECOND - 1n;
const DURATION = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const DURATION_PART = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/g;
/** What `format: duration` allows beside. */
const LONG_DURATION =
  /^\s*(?:\d+\s*(?:nanoseconds?|nanos?|nsec|microseconds?|micros?|usec|milliseconds?|millis?|msec|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?|ns|us|µs|ms|s|m|h|d|w)\s*)+$/i;
const LONG_DURATION_PART = /(\d+)\s*(n|us|µs|mic|mil|ms|[a-z])[a-z]*/gi;
const TIMESTAMP = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;
/** Longer texts are no duration and no time. */
const MAX_TEXT = 100;

/** A duration of so many nanoseconds, if that many are allowed. */
export function durationOf(nanos: bigint): CelDuration | CelFailure {
  return nanos > MAX_DURATION || nanos < MIN_DURATION ? new CelFailure("duration overflow") : new CelDuration(nanos);
}

/** The point in time so many nanoseconds after 1970, if it lies in the years 1 to 9999. */
export function timestampOf(nanos: bigint): CelTimestamp | CelFailure {
  return nanos > MAX_TIMESTAMP || nanos < MIN_TIMESTAMP ? new CelFailure("timestamp overflow") : new CelTimestamp(nanos);
}

/** Reads a duration like `1h30m` or `-1.5s`, as Go writes them. */
export function parseDuration(text: string): CelDuration | CelFailure {
  const sign = text.length > MAX_TEXT ? null : DURATION.exec(text);
  if (sign === null)
    return /^[+-]?0$/.test(text) ? new CelDuration(0n) : new CelFailure(`time: invalid duration ${JSON.stringify(text.slice(0, MAX_TEXT))}`);
  let nanos = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of text.matchAll(DURATION_PART)) {
    const scale = UNITS[unit] ?? 0n;
    nanos += BigInt(whole === "" ? "0" : whole) * scale;
    if (fraction !== "") nanos += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
  }
  return durationOf(sign[1] === "-" ? -nanos : nanos);
}

/** Reads what `format: duration` allows: also words, days and weeks, such as `2 weeks`. */
export function parseDurationFormat(text: string): CelDuration | CelFailure {
  const duration = parseDuration(text);
  if (duration instanceof CelDuration || text.length > MAX_TEXT || !LONG_DURATION.test(text)) return duration;
  let nanos = 0n;
  for (const [, count = "", unit = ""] of text.matchAll(LONG_DURATION_PART)) nanos += BigInt(count) * longUnit(unit.toLowerCase());
  return durationOf(nanos);
}

function longUnit(unit: string): bigint {
  if (unit === "mic" || unit === "u") return 1000n;
  if (unit === "mil") return 1_000_000n;
  return UNITS[unit === "n" ? "ns" : unit] ?? 0n;
}

/** A duration in seconds, as CEL writes it. */
export function formatDuration({ nanos }: CelDuration): string {
  return `${nanos < 0n ? "-" : ""}${decimalSeconds(nanos < 0n ? -nanos : nanos)}s`;
}

/** Reads a time as RFC 3339 has it. */
export function parseTimestamp(text: string): CelTimestamp | CelFailure {
  const match = text.length > MAX_TEXT ? null : TIMESTAMP.exec(text);
  if (match === null) return invalidTime(text);
  const [, year, month, day, hour, minute, second, fraction = "", sign, offsetHour, offsetMinute] = match;
  const [y, mo, d, h, mi, s] = [year, month, day, hour, minute, second].map(Number) as [number, number, number, number, number, number];
  const date = new Date(0);
  date.setUTCFullYear(y, mo - 1, d);
  if (mo < 1 || mo > 12 || date.getUTCMonth() !== mo - 1 || d === 0 || h > 23 || mi > 59 || s > 59) return invalidTime(text);
  const offset = sign === undefined ? 0 : (sign === "-" ? -1 : 1) * (Number(offsetHour) * 3600 + Number(offsetMinute) * 60);
  const seconds = BigInt(date.getTime() / 1000 + h * 3600 + mi * 60 + s - offset);
  return timestampOf(seconds * SECOND + BigInt(fraction.slice(0, 9).padEnd(9, "0")));
}

/** Reads a date, which is its midnight in UTC. */
export function parseDate(text: string): CelTimestamp | CelFailure {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? parseTimestamp(`${text}T00:00:00Z`) : invalidTime(text);
}

function invalidTime(text: string): CelFailure {
  return new CelFailure(`parsing time ${JSON.stringify(text.slice(0, MAX_TEXT))} as "2006-01-02T15:04:05Z07:00": cannot parse`);
}

/** A time as RFC 3339 has it, in UTC. */
export function formatTimestamp({ nanos }: CelTimestamp): string {
  const fraction = ((nanos % SECOND) + SECOND) % SECOND;
  const date = new Date(Number((nanos - fraction) / 1_000_000n));
  const text = `${String(date.getUTCFullYear()).padStart(4, "0")}${date.toISOString().slice(-20, -5)}`;
  return fraction === 0n ? `${text}Z` : `${text}.${String(fraction).padStart(9, "0").replace(/0+$/, "")}Z`;
}

function decimalSeconds(nanos: bigint): string {
  const fraction = nanos % SECOND;
  const text = String(nanos / SECOND);
  return fraction === 0n ? text : `${text}.${String(fraction).padStart(9, "0").replace(/0+$/, "")}`;
}

/** The parts of a time at a place. */
export interface TimeParts {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  /** Of the month, from 1. */
  readonly day: number;
  /** From 0, which is Sunday. */
  readonly weekday: number;
  /** From 0. */
  readonly dayOfYear: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millisecond: number;
}

/** The parts of a time in a zone: a name like `Europe/Berlin`, or an offset like `+02:00`. */
export function partsOf({ nanos }: CelTimestamp, zone: string): TimeParts | CelFailure {
  const milliseconds = Number((nanos - (((nanos % 1_000_000n) + 1_000_000n) % 1_000_000n)) / 1_000_000n);
  const offset = offsetOf(zone, milliseconds);
  if (offset === undefined) return new CelFailure(`unknown time zone ${zone.slice(0, MAX_TEXT)}`);
  const date = new Date(milliseconds + offset);
  const yearStart = new Date(0).setUTCFullYear(date.getUTCFullYear(), 0, 1);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    dayOfYear: Math.floor((date.getTime() - yearStart) / 86_400_000),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    millisecond: date.getUTCMilliseconds(),
  };
}

/** How far a zone is ahead of UTC at a time, in milliseconds. */
function offsetOf(zone: string, milliseconds: number): number | undefined {
  if (zone === "" || zone === "UTC") return 0;
  const fixed = /^([+-]?)(\d{2}):(\d{2})$/.exec(zone);
  if (fixed !== null) return (fixed[1] === "-" ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3])) * 60_000;
  const parts = zoneFormat(zone)?.formatToParts(milliseconds);
  if (parts === undefined) return undefined;
  const read = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.find((part) => part.type === type)?.value ?? 0);
  const local = new Date(0);
  const year = parts.some((part) => part.type === "era" && part.value.startsWith("B")) ? 1 - read("year") : read("year");
  local.setUTCFullYear(year, read("month") - 1, read("day"));
  local.setUTCHours(read("hour"), read("minute"), read("second"), ((milliseconds % 1000) + 1000) % 1000);
  return local.getTime() - milliseconds;
}

const zoneFormats = new Map<string, Intl.DateTimeFormat>();

/** Only zones that exist are kept, and of those there are few. */
function zoneFormat(zone: string): Intl.DateTimeFormat | undefined {
  const known = zoneFormats.get(zone);
  if (known !== undefined || !/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(zone)) return known;
  try {
    const options = {
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    } as const;
    const format = new Intl.DateTimeFormat("en-US", { ...options, timeZone: zone, hourCycle: "h23", calendar: "gregory" });
    zoneFormats.set(zone, format);
    return format;
  } catch (error) {
    if (error instanceof RangeError) return undefined; // There is no such zone.
    throw error;
  }
}
