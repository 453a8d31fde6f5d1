const UNITS = { m: 60, h: 3600, d: 86_400, y: 31_536_000 } as const;

/** A length of time as kubectl writes it: two units at most, fewer the longer it is. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 10 * UNITS.m) return pair(seconds, "m", "s", 1);
  if (seconds < 3 * UNITS.h) return whole(seconds, "m");
  if (seconds < 8 * UNITS.h) return pair(seconds, "h", "m", UNITS.m);
  if (seconds < 48 * UNITS.h) return whole(seconds, "h");
  if (seconds < 8 * UNITS.d) return pair(seconds, "d", "h", UNITS.h);
  if (seconds < 2 * UNITS.y) return whole(seconds, "d");
  return seconds < 8 * UNITS.y ? pair(seconds, "y", "d", UNITS.d) : whole(seconds, "y");
}

/** How long ago an RFC 3339 time is; `<unknown>` without one. */
export function age(time: unknown, now: Date): string {
  return typeof time === "string" && time !== "" ? humanDuration(now.getTime() - Date.parse(time)) : "<unknown>";
}

function whole(seconds: number, unit: keyof typeof UNITS): string {
  return `${Math.floor(seconds / UNITS[unit])}${unit}`;
}

function pair(seconds: number, unit: keyof typeof UNITS, minor: string, size: number): string {
  const rest = Math.floor((seconds % UNITS[unit]) / size);
  return whole(seconds, unit) + (rest === 0 ? "" : `${rest}${minor}`);
}
