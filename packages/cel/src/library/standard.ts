import { fn, method, traversal, type NamedOverload } from "../functions.ts";
import { durationOf, formatDuration, formatTimestamp, parseDuration, parseTimestamp, partsOf, timestampOf, type TimeParts } from "../time.ts";
import { BOOL, BYTES, DOUBLE, DURATION, DYN, INT, listOf, mapOf, NULL, optionalOf, STRING, TIMESTAMP, UINT, type CelType } from "../types.ts";
import {
  CelFailure,
  CelTypeValue,
  CelUint,
  lengthOf,
  typeNameOf,
  type CelDuration,
  type CelResult,
  type CelTimestamp,
  type CelValue,
} from "../values.ts";

const A = { kind: "param", name: "A" } as const;
const B = { kind: "param", name: "B" } as const;
const TWO_63 = 2 ** 63;
const TWO_64 = 2 ** 64;
const SECOND = 1_000_000_000n;
const OUT_OF_RANGE = new CelFailure("integer overflow");
const UINT_RANGE = new CelFailure("unsigned integer overflow");
const TRUE = ["1", "t", "T", "true", "TRUE", "True"];
const FALSE = ["0", "f", "F", "false", "FALSE", "False"];
/** More digits than any number has. */
const MAX_DIGITS = 400;

function same<T extends CelValue>(value: T): T {
  return value;
}

function failed(from: string, to: string): CelFailure {
  return new CelFailure(`type conversion error from '${from}' to '${to}'`);
}

function orFailed(result: CelResult, to: string): CelResult {
  return result instanceof CelFailure ? failed("string", to) : result;
}

const conversions: readonly NamedOverload[] = [
  fn("type", [A], { kind: "type", of: A }, (value) => new CelTypeValue(typeNameOf(value))),
  fn("dyn", [A], DYN, same),
  fn("bool", [BOOL], BOOL, same),
  fn("bool", [STRING], BOOL, (text) => (TRUE.includes(text) ? true : FALSE.includes(text) ? false : failed("string", "bool"))),
  fn("bytes", [BYTES], BYTES, same),
  fn("bytes", [STRING], BYTES, (text) => new TextEncoder().encode(text), { cost: (text) => traversal(text.length) }),
  fn("double", [DOUBLE], DOUBLE, same),
  fn("double", [INT], DOUBLE, (value) => Number(value)),
  fn("double", [STRING], DOUBLE, (text) => toDouble(text) ?? failed("string", "double")),
  fn("double", [UINT], DOUBLE, ({ value }) => Number(value)),
  fn("duration", [DURATION], DURATION, same),
  fn("duration", [INT], DURATION, (nanos) => durationOf(nanos)),
  fn("duration", [STRING], DURATION, (text) => orFailed(parseDuration(text), "google.protobuf.Duration")),
  fn("int", [INT], INT, same),
  fn("int", [DOUBLE], INT, (value) => (value > -TWO_63 && value < TWO_63 ? BigInt(Math.trunc(value)) : OUT_OF_RANGE)),
  fn("int", [DURATION], INT, ({ nanos }) => nanos),
  fn("int", [STRING], INT, (text) => toInt(text) ?? failed("string", "int")),
  fn("int", [TIMESTAMP], INT, ({ nanos }) => (nanos - (((nanos % SECOND) + SECOND) % SECOND)) / SECOND),
  fn("int", [UINT], INT, ({ value }) => (value < 2n ** 63n ? value : OUT_OF_RANGE)),
  fn("string", [STRING], STRING, same),
  fn("string", [BOOL], STRING, String),
  fn("string", [BYTES], STRING, decodeText, { cost: (bytes) => traversal(bytes.length) }),
  fn("string", [DOUBLE], STRING, formatDouble),
  fn("string", [DURATION], STRING, formatDuration),
  fn("string", [INT], STRING, String),
  fn("string", [TIMESTAMP], STRING, formatTimestamp),
  fn("string", [UINT], STRING, ({ value }) => String(value)),
  fn("timestamp", [TIMESTAMP], TIMESTAMP, same),
  fn("timestamp", [INT], TIMESTAMP, (seconds) => timestampOf(seconds * SECOND)),
  fn("timestamp", [STRING], TIMESTAMP, (text) => orFailed(parseTimestamp(text), "google.protobuf.Timestamp")),
  fn("uint", [UINT], UINT, same),
  fn("uint", [DOUBLE], UINT, (value) => (value > -1 && value < TWO_64 ? new CelUint(BigInt(Math.trunc(value))) : UINT_RANGE)),
  fn("uint", [INT], UINT, (value) => (value >= 0n ? new CelUint(value) : UINT_RANGE)),
  fn("uint", [STRING], UINT, (text) => toUint(text) ?? failed("string", "uint")),
];

