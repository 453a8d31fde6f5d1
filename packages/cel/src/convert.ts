import type { CelBudget } from "./budget.ts";
import { CelError } from "./errors.ts";
import { bindAuthorizer } from "./library/authorizer.ts";
import { formatDuration, formatTimestamp, parseDate, parseDurationFormat, parseTimestamp } from "./time.ts";
import { DYN, type CelType, type ListSemantics, type ListType, type MapType, type ObjectType } from "./types.ts";
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
  type CelResult,
  type CelValue,
  type MapKey,
} from "./values.ts";

const MAX_INT = 2 ** 63;

/** JSON as a value of the declared type; values pass as they are, and functions are asked. */
export function fromJson(json: unknown, type: CelType): CelResult {
  if (typeof json === "function") return fromAsked(json as () => unknown, type);
  if (json === null || json === undefined) return type.kind === "optional" ? CelOptional.none : null;
  if (isValueObject(json)) return type.kind === "optional" && !(json instanceof CelOptional) ? new CelOptional(json) : json;
  if (type.kind === "int")
    return typeof json === "bigint" ? json : typeof json === "number" && Number.isInteger(json) ? BigInt(json) : wrong("int", json);
  if (type.kind === "uint")
    return typeof json === "bigint" || (typeof json === "number" && Number.isInteger(json)) ? new CelUint(BigInt(json)) : wrong("uint", json);
  if (type.kind === "double") return typeof json === "number" || typeof json === "bigint" ? Number(json) : wrong("float", json);
  if (type.kind === "string") return typeof json === "string" ? json : wrong("string", json);
  if (type.kind === "bool") return typeof json === "boolean" ? json : wrong("bool", json);
  if (type.kind === "bytes") return typeof json === "string" ? fromBase64(json) : wrong("string", json);
  if (type.kind === "duration") return typeof json === "string" ? parseDurationFormat(json) : wrong("string", json);
  if (type.kind === "timestamp")
    return typeof json !== "string" ? wrong("string", json) : json.length === 10 ? parseDate(json) : parseTimestamp(json);
  if (type.kind === "list") {
    return Array.isArray(json) ? new JsonList(json, type) : new CelFailure("invalid data, expected an array for the provided schema with type=array");
  }
  if (type.kind === "map")
    return isObject(json) ? new JsonMap(json, type) : new CelFailure("invalid data, expected a map for the provided schema with type=object");
  if (type.kind === "object")
    return isObject(json) ? new JsonObject(json, type) : new CelFailure("invalid data, expected a map for the provided schema with type=object");
  if (type.kind === "optional") {
    const inner = fromJson(json, type.of);
    return inner instanceof CelFailure ? inner : new CelOptional(inner);
  }
  if (type.kind === "opaque") return bindAuthorizer(json, type) ?? wrong(type.name, json);
  return fromUntyped(json);
}

/** JSON whose type nobody declared: whole numbers are ints. */
/** A value that is computed when asked for; one that cannot be is a failure like any other. */
function fromAsked(ask: () => unknown, type: CelType): CelResult {
  try {
    return fromJson(ask(), type);
  } catch (error) {
    if (error instanceof CelError && error.kind === "evaluation") return new CelFailure(error.message);
    throw error;
  }
}

function fromUntyped(json: unknown): CelResult {
  if (typeof json === "boolean" || typeof json === "string" || typeof json === "bigint") return json;
  if (typeof json === "number") return Number.isInteger(json) && Math.abs(json) < MAX_INT ? BigInt(json) : json;
  if (Array.isArray(json)) return new JsonList(json, ANY_LIST);
  return isObject(json) ? new JsonMap(json, ANY_MAP) : wrong("JSON", json);
}

const ANY_LIST: ListType = { kind: "list", items: DYN };
const ANY_MAP: MapType = { kind: "map", key: { kind: "string" }, value: DYN };

function isValueObject(json: unknown): json is CelValue & object {
  return (
    json instanceof Uint8Array ||
    json instanceof CelUint ||
    json instanceof CelDuration ||
    json instanceof CelTimestamp ||
    json instanceof CelList ||
    json instanceof CelMap ||
    json instanceof CelOptional ||
    json instanceof CelOpaque ||
    json instanceof CelTypeValue
  );
}

