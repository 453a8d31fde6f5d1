import type { CelBudget } from "../budget.ts";
import { formatDuration, formatTimestamp } from "../time.ts";
import {
  CelDuration,
  CelFailure,
  CelList,
  CelMap,
  CelTimestamp,
  CelTypeValue,
  CelUint,
  typeNameOf,
  type CelResult,
  type CelValue,
} from "../values.ts";
import { formatDouble } from "./standard.ts";

/** More decimals would only cost memory. */
const MAX_PRECISION = 100;
const MAX_DEPTH = 100;
/** A clause of a format: `%%`, or its precision and letter. */
export const FORMAT_CLAUSE: RegExp = /%(?:(%)|(?:\.(\d{1,4}))?([a-zA-Z]))?/g;

/** Stops the text at the first clause that cannot be filled. */
class FormatProblem extends Error {}

/** `"%s has %d".format([name, count])`: every character that is made is paid for. */
export function formatText(format: string, args: CelList, budget: CelBudget): CelResult {
  let next = 0;
  try {
    const text = format.replaceAll(FORMAT_CLAUSE, (clause, percent?: string, precision?: string, letter?: string) => {
      if (percent !== undefined) return "%";
      if (letter === undefined) throw new FormatProblem(`could not parse formatting clause: ${clause === "%" ? "unexpected end of string" : clause}`);
      if (next >= args.size) throw new FormatProblem(`index ${next} out of range`);
      const value = args.at(next++);
      if (value instanceof CelFailure) throw new FormatProblem(value.message);
      const part = fill(letter, precision === undefined ? 6 : Number(precision), value, budget);
      budget.charge(part.length * 0.1);
      return part;
    });
    return text;
  } catch (error) {
    if (error instanceof FormatProblem) return new CelFailure(error.message);
    throw error;
  }
}

function fill(letter: string, precision: number, value: CelValue, budget: CelBudget): string {
  if (precision > MAX_PRECISION) throw new FormatProblem(`could not parse formatting clause: precision ${precision} is too large`);
  switch (letter) {
    case "s":
      return show(value, budget);
    case "d":
      if (typeof value === "bigint") return String(value);
      if (value instanceof CelUint) return String(value.value);
      throw wrong("decimal clause can only be used on integers", value);
    case "f":
      return fixed(value, (number) => toFixed(number, precision), "fixed-point clause can only be used on doubles");
    case "e":
      // Upstream takes the precision for the width.
      return fixed(value, scientific, "scientific clause can only be used on doubles").padStart(precision);
    case "b":
      return typeof value === "boolean" ? (value ? "1" : "0") : integer(value, 2, "only integers and bools can be formatted as binary");
    case "o":
      return integer(value, 8, "octal clause can only be used on integers");
    case "x":
      return hex(value, budget);
    case "X":
      return hex(value, budget).toUpperCase();
  }
  throw new FormatProblem(`could not parse formatting clause: unrecognized formatting clause "${letter}"`);
}

function wrong(text: string, value: CelValue): FormatProblem {
  return new FormatProblem(`error during formatting: ${text}, was given ${typeNameOf(value)}`);
}

function fixed(value: CelValue, format: (number: number) => string, problem: string): string {
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return special(Number(value));
  if (typeof value !== "number") throw wrong(problem, value);
  return Number.isFinite(value) ? format(value) : special(value);
}

/** Halves go to the even neighbour, as in Go; where doubles are no exact halves, both agree. */
function toFixed(value: number, precision: number): string {
  const text = value.toFixed(precision);
  const exact = value.toFixed(Math.min(100, precision + 30));
  const rest = exact.slice(exact.indexOf(".") + 1 + precision);
  if (precision > 70 || !/^50*$/.test(rest)) return text;
  const down = exact.slice(0, precision === 0 ? exact.indexOf(".") : exact.indexOf(".") + 1 + precision);
  return Number(down.at(-1)) % 2 === 0 ? down : text;
}

function special(value: number): string {
  return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "-∞";
}

function scientific(value: number): string {
  const [mantissa = "0", exponent = "+0"] = value.toExponential(6).split("e");
  return `${mantissa}×10${superscript(exponent)}`;
}

function superscript(exponent: string): string {
  const power = Number(exponent);
  const digits = [...String(Math.abs(power)).padStart(2, "0")].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");
  return `${power < 0 ? "⁻" : ""}${digits}`;
}

function integer(value: CelValue, base: number, problem: string): string {
  const number = value instanceof CelUint ? value.value : value;
  if (typeof number !== "bigint") throw wrong(problem, value);
  return number.toString(base);
}

function hex(value: CelValue, budget: CelBudget): string {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  if (!(bytes instanceof Uint8Array)) return integer(value, 16, "only integers, byte buffers, and strings can be formatted as hex");
  budget.charge(bytes.length * 0.1);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A value as text: outermost as it is, inside of a container as a literal. */
function show(value: CelValue, budget: CelBudget, depth = 0): string {
  if (depth > MAX_DEPTH) throw new FormatProblem("the value nests too deep to be formatted");
  budget.charge(0.5);
  if (typeof value === "string") return depth === 0 ? value : JSON.stringify(value);
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value === "number") return showDouble(value, depth);
  if (value === null) return "null";
  if (value instanceof CelUint) return String(value.value);
  if (value instanceof CelDuration) return depth === 0 ? formatDuration(value) : `duration("${formatDuration(value)}")`;
  if (value instanceof CelTimestamp) return depth === 0 ? formatTimestamp(value) : `timestamp("${formatTimestamp(value)}")`;
  if (value instanceof CelTypeValue) return value.typeName;
  if (value instanceof Uint8Array) {
    budget.charge(value.length * 0.1);
    const text = new TextDecoder().decode(value);
    return depth === 0 ? text : `b${JSON.stringify(text)}`;
  }
  if (value instanceof CelList) return `[${Array.from({ length: value.size }, (_, i) => showResult(value.at(i), budget, depth)).join(", ")}]`;
  if (value instanceof CelMap) {
    const entries = value.keys().map((key) => `${show(key, budget, depth + 1)}:${showResult(value.find(key) ?? null, budget, depth)}`);
    return `{${entries.toSorted((a, b) => (a < b ? -1 : 1)).join(", ")}}`;
  }
  throw new FormatProblem(
    `error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${typeNameOf(value)}`,
  );
}

function showResult(result: CelResult, budget: CelBudget, depth: number): string {
  if (result instanceof CelFailure) throw new FormatProblem(result.message);
  return show(result, budget, depth + 1);
}

function showDouble(value: number, depth: number): string {
  if (depth === 0) return formatDouble(value);
  return Number.isFinite(value) ? value.toFixed(6) : `"${formatDouble(value)}"`;
}