/** A number as Go's `%g` writes it. */
export function formatDouble(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  const [mantissa = "0", exponent = "0"] = size.toExponential().split("e");
  const digits = mantissa.replace(".", "").length;
  const power = Number(exponent);
  if (power >= -4 && power < 6) return `${sign}${size.toFixed(Math.max(0, digits - 1 - power))}`;
  return `${sign}${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

function toDouble(text: string): number | undefined {
  if (text.length > MAX_DIGITS) return undefined;
  const special = /^([+-]?)(?:(inf|infinity)|(nan))$/i.exec(text);
  if (special !== null) return special[3] === undefined ? (special[1] === "-" ? -Infinity : Infinity) : Number.NaN;
  const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
  return value === undefined || Number.isFinite(value) ? value : undefined;
}

function toInt(text: string): bigint | undefined {
  if (text.length > MAX_DIGITS || !/^[+-]?\d+$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ""));
  return value < 2n ** 63n && value >= -(2n ** 63n) ? value : undefined;
}

function toUint(text: string): CelUint | undefined {
  if (text.length > MAX_DIGITS || !/^\d+$/.test(text)) return undefined;
  const value = BigInt(text);
  return value < 2n ** 64n ? new CelUint(value) : undefined;
}

function decodeText(bytes: Uint8Array): CelResult {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return new CelFailure("invalid UTF-8 in bytes, cannot convert to string");
    throw error;
  }
}

const LIST = listOf(A);
const MAP = mapOf(A, B);

const sizes: readonly NamedOverload[] = [fn, method].flatMap((kind) => [
  kind("size", [BYTES], INT, (bytes) => BigInt(bytes.length)),
  kind("size", [LIST], INT, (list) => BigInt(list.size)),
  kind("size", [MAP], INT, (map) => BigInt(map.size)),
  // Counting characters reads them all.
  kind("size", [STRING], INT, (text) => BigInt(lengthOf(text)), { cost: (text) => 1 + Math.floor(text.length * 0.01) }),
]);

const texts: readonly NamedOverload[] = [
  method("contains", [STRING, STRING], BOOL, (text, part) => text.includes(part), {
    cost: (text, part) => traversal(text.length) * traversal(part.length),
  }),
  // Upstream counts the text; what is read is at most the part.
  method("endsWith", [STRING, STRING], BOOL, (text, part) => text.endsWith(part), { cost: (text) => traversal(text.length) }),
  method("startsWith", [STRING, STRING], BOOL, (text, part) => text.startsWith(part), { cost: (text) => traversal(text.length) }),
];

const GETTERS: Readonly<Record<string, (parts: TimeParts) => number>> = {
  getFullYear: ({ year }) => year,
  getMonth: ({ month }) => month,
  getDayOfYear: ({ dayOfYear }) => dayOfYear,
  getDayOfMonth: ({ day }) => day - 1,
  getDate: ({ day }) => day,
  getDayOfWeek: ({ weekday }) => weekday,
  getHours: ({ hour }) => hour,
  getMinutes: ({ minute }) => minute,
  getSeconds: ({ second }) => second,
  getMilliseconds: ({ millisecond }) => millisecond,
};

function part(time: CelTimestamp, zone: string, get: (parts: TimeParts) => number): CelResult {
  const parts = partsOf(time, zone);
  return parts instanceof CelFailure ? parts : BigInt(get(parts));
}

const times: readonly NamedOverload[] = [
  ...Object.entries(GETTERS).flatMap(([name, get]) => [
    method(name, [TIMESTAMP], INT, (time) => part(time, "UTC", get)),
    method(name, [TIMESTAMP, STRING], INT, (time, zone) => part(time, zone, get)),
  ]),
  method("getHours", [DURATION], INT, (duration) => inUnits(duration, 3600n * SECOND)),
  method("getMinutes", [DURATION], INT, (duration) => inUnits(duration, 60n * SECOND)),
  method("getSeconds", [DURATION], INT, (duration) => inUnits(duration, SECOND)),
  method("getMilliseconds", [DURATION], INT, (duration) => inUnits(duration, 1_000_000n)),
];

function inUnits({ nanos }: CelDuration, unit: bigint): bigint {
  return nanos / unit;
}

/** The standard functions, without the operators. */
export const standard: readonly NamedOverload[] = [
  ...conversions,
  ...sizes,
  ...texts,
  ...times,
  fn("@not_strictly_false", [BOOL], BOOL, (value) => value),
];

/** The types that an expression may name, by their names: what `int` in `type(x) == int` means. */
export const standardTypes: Readonly<Record<string, CelType>> = {
  bool: BOOL,
  bytes: BYTES,
  double: DOUBLE,
  int: INT,
  uint: UINT,
  string: STRING,
  list: listOf(DYN),
  map: mapOf(DYN, DYN),
  null_type: NULL,
  type: { kind: "type" },
  optional_type: optionalOf(DYN),
  "google.protobuf.Duration": DURATION,
  "google.protobuf.Timestamp": TIMESTAMP,
};
