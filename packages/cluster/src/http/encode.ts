import type { KubernetesList, Resource, UnknownObject, WatchEvent } from "@sluice/kubernetes";
import { toPartialObjectMetadata, toPartialObjectMetadataList, toRow, toTable, type IncludeObject } from "../api-server/table.ts";
import { encodeJson } from "../store/encoding.ts";
import type { Form } from "./negotiate.ts";

/** How answers about one resource are written. */
export interface Encoding {
  readonly form: Form;
  /** Whose columns a table has; undefined where there is no other form than the object's own. */
  readonly resource: Resource | undefined;
  readonly includeObject: IncludeObject;
  readonly now: () => number;
}

/**
 * What is written at once: enough to keep a connection busy, and little enough to be held for each of very many clients
 * that do not read.
 */
const SLICE_BYTES: number = 64 * 1024;

/** An answer's JSON in the form that the client wants, in slices. The items of a list are only encoded when they are asked for. */
export function encodeAnswer(object: object, encoding: Encoding, { isPretty = false }: { readonly isPretty?: boolean } = {}): Generator<Buffer> {
  return slices(isPretty ? prettyPieces(object, encoding) : pieces(object, encoding));
}

/** Turns the events of one watch into lines, in slices. */
export function watchEncoder(encoding: Encoding): (event: WatchEvent) => Generator<Buffer> {
  let hasColumns = false;
  return ({ type, object }) => {
    if (type === "ERROR") return line(type, [encodeJson(object)]);
    if (encoding.form !== "table") return line(type, pieces(object, encoding));
    // A bookmark is no object: it has a revision, and nothing that a row could show.
    const shown = shape(type === "BOOKMARK" ? { ...object, kind: encoding.resource?.listKind ?? object.kind, items: [] } : object, encoding);
    // Columns never change, so that the first event says them for all.
    const table = hasColumns ? { ...shown, columnDefinitions: [] } : shown;
    hasColumns = true;
    return line(type, [encodeJson(table)]);
  };
}

function line(type: WatchEvent["type"], object: Iterable<Buffer>): Generator<Buffer> {
  return slices([Buffer.from(`{"type":"${type}","object":`), ...object, LINE_END]);
}

function* pieces(object: object, encoding: Encoding): Generator<Buffer> {
  if (!isList(object)) {
    yield encodeJson(shape(object, encoding));
    return;
  }
  const { items, ...list } = object;
  yield Buffer.from(JSON.stringify(shape({ ...list, items: [] }, encoding)).slice(0, -"]}".length));
  let isFirst = true;
  for (const item of items) {
    if (!isFirst) yield COMMA;
    isFirst = false;
    yield encodeJson(shapeItem(item, encoding));
  }
  yield LIST_END;
}

/** As `pieces`, indented as `JSON.stringify` would. */
function* prettyPieces(object: object, encoding: Encoding): Generator<Buffer> {
  const stringify = (value: object): string => JSON.stringify(value, undefined, 2);
  if (!isList(object) || object.items.length === 0) {
    yield Buffer.from(`${stringify(shape(object, encoding))}\n`);
    return;
  }
  const { items, ...list } = object;
  let before = `${stringify(shape({ ...list, items: [] }, encoding)).slice(0, -"]\n}".length)}\n    `;
  for (const item of items) {
    yield Buffer.from(before + stringify(shapeItem(item, encoding)).replaceAll("\n", "\n    "));
    before = ",\n    ";
  }
  yield Buffer.from("\n  ]\n}\n");
}

/** Joins what is small and cuts what is large; an object that many watchers get is cut without copying. */
function* slices(parts: Iterable<Buffer>): Generator<Buffer> {
  let gathered: Buffer[] = [];
  let bytes = 0;
  for (const part of parts) {
    if (bytes > 0 && bytes + part.length > SLICE_BYTES) {
      yield join(gathered);
      gathered = [];
      bytes = 0;
    }
    let at = 0;
    for (; part.length - at > SLICE_BYTES; at += SLICE_BYTES) yield part.subarray(at, at + SLICE_BYTES);
    gathered.push(at === 0 ? part : part.subarray(at));
    bytes += part.length - at;
  }
  if (bytes > 0) yield join(gathered);
}

function join(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

const COMMA = Buffer.from(",");
const LIST_END = Buffer.from("]}");
const LINE_END = Buffer.from("}\n");

/** An object or list in the form that the client wants. */
function shape(object: object, { form, resource, includeObject, now }: Encoding): object {
  // What is not of the resource's kind, such as a Status, has no other form.
  if (resource === undefined || form === "object" || !isOf(resource, object)) return object;
  if (form === "table") return toTable(resource, object, { now: new Date(now()), includeObject });
  return isList(object) ? toPartialObjectMetadataList(object) : toPartialObjectMetadata(object);
}

/** An item of a list as it appears among the others. */
function shapeItem(item: UnknownObject, { form, resource, includeObject, now }: Encoding): object {
  if (resource === undefined || form === "object") return item;
  return form === "table" ? toRow(resource, item, { now: new Date(now()), includeObject }) : toPartialObjectMetadata(item);
}

function isOf({ kind, listKind }: Resource, object: object): object is UnknownObject {
  return "kind" in object && (object.kind === kind || object.kind === listKind);
}

function isList(object: object): object is KubernetesList {
  return "items" in object && Array.isArray(object.items) && "kind" in object && typeof object.kind === "string" && object.kind.endsWith("List");
}
