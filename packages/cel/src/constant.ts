import type { Expr } from "./ast.ts";
import { CelFailure, CelUint, keyOf, ValueList, ValueMap, type CelValue, type MapKey } from "./values.ts";

/** The value of an expression that is nothing but constants, which costs nothing to make. */
export function constantOf(expression: Expr): CelValue | undefined {
  if (expression.kind === "literal") {
    const { value } = expression;
    return typeof value === "object" && value !== null && "uint" in value ? new CelUint(value.uint) : value;
  }
  if (expression.kind === "list") {
    const values: CelValue[] = [];
    for (const { value, isOptional } of expression.items) {
      const constant = isOptional ? undefined : constantOf(value);
      if (constant === undefined) return undefined;
      values.push(constant);
    }
    return new ValueList(values);
  }
  if (expression.kind === "map") {
    const map = new Map<string | boolean | bigint, readonly [MapKey, CelValue]>();
    for (const { key, value, isOptional } of expression.entries) {
      const [constantKey, constant] = isOptional ? [] : [constantOf(key), constantOf(value)];
      if (constantKey === undefined || constant === undefined || addEntry(map, constantKey, constant) !== undefined) return undefined;
    }
    return new ValueMap(map);
  }
  return undefined;
}

/** Adds an entry to what is to be a map; a key may come once only. */
export function addEntry(map: Map<string | boolean | bigint, readonly [MapKey, CelValue]>, key: CelValue, value: CelValue): CelFailure | undefined {
  const known = keyOf(key);
  if (known === undefined || !isMapKey(key)) return new CelFailure("unsupported key type");
  if (map.has(known)) return new CelFailure("Failed with repeated key");
  map.set(known, [key, value]);
  return undefined;
}

function isMapKey(key: CelValue): key is MapKey {
  return typeof key === "string" || typeof key === "boolean" || typeof key === "bigint" || key instanceof CelUint;
}
