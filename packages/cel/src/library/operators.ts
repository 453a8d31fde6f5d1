import type { CelBudget } from "../budget.ts";
import { compare, equal, itemKey, scalarKey } from "../equality.ts";
import { fn, traversal, type NamedOverload } from "../functions.ts";
import { durationOf, timestampOf } from "../time.ts";
import { BOOL, BYTES, DOUBLE, DURATION, INT, listOf, mapOf, optionalOf, STRING, TIMESTAMP, UINT, type CelType } from "../types.ts";
import {
  CelFailure,
  CelList,
  CelMap,
  CelOptional,
  CelUint,
  keyOf,
  NO_SUCH_OVERLOAD,
  sizeOf,
  ValueList,
  ValueMap,
  type CelResult,
  type CelValue,
  type MapKey,
} from "../values.ts";

const A = { kind: "param", name: "A" } as const;
const B = { kind: "param", name: "B" } as const;
const LIST_A = listOf(A);
const MAP_AB = mapOf(A, B);
const MIN_INT = -(2n ** 63n);
const MAX_INT = 2n ** 63n - 1n;
const MAX_UINT = 2n ** 64n - 1n;

const INT_OVERFLOW = new CelFailure("integer overflow");
const UINT_OVERFLOW = new CelFailure("unsigned integer overflow");
const DIVISION_BY_ZERO = new CelFailure("division by zero");
const MODULUS_BY_ZERO = new CelFailure("modulus by zero");

function int(value: bigint): CelResult {
  return value > MAX_INT || value < MIN_INT ? INT_OVERFLOW : value;
}

function uint(value: bigint): CelResult {
  return value > MAX_UINT || value < 0n ? UINT_OVERFLOW : new CelUint(value);
}

const readsBoth = (a: string | Uint8Array, b: string | Uint8Array): number => traversal(a.length + b.length);

const arithmetic: readonly NamedOverload[] = [
  fn("_+_", [BYTES, BYTES], BYTES, concatBytes, { cost: readsBoth }),
  fn("_+_", [DOUBLE, DOUBLE], DOUBLE, (a, b) => a + b),
  fn("_+_", [DURATION, DURATION], DURATION, (a, b) => durationOf(a.nanos + b.nanos)),
  fn("_+_", [DURATION, TIMESTAMP], TIMESTAMP, (a, b) => timestampOf(a.nanos + b.nanos)),
  fn("_+_", [TIMESTAMP, DURATION], TIMESTAMP, (a, b) => timestampOf(a.nanos + b.nanos)),
  fn("_+_", [INT, INT], INT, (a, b) => int(a + b)),
  fn("_+_", [LIST_A, LIST_A], LIST_A, concatLists, { cost: (a, b) => (isOpen(a) ? 1 : 1 + Math.floor((a.size + b.size) * 0.1)) }),
  fn("_+_", [STRING, STRING], STRING, (a, b) => a + b, { cost: readsBoth }),
  fn("_+_", [UINT, UINT], UINT, (a, b) => uint(a.value + b.value)),
  fn("_-_", [DOUBLE, DOUBLE], DOUBLE, (a, b) => a - b),
  fn("_-_", [DURATION, DURATION], DURATION, (a, b) => durationOf(a.nanos - b.nanos)),
  fn("_-_", [INT, INT], INT, (a, b) => int(a - b)),
  fn("_-_", [TIMESTAMP, DURATION], TIMESTAMP, (a, b) => timestampOf(a.nanos - b.nanos)),
  fn("_-_", [TIMESTAMP, TIMESTAMP], DURATION, (a, b) => durationOf(a.nanos - b.nanos)),
  fn("_-_", [UINT, UINT], UINT, (a, b) => uint(a.value - b.value)),
  fn("_*_", [DOUBLE, DOUBLE], DOUBLE, (a, b) => a * b),
  fn("_*_", [INT, INT], INT, (a, b) => int(a * b)),
  fn("_*_", [UINT, UINT], UINT, (a, b) => uint(a.value * b.value)),
  fn("_/_", [DOUBLE, DOUBLE], DOUBLE, (a, b) => a / b),
  fn("_/_", [INT, INT], INT, (a, b) => (b === 0n ? DIVISION_BY_ZERO : int(a / b))),
  fn("_/_", [UINT, UINT], UINT, (a, b) => (b.value === 0n ? DIVISION_BY_ZERO : uint(a.value / b.value))),
  fn("_%_", [INT, INT], INT, (a, b) => (b === 0n ? MODULUS_BY_ZERO : a === MIN_INT && b === -1n ? INT_OVERFLOW : a % b)),
  fn("_%_", [UINT, UINT], UINT, (a, b) => (b.value === 0n ? MODULUS_BY_ZERO : uint(a.value % b.value))),
  fn("-_", [DOUBLE], DOUBLE, (a) => -a),
  fn("-_", [INT], INT, (a) => int(-a)),
  fn("!_", [BOOL], BOOL, (a) => !a),
];