function wrong(expected: string, json: unknown): CelFailure {
  return new CelFailure(`invalid data, expected ${expected}, got ${Array.isArray(json) ? "array" : typeof json}`);
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** A JSON array, whose items are converted when they are asked for. */
class JsonList extends CelList {
  readonly json: readonly unknown[];
  readonly type: ListType;
  override readonly semantics: ListSemantics | undefined;

  constructor(json: readonly unknown[], type: ListType) {
    super();
    this.json = json;
    this.type = type;
    this.semantics = type.semantics;
  }

  override get size(): number {
    return this.json.length;
  }

  override at(index: number): CelResult {
    return fromJson(this.json[index], this.type.items);
  }
}

/** A JSON object whose members are all of one type. */
class JsonMap extends CelMap {
  readonly json: Readonly<Record<string, unknown>>;
  readonly type: MapType;

  constructor(json: Readonly<Record<string, unknown>>, type: MapType) {
    super();
    this.json = json;
    this.type = type;
  }

  override get size(): number {
    return countMembers(this.json);
  }

  override find(key: CelValue): CelResult | undefined {
    if (typeof key !== "string" || !Object.hasOwn(this.json, key)) return undefined;
    return fromJson(this.json[key], this.type.value);
  }

  override keys(): readonly MapKey[] {
    return Object.keys(this.json);
  }
}

/** A JSON object with named fields; a field that is null is absent. */
export class JsonObject extends CelMap {
  readonly json: Readonly<Record<string, unknown>>;
  readonly type: ObjectType;

  constructor(json: Readonly<Record<string, unknown>>, type: ObjectType) {
    super();
    this.json = json;
    this.type = type;
  }

  override get size(): number {
    return countMembers(this.json);
  }

  override find(key: CelValue): CelResult | undefined {
    const field = typeof key === "string" ? this.type.fields.get(key) : undefined;
    if (field === undefined || !Object.hasOwn(this.json, field.jsonName)) return undefined;
    const json = this.json[field.jsonName];
    return json === null || json === undefined ? undefined : fromJson(json, field.type);
  }

  override keys(): readonly MapKey[] {
    const names = namesOf(this.type);
    return Object.keys(this.json).flatMap((jsonName) => {
      const name = names.get(jsonName);
      return name === undefined || this.json[jsonName] === null || this.json[jsonName] === undefined ? [] : [name];
    });
  }

  /** The members that no field describes. */
  unknownMembers(): readonly string[] {
    const names = namesOf(this.type);
    return Object.keys(this.json).filter((jsonName) => !names.has(jsonName));
  }
}

const memberCounts = new WeakMap<object, number>();

/** Counted once: an expression may ask for a size in every step. */
function countMembers(json: object): number {
  let count = memberCounts.get(json);
  if (count === undefined) memberCounts.set(json, (count = Object.keys(json).length));
  return count;
}

const fieldNames = new WeakMap<ObjectType, ReadonlyMap<string, string>>();

/** The names that expressions use, by those in JSON. */
function namesOf(type: ObjectType): ReadonlyMap<string, string> {
  let names = fieldNames.get(type);
  if (names === undefined) fieldNames.set(type, (names = new Map([...type.fields].map(([name, { jsonName }]) => [jsonName, name]))));
  return names;
}

/** A value as JSON: what `CelProgram.evaluate` gives. One value may stand in another many times, so all is paid for. */
export function toJson(result: CelResult, budget: CelBudget): unknown {
  if (result instanceof CelFailure) throw new CelError("evaluation", result.message);
  const value = result;
  if (value instanceof CelUint) return value.value;
  if (value instanceof Uint8Array) return toBase64(value);
  if (value instanceof CelDuration) return formatDuration(value);
  if (value instanceof CelTimestamp) return formatTimestamp(value);
  if (value instanceof JsonList || value instanceof JsonMap || value instanceof JsonObject) return value.json;
  if (value instanceof CelList) {
    budget.charge(value.size * 0.1);
    return Array.from({ length: value.size }, (_, i) => toJson(value.at(i), budget));
  }
  if (value instanceof CelMap) {
    budget.charge(value.size * 0.1);
    return Object.fromEntries(value.keys().map((key) => [textOfKey(key), toJson(value.find(key) ?? null, budget)]));
  }
  if (value instanceof CelOptional) return value.value === undefined ? undefined : toJson(value.value, budget);
  if (value instanceof CelTypeValue) return value.typeName;
  return value instanceof CelOpaque ? (value.identity ?? value.type.name) : value;
}

/** A key as the text that names a member. */
function textOfKey(key: MapKey): string {
  return key instanceof CelUint ? String(key.value) : String(key);
}

/** Reads base64 as `format: byte` allows it. */
export function fromBase64(text: string): Uint8Array | CelFailure {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return new CelFailure("invalid byte formatted string");
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
