import type { CelType, ListSemantics, ListType, MapType, ObjectType, OpaqueType, OptionalType, ScalarType, TypeType } from "./types.ts";

/**
 * A value. A bool, string or null is itself; an int is a bigint, a double a number, bytes a Uint8Array; the others have
 * classes.
 */
export type CelValue =
  | boolean
  | bigint
  | number
  | string
  | null
  | Uint8Array
  | CelUint
  | CelDuration
  | CelTimestamp
  | CelList
  | CelMap
  | CelOptional
  | CelOpaque
  | CelTypeValue;

/** A value, or why there is none: failures are values, so that `||` and `&&` may ignore them. */
export type CelResult = CelValue | CelFailure;

/** Why an evaluation has no value. */
export class CelFailure {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** The arguments fit no overload. */
export const NO_SUCH_OVERLOAD: CelFailure = new CelFailure("no such overload");

/** A uint. */
export class CelUint {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }
}

/** A duration. */
export class CelDuration {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A point in time. */
export class CelTimestamp {
  /** Since 1970-01-01T00:00:00Z. */
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A list; its items may be made only when somebody asks for them. */
export abstract class CelList {
  abstract readonly size: number;
  /** How it is equal to another list. */
  readonly semantics: ListSemantics | undefined = undefined;
  /** The item at an index below `size`. */
  abstract at(index: number): CelResult;
}

/** A list of values. */
export class ValueList extends CelList {
  readonly items: readonly CelValue[];
  override readonly semantics: ListSemantics | undefined;

  constructor(items: readonly CelValue[], semantics?: ListSemantics) {
    super();
    this.items = items;
    this.semantics = semantics;
  }

  override get size(): number {
    return this.items.length;
  }

  override at(index: number): CelResult {
    return this.items[index] ?? null;
  }
}

/** What may be the key of a map. */
export type MapKey = string | boolean | bigint | CelUint;

/** A map, or an object with named fields. */
export abstract class CelMap {
  abstract readonly size: number;
  /** The value of a key; undefined if it has none. */
  abstract find(key: CelValue): CelResult | undefined;
  abstract keys(): readonly MapKey[];
}

/** A map of values. */
export class ValueMap extends CelMap {
  readonly #entries: ReadonlyMap<string | boolean | bigint, readonly [MapKey, CelValue]>;

  /** From entries by their `keyOf`. */
  constructor(entries: ReadonlyMap<string | boolean | bigint, readonly [MapKey, CelValue]>) {
    super();
    this.#entries = entries;
  }

  override get size(): number {
    return this.#entries.size;
  }

  override find(key: CelValue): CelResult | undefined {
    const known = keyOf(key);
    return known === undefined ? undefined : this.#entries.get(known)?.[1];
  }

  override keys(): readonly MapKey[] {
    return [...this.#entries.values()].map(([key]) => key);
  }
}

/** What a value is looked up by as a key: numbers that are equal are one key. Undefined if it cannot be a key. */
export function keyOf(value: CelValue): string | boolean | bigint | undefined {
  if (typeof value === "string" || typeof value === "boolean" || typeof value === "bigint") return value;
  if (value instanceof CelUint) return value.value;
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : undefined;
}

/** A value that may be absent. */
export class CelOptional {
  static readonly none: CelOptional = new CelOptional(undefined);
  readonly value: CelValue | undefined;

  constructor(value: CelValue | undefined) {
    this.value = value;
  }
}

/** A value that only functions can read. */
export class CelOpaque<T = unknown> {
  readonly type: OpaqueType<T>;
  readonly value: T;
  /** What tells two of them apart; without it, only the same one is equal. */
  readonly identity: string | undefined;

  constructor(type: OpaqueType<T>, value: T, identity?: string) {
    this.type = type;
    this.value = value;
    this.identity = identity;
  }
}

/** A type as a value, such as `int`. */
export class CelTypeValue {
  readonly typeName: string;

  constructor(typeName: string) {
    this.typeName = typeName;
  }
}

/** The value of a type's constant in TypeScript: what a function of that parameter is given. */
export type ValueOf<T extends CelType> =
  T extends ScalarType<"bool">
    ? boolean
    : T extends ScalarType<"int">
      ? bigint
      : T extends ScalarType<"uint">
        ? CelUint
        : T extends ScalarType<"double">
          ? number
          : T extends ScalarType<"string">
            ? string
            : T extends ScalarType<"bytes">
              ? Uint8Array
              : T extends ScalarType<"duration">
                ? CelDuration
                : T extends ScalarType<"timestamp">
                  ? CelTimestamp
                  : T extends ListType
                    ? CelList
                    : T extends MapType | ObjectType
                      ? CelMap
                      : T extends OptionalType
                        ? CelOptional
                        : T extends OpaqueType<infer V>
                          ? CelOpaque<V>
                          : T extends TypeType
                            ? CelTypeValue
                            : CelValue;

/** Whether a value may stand where a parameter of that type is declared; what containers hold is not looked at. */
export function isOfType(value: CelValue, type: CelType): boolean {
  switch (type.kind) {
    case "bool":
      return typeof value === "boolean";
    case "int":
      return typeof value === "bigint";
    case "uint":
      return value instanceof CelUint;
    case "double":
      return typeof value === "number";
    case "string":
      return typeof value === "string";
    case "bytes":
      return value instanceof Uint8Array;
    case "null":
      return value === null;
    case "duration":
      return value instanceof CelDuration;
    case "timestamp":
      return value instanceof CelTimestamp;
    case "list":
      return value instanceof CelList;
    case "map":
    case "object":
      return value instanceof CelMap;
    case "optional":
      return value instanceof CelOptional;
    case "opaque":
      return value instanceof CelOpaque && value.type.name === type.name;
    case "type":
      return value instanceof CelTypeValue;
    case "dyn":
    case "param":
    case "error":
      return true;
  }
}

/** The name of the type that a value has, as `type(value)` shows it. */
export function typeNameOf(value: CelValue): string {
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "double";
  if (typeof value === "string") return "string";
  if (value === null) return "null_type";
  if (value instanceof CelUint) return "uint";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof CelList) return "list";
  if (value instanceof CelMap) return "map";
  if (value instanceof CelDuration) return "google.protobuf.Duration";
  if (value instanceof CelTimestamp) return "google.protobuf.Timestamp";
  if (value instanceof CelOptional) return "optional_type";
  return value instanceof CelOpaque ? value.type.name : "type";
}

/** The size that costs are counted by: characters, bytes, items or entries; 1 of anything else. */
export function sizeOf(value: CelValue): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length;
  if (value instanceof CelList || value instanceof CelMap) return value.size;
  if (value instanceof CelOptional && value.value !== undefined) return sizeOf(value.value);
  return 1;
}

/** The number of characters. */
export function lengthOf(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00) length--;
  }
  return length;
}