const ORDERED: readonly (readonly [CelType, CelType])[] = [
  [BOOL, BOOL],
  [INT, INT],
  [INT, DOUBLE],
  [INT, UINT],
  [UINT, UINT],
  [UINT, DOUBLE],
  [UINT, INT],
  [DOUBLE, DOUBLE],
  [DOUBLE, INT],
  [DOUBLE, UINT],
  [STRING, STRING],
  [BYTES, BYTES],
  [TIMESTAMP, TIMESTAMP],
  [DURATION, DURATION],
];

const readsShorter = (a: CelValue, b: CelValue): number => {
  const size = Math.min(sizeOf(a), sizeOf(b));
  return traversal(size);
};

function ordering(name: string, holds: (order: number) => boolean): NamedOverload[] {
  return ORDERED.map((types) =>
    fn(
      name,
      types,
      BOOL,
      (a, b) => {
        const order = compare(a, b);
        return typeof order === "number" ? holds(order) : order;
      },
      { cost: readsShorter },
    ),
  );
}

function not(result: boolean | CelFailure): CelResult {
  return typeof result === "boolean" ? !result : result;
}

const comparison: readonly NamedOverload[] = [
  fn("_==_", [A, A], BOOL, (a, b, budget) => equal(a, b, budget), { cost: readsShorter }),
  fn("_!=_", [A, A], BOOL, (a, b, budget) => not(equal(a, b, budget)), { cost: readsShorter }),
  ...ordering("_<_", (order) => order < 0),
  ...ordering("_<=_", (order) => order <= 0),
  ...ordering("_>_", (order) => order > 0),
  ...ordering("_>=_", (order) => order >= 0),
];

const containers: readonly NamedOverload[] = [
  // The evaluator chooses before it looks at what is not chosen.
  fn("_?_:_", [BOOL, A, A], A, (condition, yes, no) => (condition ? yes : no)),
  fn("@in", [A, LIST_A], BOOL, (item, list, budget) => isIn(item, list, budget), { cost: (_, list) => list.size }),
  fn("@in", [A, MAP_AB], BOOL, (key, map) => {
    const found = map.find(key);
    return found instanceof CelFailure ? found : found !== undefined;
  }),
  fn("_[_]", [LIST_A, INT], A, (list, index) => indexOf(list, index)),
  fn("_[_]", [MAP_AB, A], B, (map, key) => indexOf(map, key)),
  fn("_[_]", [optionalOf(LIST_A), INT], optionalOf(A), (optional, index) => findOptional(optional, index)),
  fn("_[_]", [optionalOf(MAP_AB), A], optionalOf(B), (optional, key) => findOptional(optional, key)),
  fn("_[?_]", [LIST_A, INT], optionalOf(A), (list, index) => findOptional(list, index)),
  fn("_[?_]", [MAP_AB, A], optionalOf(B), (map, key) => findOptional(map, key)),
  fn("_[?_]", [optionalOf(LIST_A), INT], optionalOf(A), (optional, index) => findOptional(optional, index)),
  fn("_[?_]", [optionalOf(MAP_AB), A], optionalOf(B), (optional, key) => findOptional(optional, key)),
  fn("cel.@mapInsert", [MAP_AB, A, B], MAP_AB, (map, key, value) => insert(map, [[key, value]])),
  fn("cel.@mapInsert", [MAP_AB, MAP_AB], MAP_AB, (map, more) => insert(map, entriesOf(more))),
];

/** All operators, and what macros call. */
export const operators: readonly NamedOverload[] = [...arithmetic, ...comparison, ...containers];

/** An item of a list, or the value of a key. */
export function indexOf(container: CelValue, key: CelValue): CelResult {
  if (container instanceof CelList) {
    const index = indexNumber(key);
    if (index instanceof CelFailure) return index;
    return index === undefined || index < 0 || index >= container.size ? new CelFailure(`index out of bounds: ${show(key)}`) : container.at(index);
  }
  if (container instanceof CelMap) {
    const found = container.find(key);
    return found === undefined ? noSuchKey(key) : found;
  }
  if (container instanceof CelOptional) return findOptional(container, key);
  return NO_SUCH_OVERLOAD;
}

function noSuchKey(key: CelValue): CelFailure {
  return keyOf(key) === undefined && typeof key !== "number" ? NO_SUCH_OVERLOAD : new CelFailure(`no such key: ${show(key)}`);
}

