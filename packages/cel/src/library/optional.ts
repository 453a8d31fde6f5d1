import { fn, method, type NamedOverload } from "../functions.ts";
import { BOOL, listOf, optionalOf } from "../types.ts";
import { CelDuration, CelFailure, CelList, CelMap, CelOptional, CelTimestamp, CelUint, ValueList, type CelResult, type CelValue } from "../values.ts";

const V = { kind: "param", name: "V" } as const;
const OPTIONAL = optionalOf(V);

function isZero(value: CelValue): boolean {
  if (value === null || value === false || value === "" || value === 0n || value === 0) return true;
  if (value instanceof CelUint) return value.value === 0n;
  if (value instanceof CelDuration) return value.nanos === 0n;
  if (value instanceof CelTimestamp) return false;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof CelOptional) return value.value === undefined;
  return (value instanceof CelList || value instanceof CelMap) && value.size === 0;
}

function unwrap(list: CelList): CelResult {
  const values: CelValue[] = [];
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    if (item instanceof CelFailure) return item;
    if (!(item instanceof CelOptional)) return new CelFailure("value is not optional");
    if (item.value !== undefined) values.push(item.value);
  }
  return new ValueList(values);
}

const readsList = { cost: (list: CelList): number => 1 + Math.ceil(list.size * 0.1) };

/** Values that may be absent; `or` and `orValue` are the evaluator's, which need not look at their argument. */
export const optional: readonly NamedOverload[] = [
  fn("optional.of", [V], OPTIONAL, (value) => new CelOptional(value)),
  fn("optional.ofNonZeroValue", [V], OPTIONAL, (value) => (isZero(value) ? CelOptional.none : new CelOptional(value))),
  fn("optional.none", [], OPTIONAL, () => CelOptional.none),
  method("value", [OPTIONAL], V, ({ value }) => (value === undefined ? new CelFailure("optional.none() dereference") : value)),
  method("hasValue", [OPTIONAL], BOOL, ({ value }) => value !== undefined),
  method("or", [OPTIONAL, OPTIONAL], OPTIONAL, (first, second) => (first.value === undefined ? second : first)),
  method("orValue", [OPTIONAL, V], V, ({ value }, other) => (value === undefined ? other : value)),
  fn("optional.unwrap", [listOf(OPTIONAL)], listOf(V), unwrap, readsList),
  method("unwrapOpt", [listOf(OPTIONAL)], listOf(V), unwrap, readsList),
];
