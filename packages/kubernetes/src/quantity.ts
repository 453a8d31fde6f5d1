import { ApiError } from "./errors.ts";
import { remember } from "./remember.ts";

/** The notation a quantity was written in, which its canonical form keeps. */
export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

/** An exact amount, counted in billionths (the finest step that Kubernetes stores). */
export interface Quantity {
  readonly nanos: bigint;
  readonly format: QuantityFormat;
}

const DECIMAL: readonly string[] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const BINARY: readonly string[] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const NANOS = 1_000_000_000n;
const SYNTAX = /^([+-]?)(\d*)(?:\.(\d*))?([A-Za-z]*|[eE][+-]?\d+)$/;
/** Bounds on untrusted input: bigint arithmetic must not become a way to spend the server's memory. */
const MAX_LENGTH = 128;
const MAX_EXPONENT = 64;

/** Parses a quantity such as `100m`, `1.5Gi` or `12e6`; what is finer than a billionth rounds away from zero, as in Kubernetes. */
export function parseQuantity(text: string): Quantity {
  if (text.length > MAX_LENGTH) throw invalid(`${text.slice(0, 16)}…`, `it is longer than ${MAX_LENGTH} characters`);
  const [, sign = "", whole = "", fraction = "", suffix = ""] = SYNTAX.exec(text) ?? [];
  if (whole === "" && fraction === "") throw invalid(text, "expected a number and an optional suffix, such as 500m or 1.5Gi");

  const { format, factor, divisor } = scaleOf(suffix, text);
  const magnitude = divideUp(BigInt(whole + fraction) * factor, divisor * 10n ** BigInt(fraction.length));
  return { nanos: sign === "-" ? -magnitude : magnitude, format };
}

/** Formats a quantity canonically: an integer with the largest suffix that loses nothing. */
export function formatQuantity({ nanos, format }: Quantity): string {
  if (nanos === 0n) return "0";
  if (format === "BinarySI" && nanos % NANOS === 0n && abs(nanos) >= 1024n * NANOS) {
    const [mantissa, steps] = reduce(nanos / NANOS, 1024n, BINARY.length - 1);
    return `${mantissa}${BINARY[steps] ?? ""}`;
  }
  if (format === "DecimalExponent") {
    const [mantissa, steps] = reduce(nanos, 1000n, Infinity);
    return steps === 3 ? `${mantissa}` : `${mantissa}e${steps * 3 - 9}`;
  }
  const [mantissa, steps] = reduce(nanos, 1000n, DECIMAL.length - 1);
  return `${mantissa}${DECIMAL[steps] ?? ""}`;
}

/** A quantity as the API server writes it, which may be given as a number; what is no quantity comes back as it is. */
export function canonicalQuantity(value: unknown): unknown {
  return typeof value === "string" || typeof value === "number" ? (canonicalText(String(value)) ?? value) : value;
}

/** Whether a text is a quantity. */
export function isQuantity(text: string): boolean {
  return canonicalText(text) !== undefined;
}

const canonicalText = remember((text): string | undefined => {
  try {
    return formatQuantity(parseQuantity(text));
  } catch (error) {
    if (error instanceof ApiError) return undefined; // Validation says so, with the field's name.
    throw error;
  }
});

/** Orders two quantities by amount, whatever their notation: fit for `Array.prototype.sort`. */
export function compareQuantities(a: Quantity, b: Quantity): -1 | 0 | 1 {
  return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
}

/** The exact sum, in the notation of `a`, or of `b` if `a` is zero. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos + b.nanos, format: a.nanos === 0n ? b.format : a.format };
}

function scaleOf(suffix: string, text: string): { format: QuantityFormat; factor: bigint; divisor: bigint } {
  const decimal = DECIMAL.indexOf(suffix);
  if (decimal >= 0) return { format: "DecimalSI", factor: 1000n ** BigInt(decimal), divisor: 1n };

  const binary = BINARY.indexOf(suffix);
  if (binary >= 0) return { format: "BinarySI", factor: NANOS * 1024n ** BigInt(binary), divisor: 1n };

  if (!/\d$/.test(suffix)) throw invalid(text, `the suffix "${suffix}" is unknown; use n u m k M G T P E, Ki to Ei, or an exponent like e3`);
  const exponent = Number(suffix.slice(1));
  if (Math.abs(exponent) > MAX_EXPONENT) throw invalid(text, `its exponent lies outside -${MAX_EXPONENT} to ${MAX_EXPONENT}`);
  const power = 10n ** BigInt(Math.abs(exponent));
  return exponent < 0
    ? { format: "DecimalExponent", factor: NANOS, divisor: power }
    : { format: "DecimalExponent", factor: NANOS * power, divisor: 1n };
}

/** Divides `value` by `base` while that is exact, at most `limit` times. */
function reduce(value: bigint, base: bigint, limit: number): [mantissa: bigint, steps: number] {
  let steps = 0;
  for (; steps < limit && value % base === 0n; steps++) value /= base;
  return [value, steps];
}

function divideUp(value: bigint, divisor: bigint): bigint {
  return (value + divisor - 1n) / divisor;
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function invalid(text: string, why: string): ApiError {
  return new ApiError("BadRequest", `invalid quantity "${text}": ${why}`);
}
