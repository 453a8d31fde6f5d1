import { UserError } from "@sluice/kubernetes";

const ISO = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/u;
const PLAIN = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/u;
const UNITS_MS = [7 * 24 * 3_600_000, 24 * 3_600_000, 3_600_000, 60_000, 1000];

/** The milliseconds of a duration such as `7d`, `1h30m`, `0s`, or in ISO 8601 `P7D`, `PT1H30M`; `what` names it in the error. */
export function parseDuration(what: string, text: string): number {
  const parts = (ISO.exec(text) ?? PLAIN.exec(text))?.slice(1) ?? [];
  if (parts.every((part) => part === undefined)) {
    throw new UserError(`${what}: ${JSON.stringify(text)} is not a duration`, { fix: "write one such as 7d, 12h, 1h30m or P7D" });
  }
  return parts.reduce((sum, part, index) => sum + Number(part ?? 0) * (UNITS_MS[index] ?? 0), 0);
}
