import type { CelBudget } from "../budget.ts";
import { compare, equal } from "../equality.ts";
import { fn, method, type NamedOverload } from "../functions.ts";
import { durationOf } from "../time.ts";
import { BOOL, BYTES, DOUBLE, DURATION, DYN, INT, listOf, optionalOf, STRING, TIMESTAMP, UINT } from "../types.ts";
import { CelDuration, CelFailure, CelList, CelOptional, CelUint, sizeOf, typeNameOf, ValueList, type CelResult, type CelValue } from "../values.ts";
import { itemsOf } from "./operators.ts";

const A = { kind: "param", name: "A" } as const;
const LIST = listOf(A);
const COMPARABLE = [INT, UINT, DOUBLE, BOOL, DURATION, TIMESTAMP, STRING, BYTES] as const;
const MIN_INT = -(2n ** 63n);
const MAX_INT = 2n ** 63n - 1n;
const MAX_UINT = 2n ** 64n - 1n;
const CREATE = 10;

/** What it costs to read a list and all that it holds. */
function readsAll(list: CelList): number {
  let cost = 0;
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    cost += typeof item === "string" || item instanceof Uint8Array ? Math.floor(item.length * 0.1) : 1;
  }
  return Math.max(cost, Math.floor(list.size * 0.1));
}

const readsList = { cost: readsAll };

function isSorted(list: CelList): CelResult {
  let previous: CelValue | undefined;
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (item instanceof CelFailure) return item;
    const order = previous === undefined ? -1 : compare(previous, item);
    if (order instanceof CelFailure) return order;
    if (order > 0) return false;
    previous = item;
  }
  return true;
}

function extreme(list: CelList, name: string, sign: number): CelResult {
  let best: CelValue | undefined;
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (item instanceof CelFailure) return item;
    const order = best === undefined ? sign : compare(item, best);
    if (order instanceof CelFailure) return order;
    if (order * sign > 0) best = item;
  }
  return best ?? new CelFailure(`${name} called on empty list`);
}

function sumInts(list: CelList): CelResult {
  let sum = 0n;
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (typeof item !== "bigint") return notSummable(item);
    sum += item;
    if (sum > MAX_INT || sum < MIN_INT) return new CelFailure("integer overflow");
  }
  return sum;
}

function sumUints(list: CelList): CelResult {
  let sum = 0n;
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (!(item instanceof CelUint)) return notSummable(item);
    sum += item.value;
    if (sum > MAX_UINT) return new CelFailure("unsigned integer overflow");
  }
  return new CelUint(sum);
}

function sumDoubles(list: CelList): CelResult {
  let sum = 0;
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (typeof item !== "number") return notSummable(item);
    sum += item;
  }
  return sum;
}

function sumDurations(list: CelList): CelResult {
  let sum = 0n;
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (!(item instanceof CelDuration)) return notSummable(item);
    sum += item.nanos;
  }
  return durationOf(sum);
}

function notSummable(item: CelResult): CelFailure {
  return item instanceof CelFailure ? item : new CelFailure("no such overload");
}

function indexIn(list: CelList, wanted: CelValue, budget: CelBudget, isLast: boolean): CelResult {
  for (let n = 0; n < list.size; n++) {
    const i = isLast ? list.size - 1 - n : n;
    const item = list.at(i);
    const result = item instanceof CelFailure ? item : equal(item, wanted, budget, 1);
    if (result instanceof CelFailure) return result;
    if (result) return BigInt(i);
  }
  return -1n;
}

function slice(list: CelList, start: bigint, end: bigint): CelResult {
  const call = `cannot slice(${start}, ${end})`;
  if (start < 0n || end < 0n) return new CelFailure(`${call}, negative indexes not supported`);
  if (start > end) return new CelFailure(`${call}, start index must be less than or equal to end index`);
  if (end > BigInt(list.size)) return new CelFailure(`${call}, list is length ${list.size}`);
  const items: CelValue[] = [];
  for (let i = Number(start); i < Number(end); i++) {
    const item = list.at(i);
    if (item instanceof CelFailure) return item;
    items.push(item);
  }
  return new ValueList(items);
}

function flatten(list: CelList, depth: bigint, budget: CelBudget): CelResult {
  if (depth < 0n) return new CelFailure("level must be non-negative");
  const flat: CelValue[] = [];
  const failure = flattenInto(flat, list, depth, budget);
  return failure ?? new ValueList(flat);
}

/** Every list inside is paid for: one list may stand in another many times. */
function flattenInto(flat: CelValue[], list: CelList, depth: bigint, budget: CelBudget): CelFailure | undefined {
  budget.charge(list.size * 0.1);
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (item instanceof CelFailure) return item;
    if (!(item instanceof CelList) || depth === 0n) flat.push(item);
    else {
      const failure = flattenInto(flat, item, depth - 1n, budget);
      if (failure !== undefined) return failure;
    }
  }
  return undefined;
}

/** As upstream estimates it: every item against every other. */
function quadratic(list: CelList): number {
  const first = list.size === 0 ? undefined : list.at(0);
  const factor = typeof first === "string" || first instanceof Uint8Array ? 2.1 : 2;
  return Math.floor(list.size * list.size * factor) + CREATE + 1;
}