function indexNumber(key: CelValue): number | undefined | CelFailure {
  const known = typeof key === "string" || typeof key === "boolean" ? undefined : keyOf(key);
  if (typeof known !== "bigint") return typeof key === "number" ? new CelFailure(`unsupported index value: ${key}`) : NO_SUCH_OVERLOAD;
  return known > BigInt(Number.MAX_SAFE_INTEGER) || known < 0n ? undefined : Number(known);
}

function wrap(result: CelResult): CelResult {
  return result instanceof CelFailure ? result : new CelOptional(result);
}

/** The item or value as an optional, which is none if there is no such one. */
export function findOptional(container: CelValue, key: CelValue): CelResult {
  if (container instanceof CelOptional) return container.value === undefined ? CelOptional.none : findOptional(container.value, key);
  if (container instanceof CelMap) {
    const found = container.find(key);
    return found === undefined ? CelOptional.none : wrap(found);
  }
  if (!(container instanceof CelList)) return NO_SUCH_OVERLOAD;
  const index = indexNumber(key);
  if (index instanceof CelFailure) return index;
  return index === undefined || index >= container.size ? CelOptional.none : wrap(container.at(index));
}

function show(key: CelValue): string {
  return key instanceof CelUint ? String(key.value) : String(key).slice(0, 256);
}

/** Whether a list has an item that is equal. */
function isIn(item: CelValue, list: CelList, budget: CelBudget): CelResult {
  let failure: CelFailure | undefined;
  for (let i = 0; i < list.size; i++) {
    const other = list.at(i);
    const result = other instanceof CelFailure ? other : equal(other, item, budget, 1);
    if (result === true) return true;
    if (result instanceof CelFailure) failure ??= result;
  }
  return failure ?? false;
}

function concatBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** The items of a list, or why one has no value. */
export function itemsOf(list: CelList): CelValue[] | CelFailure {
  const items: CelValue[] = [];
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (item instanceof CelFailure) return item;
    items.push(item);
  }
  return items;
}

/** A list that a fold builds: until it is closed, items are added in place, which nobody else can see. */
export class ListBuilder extends ValueList {
  readonly #items: CelValue[];
  isOpen = true;

  constructor() {
    const items: CelValue[] = [];
    super(items);
    this.#items = items;
  }

  add(items: readonly CelValue[]): void {
    for (const item of items) this.#items.push(item);
  }
}

function isOpen(list: CelList): list is ListBuilder {
  return list instanceof ListBuilder && list.isOpen;
}

function concatLists(a: CelList, b: CelList): CelResult {
  const more = itemsOf(b);
  if (more instanceof CelFailure) return more;
  if (isOpen(a)) {
    a.add(more);
    return a;
  }
  const items = itemsOf(a);
  if (items instanceof CelFailure) return items;
  const { semantics } = a;
  if (semantics === undefined || semantics.type === "atomic") return new ValueList([...items, ...more], semantics);
  const key = semantics.type === "set" ? scalarKey : (item: CelValue): string => itemKey(item, semantics.keys);
  const merged = new Map(items.map((item) => [key(item), item]));
  for (const item of more) merged.set(key(item), item);
  return new ValueList([...merged.values()], semantics);
}

function entriesOf(map: CelMap): [CelValue, CelValue][] {
  return map.keys().map((key) => [key, valueOr(map.find(key))]);
}

function valueOr(result: CelResult | undefined): CelValue {
  return result === undefined || result instanceof CelFailure ? null : result;
}

/** A map that a fold builds: its entries are added in place, which nobody else can see before the fold ends. */
class MapBuilder extends ValueMap {
  readonly #entries: Map<string | boolean | bigint, readonly [MapKey, CelValue]>;

  constructor() {
    const entries = new Map<string | boolean | bigint, readonly [MapKey, CelValue]>();
    super(entries);
    this.#entries = entries;
  }

  /** Adds an entry; a key may come once only. */
  add(key: CelValue, value: CelValue): CelFailure | undefined {
    const known = keyOf(key);
    if (known === undefined || typeof key === "number") return new CelFailure("unsupported key type");
    if (this.#entries.has(known)) return new CelFailure(`insert failed: key ${show(key)} already exists`);
    this.#entries.set(known, [key as MapKey, value]);
    return undefined;
  }
}

function insert(map: CelMap, entries: readonly (readonly [CelValue, CelValue])[]): CelResult {
  const builder = map instanceof MapBuilder ? map : new MapBuilder();
  if (builder !== map) for (const [key, value] of entriesOf(map)) builder.add(key, value);
  for (const [key, value] of entries) {
    const failure = builder.add(key, value);
    if (failure !== undefined) return failure;
  }
  return builder;
}
