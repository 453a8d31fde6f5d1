import { fn, method, readsFirst, traversal, type NamedOverload } from "../functions.ts";
import { INT, listOf, DYN, STRING } from "../types.ts";
import { CelFailure, ValueList, lengthOf, type CelList, type CelResult } from "../values.ts";
import type { CelBudget } from "../budget.ts";
import { formatText } from "./format-text.ts";

const STRINGS = listOf(STRING);

function outOfRange(index: bigint): CelFailure {
  return new CelFailure(`index out of range: ${index}`);
}

/** The place of a character in UTF-16 units; undefined if the text has fewer. */
function unitOf(text: string, index: bigint): number | undefined {
  if (index < 0n || index > BigInt(text.length)) return undefined;
  const count = Number(index);
  if (lengthOf(text) === text.length) return count;
  let unit = 0;
  for (let seen = 0; seen < count; seen++) {
    if (unit >= text.length) return undefined;
    unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
  }
  return unit;
}

function charAt(text: string, index: bigint): CelResult {
  const unit = unitOf(text, index);
  if (unit === undefined) return outOfRange(index);
  const point = text.codePointAt(unit);
  return point === undefined ? "" : String.fromCodePoint(point);
}

function substring(text: string, start: bigint, end?: bigint): CelResult {
  if (end !== undefined && start > end) return new CelFailure(`invalid substring range. start: ${start}, end: ${end}`);
  const from = unitOf(text, start);
  const to = end === undefined ? text.length : unitOf(text, end);
  if (from === undefined) return outOfRange(start);
  return to === undefined ? outOfRange(end ?? 0n) : text.slice(from, to);
}

function characterIndex(text: string, unit: number): bigint {
  return unit < 0 ? -1n : BigInt(lengthOf(text.slice(0, unit)));
}

function indexOf(text: string, part: string, offset: bigint): CelResult {
  if (part === "") return offset;
  if (offset < 0n) return outOfRange(offset);
  const unit = unitOf(text, offset);
  return unit === undefined ? -1n : characterIndex(text, text.indexOf(part, unit));
}

function lastIndexOf(text: string, part: string, offset: bigint): CelResult {
  if (part === "") return offset;
  if (offset < 0n) return outOfRange(offset);
  const unit = unitOf(text, offset);
  return unit === undefined || unit >= text.length ? -1n : characterIndex(text, text.lastIndexOf(part, unit));
}

function replace(text: string, part: string, by: string, limit: bigint, budget: CelBudget): CelResult {
  if (limit === 0n) return text;
  const pieces = part === "" ? ["", ...text, ""] : text.split(part);
  const most = limit < 0n ? pieces.length - 1 : Math.min(Number(limit), pieces.length - 1);
  // Upstream counts the text alone; what is made may be far longer.
  budget.charge(Math.max(0, Math.floor(most * (by.length - part.length) * 0.1)));
  if (part === "") {
    const characters = [...text];
    const done = characters.slice(0, Math.max(0, most)).map((character, i) => (i < most ? by + character : character));
    return done.join("") + characters.slice(most).join("") + (most > characters.length ? by : "");
  }
  const head = pieces.slice(0, most + 1).join(by);
  return most + 1 >= pieces.length ? head : [head, ...pieces.slice(most + 1)].join(part);
}

function split(text: string, separator: string, limit: bigint): CelResult {
  if (limit === 0n) return new ValueList([]);
  const pieces = separator === "" ? [...text] : text.split(separator);
  if (limit < 0n || BigInt(pieces.length) <= limit) return new ValueList(pieces);
  const most = Number(limit);
  return new ValueList([...pieces.slice(0, most - 1), pieces.slice(most - 1).join(separator)]);
}

function join(list: CelList, separator: string, budget: CelBudget): CelResult {
  budget.charge(list.size * 0.1);
  const parts: string[] = [];
  let size = Math.max(0, list.size - 1) * separator.length;
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (item instanceof CelFailure) return item;
    if (typeof item !== "string") return new CelFailure("join: invalid input");
    parts.push(item);
    size += item.length;
  }
  budget.charge(traversal(size, 2));
  return parts.join(separator);
}

const SPACE = /^\p{White_Space}$/u;

function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && SPACE.test(text.charAt(start))) start++;
  while (end > start && SPACE.test(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

function quote(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what must be escaped
  return `"${text.toWellFormed().replaceAll(/[\x07\b\f\n\r\t\v\\"]/g, (character) => ESCAPES[character] ?? character)}"`;
}

/** Upstream counts the text; where that almost holds the part again and again, the search takes longer. */
const twice = (text: string, part: string): number => traversal(text.length, 2) + Math.floor(text.length * part.length * 0.001);
const searchesOnce = (text: string, part: string): number => Math.floor(text.length * 0.1) + Math.floor(text.length * part.length * 0.001);
const nothing = (): number => 0;

/** The functions on strings that upstream calls an extension. */
export const strings: readonly NamedOverload[] = [
  method("charAt", [STRING, INT], STRING, charAt, { cost: (text) => 1 + Math.floor(text.length * 0.01) }),
  method("indexOf", [STRING, STRING], INT, (text, part) => indexOf(text, part, 0n), { cost: searchesOnce }),
  method("indexOf", [STRING, STRING, INT], INT, indexOf, { cost: searchesOnce }),
  method("lastIndexOf", [STRING, STRING], INT, (text, part) => characterIndex(text, text.lastIndexOf(part)), { cost: searchesOnce }),
  method("lastIndexOf", [STRING, STRING, INT], INT, lastIndexOf, { cost: searchesOnce }),
  method("lowerAscii", [STRING], STRING, (text) => text.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase()), { cost: readsFirst }),
  method("upperAscii", [STRING], STRING, (text) => text.replaceAll(/[a-z]+/g, (part) => part.toUpperCase()), { cost: readsFirst }),
  method("replace", [STRING, STRING, STRING], STRING, (text, part, by, budget) => replace(text, part, by, -1n, budget), { cost: twice }),
  method("replace", [STRING, STRING, STRING, INT], STRING, replace, { cost: twice }),
  method("split", [STRING, STRING], listOf(STRING), (text, separator) => split(text, separator, -1n), { cost: twice }),
  method("split", [STRING, STRING, INT], listOf(STRING), split, { cost: twice }),
  method("substring", [STRING, INT], STRING, (text, start) => substring(text, start), { cost: readsFirst }),
  method("substring", [STRING, INT, INT], STRING, (text, start, end) => substring(text, start, end), { cost: readsFirst }),
  method("trim", [STRING], STRING, trim, { cost: readsFirst }),
  method("format", [STRING, listOf(DYN)], STRING, formatText, { cost: readsFirst }),
  method("join", [STRINGS], STRING, (list, budget) => join(list, "", budget), { cost: nothing }),
  method("join", [STRINGS, STRING], STRING, join, { cost: nothing }),
  fn("strings.quote", [STRING], STRING, quote, { cost: readsFirst }),
];
