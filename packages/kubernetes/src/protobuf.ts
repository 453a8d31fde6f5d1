import { findDefinition, type Definition, type FieldDefinition, type FieldType } from "./builtin/definition-table.ts";
import { builtinResources, builtinReviews } from "./builtin/resources.ts";
import { ApiError } from "./errors.ts";
import type { UnknownObject } from "./object.ts";
import { decodeScalar } from "./protobuf-scalar.ts";
import { ProtobufReader, type WireValue } from "./protobuf-reader.ts";

/** The media type of request bodies that `decodeProtobuf` reads. */
export const PROTOBUF_MEDIA_TYPE = "application/vnd.kubernetes.protobuf";

/** Nesting beyond this is an attack, not an object. */
const MAX_DEPTH = 64;
const MAGIC: readonly number[] = [0x6b, 0x38, 0x73, 0x00];
const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
const OPTIONS: ReadonlySet<string> = new Set(["DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions"]);
const ELSEWHERE: Readonly<Record<string, string>> = {
  "policy/v1/Eviction": "io.k8s.api.policy.v1.Eviction",
  "v1/Binding": "io.k8s.api.core.v1.Binding",
  "autoscaling/v1/Scale": "io.k8s.api.autoscaling.v1.Scale",
  "authentication.k8s.io/v1/TokenRequest": "io.k8s.api.authentication.v1.TokenRequest",
};

let definitionsByKind: Map<string, string> | undefined;

/**
 * Decodes a request body of type `application/vnd.kubernetes.protobuf` into the JSON form that Go's clients would have sent.
 * Bytes that are no such body give BadRequest; a kind that is not Kubernetes' own gives UnsupportedMediaType.
 */
export function decodeProtobuf(bytes: Uint8Array): UnknownObject {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) throw malformed("it does not start with the bytes k8s\\0");
  const envelope = decodeEnvelope(bytes.subarray(MAGIC.length));
  const { apiVersion, kind } = envelope;
  const definition = definitionOf(apiVersion, kind);
  if (definition === undefined) {
    throw new ApiError("UnsupportedMediaType", `${kind} of ${apiVersion} has no protobuf form here; send application/json`);
  }
  const decoded = decodeMessage(envelope.raw, definition, 0);
  const meta = decoded["metadata"];
  const metadata = { name: "", ...(isRecord(meta) ? meta : {}) };
  if (metadata.name === "") Reflect.deleteProperty(metadata, "name");
  return OPTIONS.has(kind) ? withoutMetadata({ ...decoded, apiVersion, kind, metadata }) : { ...decoded, apiVersion, kind, metadata };
}

/** Options have no metadata; the type of all bodies says that they do. */
function withoutMetadata(object: UnknownObject): UnknownObject {
  Reflect.deleteProperty(object, "metadata");
  return object;
}

function definitionOf(apiVersion: string, kind: string): Definition | undefined {
  if (OPTIONS.has(kind)) return findDefinition(`${META}.${kind}`);
  definitionsByKind ??= new Map([
    ...Object.entries(ELSEWHERE),
    ...[...builtinResources, ...builtinReviews].map((resource): [string, string] => [
      `${resource.group === "" ? "" : `${resource.group}/`}${resource.version}/${resource.kind}`,
      resource.schema.ref ?? "",
    ]),
  ]);
  const name = definitionsByKind.get(`${apiVersion}/${kind}`);
  return name === undefined ? undefined : findDefinition(name);
}

/** `runtime.Unknown`: 1 is the type (1 apiVersion, 2 kind), 2 the object's bytes, 3 an encoding, 4 a content type. */
function decodeEnvelope(bytes: Uint8Array): { apiVersion: string; kind: string; raw: Uint8Array } {
  let apiVersion = "";
  let kind = "";
  let raw: Uint8Array = new Uint8Array();
  for (const [number, value] of new ProtobufReader(bytes).fields()) {
    if (number === 1) {
      for (const [part, text] of new ProtobufReader(bytesOf(value)).fields()) {
        if (part === 1) apiVersion = textOf(text);
        if (part === 2) kind = textOf(text);
      }
    } else if (number === 2) raw = bytesOf(value);
    else if (number === 3 && bytesOf(value).length > 0) throw malformed("its content is encoded");
  }
  if (apiVersion === "" || kind === "") throw malformed("it does not say its apiVersion and kind");
  return { apiVersion, kind, raw };
}

