/** The time between two RFC 3339 times, or until now, in its two largest units: `4s`, `2m 05s`, `1h 10m`. */
export function durationOf(start: string, end: string | undefined, now: number): string {
  const seconds = Math.max(0, Math.round(((end === undefined ? now : Date.parse(end)) - Date.parse(start)) / 1000));
  if (Number.isNaN(seconds)) return "";
  if (seconds < 60) return `${seconds}s`;
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${two(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h ${two(minutes % 60)}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** A number of bytes in the unit that suits it: `12.3 MB`. */
export function sizeOf(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power] ?? ""}`;
}
