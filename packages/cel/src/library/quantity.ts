import { addQuantities, compareQuantities, isApiError, isQuantity, parseQuantity, type Quantity } from "@sluice/kubernetes";
import { fn, method, readsFirst, type NamedOverload } from "../functions.ts";
import { BOOL, DOUBLE, INT, opaque, STRING, type OpaqueType } from "../types.ts";
import { CelFailure, CelOpaque, type CelResult } from "../values.ts";

const quantityType: OpaqueType<Quantity> = opaque("kubernetes.Quantity");
const NANOS = 1_000_000_000n;
const MAX_INT = 2n ** 63n - 1n;

function wrap(quantity: Quantity): CelOpaque<Quantity> {
  return new CelOpaque(quantityType, quantity, String(quantity.nanos));
}

function parse(text: string): CelResult {
  try {
    return wrap(parseQuantity(text));
  } catch (error) {
    if (isApiError(error)) return new CelFailure(`quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`);
    throw error;
  }
}

function whole({ nanos }: Quantity): bigint | undefined {
  const value = nanos / NANOS;
  return nanos % NANOS === 0n && value <= MAX_INT && value >= -MAX_INT - 1n ? value : undefined;
}

function ofInt(value: bigint): Quantity {
  return { nanos: value * NANOS, format: "DecimalExponent" };
}

function negative({ nanos, format }: Quantity): Quantity {
  return { nanos: -nanos, format };
}

/** Amounts such as `500m` and `1.5Gi`. */
export const quantities: readonly NamedOverload[] = [
  fn("quantity", [STRING], quantityType, parse, { cost: readsFirst }),
  fn("isQuantity", [STRING], BOOL, (text) => isQuantity(text), { cost: readsFirst }),
  method("sign", [quantityType], INT, ({ value: { nanos } }) => (nanos > 0n ? 1n : nanos < 0n ? -1n : 0n)),
  method("isGreaterThan", [quantityType, quantityType], BOOL, (a, b) => compareQuantities(a.value, b.value) > 0),
  method("isLessThan", [quantityType, quantityType], BOOL, (a, b) => compareQuantities(a.value, b.value) < 0),
  method("compareTo", [quantityType, quantityType], INT, (a, b) => BigInt(compareQuantities(a.value, b.value))),
  method("asApproximateFloat", [quantityType], DOUBLE, ({ value: { nanos } }) => Number(nanos) / 1e9),
  method("asInteger", [quantityType], INT, ({ value }) => whole(value) ?? new CelFailure("cannot convert value to integer")),
  method("isInteger", [quantityType], BOOL, ({ value }) => whole(value) !== undefined),
  method("add", [quantityType, quantityType], quantityType, (a, b) => wrap(addQuantities(a.value, b.value))),
  method("add", [quantityType, INT], quantityType, (a, b) => wrap(addQuantities(a.value, ofInt(b)))),
  method("sub", [quantityType, quantityType], quantityType, (a, b) => wrap(addQuantities(a.value, negative(b.value)))),
  method("sub", [quantityType, INT], quantityType, (a, b) => wrap(addQuantities(a.value, ofInt(-b)))),
];