function decodeMessage(bytes: Uint8Array, definition: Definition, depth: number): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw malformed("it is nested too deeply");
  const result: Record<string, unknown> = {};
  const byNumber = fieldsByNumber(definition);
  for (const [number, value] of new ProtobufReader(bytes).fields()) {
    const field = byNumber.get(number);
    if (field === undefined) continue;
    if (field.name === undefined) {
      if (field.type.kind === "definition") Object.assign(result, decodeMessage(bytesOf(value), definitionNamed(field.type.name), depth + 1));
      continue;
    }
    addField(result, field.name, field, value, depth);
  }
  showEmpty(result, definition);
  return result;
}

function addField(result: Record<string, unknown>, name: string, field: FieldDefinition, value: WireValue, depth: number): void {
  const { type } = field;
  if (type.kind === "list") {
    const list = result[name];
    const items = Array.isArray(list) ? list : (result[name] = []);
    for (const item of unpack(type.of, value)) items.push(decodeValue(item, type.of, depth));
    return;
  }
  if (type.kind === "map") {
    const [key, item] = decodeEntry(bytesOf(value), type.of, depth);
    const map = result[name];
    // A plain assignment of the key `__proto__` would be lost.
    Object.defineProperty(isRecord(map) ? map : (result[name] = {}), key, { value: item, enumerable: true, writable: true, configurable: true });
    return;
  }
  const decoded = decodeValue(value, type, depth);
  if (decoded === undefined || (isEmpty(decoded) && !field.isPointer && !field.isAlwaysShown)) Reflect.deleteProperty(result, name);
  else result[name] = decoded;
}

function decodeValue(value: WireValue, type: FieldType, depth: number): unknown {
  switch (type.kind) {
    case "definition":
      return decodeMessage(bytesOf(value), definitionNamed(type.name), depth + 1);
    case "scalar":
      return decodeScalar(type.scalar, value, (name, bytes) => decodeMessage(bytes, definitionNamed(name), depth + 1));
    case "list":
    case "map":
      throw malformed("it nests lists");
  }
}

/** A map travels as a list of entries: 1 is the key, 2 the value, and either may be left out when it is empty. */
function decodeEntry(bytes: Uint8Array, type: FieldType, depth: number): [string, unknown] {
  let key = "";
  let value: WireValue | undefined;
  for (const [number, part] of new ProtobufReader(bytes).fields()) {
    if (number === 1) key = textOf(part);
    if (number === 2) value = part;
  }
  return [key, decodeValue(value ?? (isNumeric(type) ? 0n : new Uint8Array()), type, depth)];
}

/** The items that one wire value holds: numbers may come packed. */
function unpack(type: FieldType, value: WireValue): WireValue[] {
  if (!isNumeric(type) || typeof value === "bigint") return [value];
  return new ProtobufReader(value).varints();
}

function isNumeric(type: FieldType): boolean {
  return type.kind === "scalar" && (type.scalar === "int32" || type.scalar === "int64" || type.scalar === "bool");
}

/** Go writes the fields that are not `omitempty` even when the wire leaves them out. */
function showEmpty(result: Record<string, unknown>, definition: Definition): void {
  for (const { name, isAlwaysShown, isPointer, type } of definition.fields) {
    if (name === undefined || !isAlwaysShown || isPointer || name in result || type.kind !== "scalar") continue;
    if (type.scalar === "string") result[name] = "";
    else if (type.scalar === "bool") result[name] = false;
    else if (type.scalar === "int32" || type.scalar === "int64") result[name] = 0;
  }
}

const numbered = new WeakMap<Definition, ReadonlyMap<number, FieldDefinition>>();

function fieldsByNumber(definition: Definition): ReadonlyMap<number, FieldDefinition> {
  const known = numbered.get(definition);
  if (known !== undefined) return known;
  const fields = new Map(definition.fields.filter(({ number }) => number > 0).map((field) => [field.number, field]));
  numbered.set(definition, fields);
  return fields;
}

function definitionNamed(name: string): Definition {
  const definition = findDefinition(name);
  if (definition === undefined) throw new Error(`there is no built-in definition ${name}`);
  return definition;
}

function isEmpty(value: unknown): boolean {
  return value === "" || value === 0 || value === false || (isRecord(value) && Object.keys(value).length === 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bytesOf(value: WireValue): Uint8Array {
  if (typeof value === "bigint") throw malformed("a number stands where a message should");
  return value;
}

function textOf(value: WireValue): string {
  return new TextDecoder().decode(bytesOf(value));
}

function malformed(why: string): ApiError {
  return new ApiError("BadRequest", `the body is not valid Kubernetes protobuf: ${why}`);
}
