import type { KubernetesList, Resource, UnknownObject, WatchEvent } from "@sluice/kubernetes";
import { toPartialObjectMetadata, toPartialObjectMetadataList, toTable, type IncludeObject } from "../api-server/table.ts";
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

/** The JSON of an object; a list is put together from what is known of its items. */
export function encodeObject(object: object): Buffer {
  if (!isList(object)) return encodeJson(object);
  const { items, ...rest } = object;
  const head = JSON.stringify(rest);
  const parts: Buffer[] = [Buffer.from(`${head.slice(0, -1)},"items":[`)];
  items.forEach((item, i) => {
    if (i > 0) parts.push(COMMA);
    parts.push(encodeObject(item));
  });
  parts.push(LIST_END);
  return Buffer.concat(parts);
}

const COMMA = Buffer.from(",");
const LIST_END = Buffer.from("]}");

/** An object or list in the form that the client wants. */
export function shape(object: UnknownObject, { form, resource, includeObject, now }: Encoding): object {
  // What is not of the resource's kind, such as a Status, has no other form.
  if (resource === undefined || form === "object" || (object.kind !== resource.kind && object.kind !== resource.listKind)) return object;
  if (form === "table") return toTable(resource, object, { now: new Date(now()), includeObject });
  return isList(object) ? toPartialObjectMetadataList(object) : toPartialObjectMetadata(object);
}

/** Turns the events of one watch into lines. */
export function watchEncoder(encoding: Encoding): (event: WatchEvent) => Buffer {
  let hasColumns = false;
  return ({ type, object }) => {
    if (type === "ERROR") return line(type, object);
    if (encoding.form !== "table") return line(type, shape(object, encoding));
    // A bookmark is no object: it has a revision, and nothing that a row could show.
    const shown = shape(type === "BOOKMARK" ? { ...object, kind: encoding.resource?.listKind ?? object.kind, items: [] } : object, encoding);
    // Columns never change, so that the first event says them for all.
    const table = hasColumns ? { ...shown, columnDefinitions: [] } : shown;
    hasColumns = true;
    return line(type, table);
  };
}

/** Of an object that many watchers get only the copying is done for each of them. */
function line(type: WatchEvent["type"], object: object): Buffer {
  return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), encodeObject(object), LINE_END]);
}

const LINE_END = Buffer.from("}\n");

function isList(object: object): object is KubernetesList {
  return "items" in object && Array.isArray(object.items) && "kind" in object && typeof object.kind === "string" && object.kind.endsWith("List");
}
