import type { CelBudget } from "./budget.ts";
import { JsonObject } from "./convert.ts";
import { jsonEqual } from "@sluice/kubernetes";
import {
  CelDuration,
  CelFailure,
  CelList,
  CelMap,
  CelOpaque,
  CelOptional,
  CelTimestamp,
  CelTypeValue,
  CelUint,
  NO_SUCH_OVERLOAD,
  sizeOf,
  typeNameOf,
  type CelValue,
} from "./values.ts";

/** Deeper values are neither equal nor different. */
const MAX_DEPTH = 500;
const TOO_DEEP = new CelFailure("the values nest too deep to be compared");

/**
 * Whether two values are equal; values of different types are not, but numbers are by their amount. The caller has paid
 * for the outermost size; what lies inside is paid for on the way.
 */
export function equal(a: CelValue, b: CelValue, budget: CelBudget, depth = 0): boolean | CelFailure {
  if (a === b) return true;
  if (depth > MAX_DEPTH) return TOO_DEEP;
  if (depth > 0) budget.charge(Math.min(sizeOf(a), sizeOf(b)) * 0.1 + 0.15);
  const order = compareNumbers(a, b);
  if (order !== undefined) return order === 0;
  if (a instanceof CelList) return b instanceof CelList && equalLists(a, b, budget, depth);
  if (a instanceof CelMap) return b instanceof CelMap && equalMaps(a, b, budget, depth);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && a.length === b.length && a.every((byte, i) => byte === b[i]);
  if (a instanceof CelDuration) return b instanceof CelDuration && a.nanos === b.nanos;
  if (a instanceof CelTimestamp) return b instanceof CelTimestamp && a.nanos === b.nanos;
  if (a instanceof CelTypeValue) return b instanceof CelTypeValue && a.typeName === b.typeName;
  if (a instanceof CelOptional) {
    if (!(b instanceof CelOptional)) return false;
    if (a.value === undefined || b.value === undefined) return a.value === b.value;
    return equal(a.value, b.value, budget, depth + 1);
  }
  if (a instanceof CelOpaque) return b instanceof CelOpaque && a.type.name === b.type.name && a.identity !== undefined && a.identity === b.identity;
  return false;
}

function equalLists(a: CelList, b: CelList, budget: CelBudget, depth: number): boolean | CelFailure {
  if (a.size !== b.size) return false;
  if (a.semantics?.type === "set") return equalSets(a, b, budget);
  if (a.semantics?.type === "map") return equalMapLists(a, b, a.semantics.keys, budget, depth);
  for (let i = 0; i < a.size; i++) {
    const result = equalResults(a.at(i), b.at(i), budget, depth);
    if (result !== true) return result;
  }
  return true;
}

function equalResults(a: CelValue | CelFailure, b: CelValue | CelFailure, budget: CelBudget, depth: number): boolean | CelFailure {
  if (a instanceof CelFailure) return a;
  return b instanceof CelFailure ? b : equal(a, b, budget, depth + 1);
}

function equalSets(a: CelList, b: CelList, budget: CelBudget): boolean | CelFailure {
  budget.charge(a.size * 0.1);
  const items = new Set<string>();
  for (let i = 0; i < a.size; i++) items.add(scalarKey(a.at(i)));
  for (let i = 0; i < b.size; i++) if (!items.has(scalarKey(b.at(i)))) return false;
  return true;
}

function equalMapLists(a: CelList, b: CelList, keys: readonly string[], budget: CelBudget, depth: number): boolean | CelFailure {
  budget.charge(a.size * 0.1);
  const items = new Map<string, CelValue | CelFailure>();
  for (let i = 0; i < a.size; i++) items.set(itemKey(a.at(i), keys), a.at(i));
  for (let i = 0; i < b.size; i++) {
    const other = b.at(i);
    const item = items.get(itemKey(other, keys));
    if (item === undefined) return false;
    const result = equalResults(item, other, budget, depth);
    if (result !== true) return result;
  }
  return true;
}

/** What tells the items of a set apart; they are scalars. */
export function scalarKey(item: CelValue | CelFailure): string {
  if (item instanceof CelFailure) return item.message;
  const text = item instanceof CelUint ? item.value : item instanceof CelDuration || item instanceof CelTimestamp ? item.nanos : item;
  return `${typeNameOf(item)}:${String(text)}`;
}

/** What tells the items of a list apart whose items are objects with keys. */
export function itemKey(item: CelValue | CelFailure, keys: readonly string[]): string {
  return JSON.stringify(keys.map((key) => (item instanceof CelMap ? scalarKey(item.find(key) ?? null) : "")));
}

function equalMaps(a: CelMap, b: CelMap, budget: CelBudget, depth: number): boolean | CelFailure {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) {
    const mine = a.find(key);
    const theirs = b.find(key);
    if (mine === undefined || theirs === undefined) return false;
    const result = equalResults(mine, theirs, budget, depth);
    if (result !== true) return result;
  }
  return a instanceof JsonObject && b instanceof JsonObject ? equalUnknown(a, b, budget) : true;
}

/** What no schema describes is compared as it is, where both have it. */
function equalUnknown(a: JsonObject, b: JsonObject, budget: CelBudget): boolean {
  for (const name of a.unknownMembers()) {
    if (!Object.hasOwn(b.json, name)) continue;
    budget.charge(jsonSize(a.json[name]) * 0.1);
    if (!jsonEqual(a.json[name], b.json[name])) return false;
  }
  return true;
}

function jsonSize(json: unknown): number {
  let size = 0;
  const open = [json];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    size++;
    if (typeof next === "string") size += next.length;
    else if (typeof next === "object" && next !== null) for (const child of Object.values(next)) open.push(child);
  }
  return size;
}

/** -1, 0 or 1 if both are numbers, NaN if one is not a number at all, undefined otherwise. An int meets a double as a double. */
function compareNumbers(a: CelValue, b: CelValue): number | undefined {
  let x = a instanceof CelUint ? a.value : a;
  let y = b instanceof CelUint ? b.value : b;
  if ((typeof x !== "bigint" && typeof x !== "number") || (typeof y !== "bigint" && typeof y !== "number")) return undefined;
  if (typeof x !== typeof y) [x, y] = [Number(x), Number(y)];
  return x < y ? -1 : x > y ? 1 : x === y ? 0 : Number.NaN;
}

/** Orders two values, or says why they have no order. */
export function compare(a: CelValue, b: CelValue): number | CelFailure {
  const order = compareNumbers(a, b);
  if (order !== undefined) return Number.isNaN(order) ? new CelFailure("NaN values cannot be ordered") : order;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if ((a instanceof CelDuration && b instanceof CelDuration) || (a instanceof CelTimestamp && b instanceof CelTimestamp)) {
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  return NO_SUCH_OVERLOAD;
}

/** By code points, as UTF-8 orders them. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // A surrogate stands for a code point above all that fit in one unit.
    const [isHighX, isHighY] = [isSurrogate(x), isSurrogate(y)];
    return isHighX === isHighY ? (x < y ? -1 : 1) : isHighX ? 1 : -1;
  }
  return a.length < b.length ? -1 : 1;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xe000;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return Math.sign(a.length - b.length);
}
