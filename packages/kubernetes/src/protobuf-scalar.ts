import type { Scalar } from "./builtin/definition-table.ts";
import { ApiError } from "./errors.ts";
import { ProtobufReader, type WireValue } from "./protobuf-reader.ts";

const SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

type DecodeMessage = (definition: string, bytes: Uint8Array) => unknown;

/** The JSON form of a value that is no message of the table; `undefined` for what JSON leaves out, such as an unset time. */
export function decodeScalar(scalar: Scalar, value: WireValue, decodeMessage: DecodeMessage): unknown {
  switch (scalar) {
    case "string":
      return text(value);
    case "bool":
      return number(value) !== 0n;
    case "int32":
    case "int64":
      return Number(BigInt.asIntN(64, number(value)));
    case "double":
      return double(value);
    case "bytes":
      return base64(bytes(value));
    case "quantity":
      return text(part(value, 1));
    case "int-or-string":
      return number(part(value, 1) ?? 0n) === 0n ? Number(BigInt.asIntN(32, number(part(value, 2) ?? 0n))) : text(part(value, 3));
    case "time":
      return time(value, 0);
    case "micro-time":
      return time(value, 6);
    case "duration":
      return duration(BigInt.asIntN(64, number(part(value, 1) ?? 0n)));
    case "raw":
    case "json":
      return json(part(value, 1));
    case "strings":
      return parts(value, 1).map(text);
    case "schema-or-bool": {
      const schema = part(value, 2);
      return schema === undefined ? number(part(value, 1) ?? 0n) !== 0n : decodeMessage(SCHEMA, bytes(schema));
    }
    case "schema-or-array": {
      const schema = part(value, 1);
      return schema === undefined ? parts(value, 2).map((item) => decodeMessage(SCHEMA, bytes(item))) : decodeMessage(SCHEMA, bytes(schema));
    }
    case "schema-or-strings": {
      const schema = part(value, 1);
      return schema === undefined ? parts(value, 2).map(text) : decodeMessage(SCHEMA, bytes(schema));
    }
  }
}

function parts(message: WireValue, wanted: number): WireValue[] {
  return [...new ProtobufReader(bytes(message)).fields()].filter(([field]) => field === wanted).map(([, value]) => value);
}

function part(message: WireValue, wanted: number): WireValue | undefined {
  return parts(message, wanted).at(-1);
}

function bytes(value: WireValue | undefined): Uint8Array {
  if (typeof value === "bigint") throw malformed("a number stands where text or a message should");
  return value ?? new Uint8Array();
}

function number(value: WireValue): bigint {
  if (typeof value !== "bigint") throw malformed("bytes stand where a number should");
  return value;
}

function text(value: WireValue | undefined): string {
  return new TextDecoder().decode(bytes(value));
}

function double(value: WireValue): number {
  const raw = bytes(value);
  if (raw.length !== 8) throw malformed("a number has the wrong width");
  return new DataView(raw.buffer, raw.byteOffset, 8).getFloat64(0, true);
}

function base64(raw: Uint8Array): string {
  let binary = "";
  for (const byte of raw) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function json(value: WireValue | undefined): unknown {
  const raw = text(value);
  if (raw === "") return undefined;
  try {
    return JSON.parse(raw);
  } catch (error) {
    throw malformed(`it holds JSON that does not parse (${error instanceof Error ? error.message : String(error)})`);
  }
}

/** RFC 3339 with that many fractional digits. Go's zero time is left out, as is an empty message, which is how unset times travel. */
function time(value: WireValue, digits: 0 | 6): string | undefined {
  const raw = bytes(value);
  if (raw.length === 0) return undefined;
  const seconds = Number(BigInt.asIntN(64, number(part(raw, 1) ?? 0n)));
  const nanos = Number(BigInt.asIntN(32, number(part(raw, 2) ?? 0n)));
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime()) || nanos < 0 || nanos > 999_999_999) throw malformed("a time is out of range");
  const fraction = digits === 0 ? "" : `.${String(Math.floor(nanos / 1000)).padStart(digits, "0")}`;
  return date.toISOString().replace(/\.\d+Z$/, `${fraction}Z`);
}

const UNITS: readonly (readonly [string, bigint])[] = [
  ["h", 3_600_000_000_000n],
  ["m", 60_000_000_000n],
];

/** A Go duration such as `1h0m0s` or `1.5s`. */
function duration(nanos: bigint): string {
  if (nanos === 0n) return "0s";
  let rest = nanos < 0n ? -nanos : nanos;
  let result = nanos < 0n ? "-" : "";
  if (rest < 1_000_000_000n) {
    const [unit, size] = rest < 1000n ? ["ns", 1] : rest < 1_000_000n ? ["µs", 1000] : ["ms", 1_000_000];
    return `${result}${Number(rest) / Number(size)}${unit}`;
  }
  let isStarted = false;
  for (const [unit, size] of UNITS) {
    if (rest >= size || isStarted) {
      result += `${rest / size}${unit}`;
      isStarted = true;
    }
    rest %= size;
  }
  const fraction = String(rest % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${result}${rest / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}s`;
}

function malformed(why: string): ApiError {
  return new ApiError("BadRequest", `the body is not valid Kubernetes protobuf: ${why}`);
}