function sortBy(list: CelList, keys: CelList): CelResult {
  const items = itemsOf(list);
  const values = itemsOf(keys);
  if (items instanceof CelFailure) return items;
  if (values instanceof CelFailure) return values;
  let failure: CelFailure | undefined;
  const order = items.map((_, i) => i);
  order.sort((i, j) => {
    const [a = null, b = null] = [values[i], values[j]];
    const result = typeNameOf(a) === typeNameOf(b) ? compare(a, b) : new CelFailure("list elements must have the same type");
    if (typeof result === "number") return result;
    failure ??= result;
    return 0;
  });
  return failure ?? new ValueList(order.map((i) => items[i] ?? null));
}

function distinct(list: CelList, budget: CelBudget): CelResult {
  const unique: CelValue[] = [];
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (item instanceof CelFailure) return item;
    if (!unique.some((other) => equal(item, other, budget, 1) === true)) unique.push(item);
  }
  return new ValueList(unique);
}

function range(count: bigint): CelResult {
  return new ValueList(Array.from({ length: Math.max(0, Number(count)) }, (_, i) => BigInt(i)));
}

function reverse(list: CelList): CelResult {
  const items = itemsOf(list);
  return items instanceof CelFailure ? items : new ValueList(items.toReversed());
}

function edge(list: CelList, index: number): CelResult {
  if (list.size === 0) return CelOptional.none;
  const item = list.at(index);
  return item instanceof CelFailure ? item : new CelOptional(item);
}

/** Kubernetes' functions on lists, and those that upstream calls an extension. */
export const lists: readonly NamedOverload[] = [
  ...COMPARABLE.flatMap((type) => [
    method("isSorted", [listOf(type)], BOOL, isSorted, readsList),
    method("min", [listOf(type)], type, (list) => extreme(list, "min", -1), readsList),
    method("max", [listOf(type)], type, (list) => extreme(list, "max", 1), readsList),
    method("sort", [listOf(type)], listOf(type), (list) => sortBy(list, list), { cost: quadratic }),
    method("@sortByAssociatedKeys", [LIST, listOf(type)], LIST, sortBy, { cost: (_, keys) => quadratic(keys) }),
  ]),
  method("sum", [listOf(INT)], INT, sumInts, readsList),
  method("sum", [listOf(UINT)], UINT, sumUints, readsList),
  method("sum", [listOf(DOUBLE)], DOUBLE, sumDoubles, readsList),
  method("sum", [listOf(DURATION)], DURATION, sumDurations, readsList),
  method("indexOf", [LIST, A], INT, (list, item, budget) => indexIn(list, item, budget, false), readsList),
  method("lastIndexOf", [LIST, A], INT, (list, item, budget) => indexIn(list, item, budget, true), readsList),
  method("slice", [LIST, INT, INT], LIST, slice, { cost: (_, start, end) => CREATE + 1 + Math.max(0, Number(end - start)) }),
  method("flatten", [listOf(LIST)], LIST, (list, budget) => flatten(list, 1n, budget), { cost: (list) => CREATE + 1 + sizeOf(list) }),
  method("flatten", [listOf(DYN), INT], listOf(DYN), flatten, { cost: (list, depth) => CREATE + 1 + sizeOf(list) * Math.max(0, Number(depth)) }),
  fn("lists.range", [INT], listOf(INT), range, { cost: (count) => CREATE + 1 + Math.max(0, Number(count)) }),
  method("reverse", [LIST], LIST, reverse, { cost: (list) => CREATE + 1 + list.size }),
  method("distinct", [LIST], LIST, distinct, { cost: quadratic }),
  method("first", [LIST], optionalOf(A), (list) => edge(list, 0)),
  method("last", [LIST], optionalOf(A), (list) => edge(list, list.size - 1)),
];

const readsEach = (a: CelList, b: CelList): number => a.size * b.size + 1;

function containsAll(list: CelList, wanted: CelList, budget: CelBudget): CelResult {
  for (let i = 0; i < wanted.size; i++) {
    const item = wanted.at(i);
    const index = item instanceof CelFailure ? item : indexIn(list, item, budget, false);
    if (index instanceof CelFailure) return index;
    if (index === -1n) return false;
  }
  return true;
}

function intersects(list: CelList, other: CelList, budget: CelBudget): CelResult {
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (!(item instanceof CelFailure) && indexIn(other, item, budget, false) !== -1n) return true;
  }
  return false;
}

/** Lists as sets. */
export const sets: readonly NamedOverload[] = [
  fn("sets.contains", [LIST, LIST], BOOL, containsAll, { cost: readsEach }),
  fn("sets.intersects", [LIST, LIST], BOOL, intersects, { cost: readsEach }),
  fn(
    "sets.equivalent",
    [LIST, LIST],
    BOOL,
    (a, b, budget) => {
      const result = containsAll(a, b, budget);
      return result === true ? containsAll(b, a, budget) : result;
    },
    { cost: (a, b) => a.size * b.size * 2 + 1 },
  ),
];
