import type { Resource, UnknownObject, WatchEvent } from "@sluice/kubernetes";
import { toPartialObjectMetadata, toPartialObjectMetadataList, toTable, type IncludeObject } from "../api-server/table.ts";
import type { KubernetesList } from "@sluice/kubernetes";
import type { Form } from "./negotiate.ts";

/** How answers about one resource are written. */
export interface Encoding {
  readonly form: Form;
  /** Whose columns a table has; undefined where there is no other form than the object's own. */
  readonly resource: Resource | undefined;
  readonly includeObject: IncludeObject;
  readonly now: () => number;
}

const encoded = new WeakMap<object, Buffer>();

/** The JSON of an object. Of one that nobody can change, and hence may be asked for again, it is made once. */
export function encodeObject(object: object): Buffer {
  if (!Object.isFrozen(object)) return encodeAnew(object);
  let bytes = encoded.get(object);
  if (bytes === undefined) encoded.set(object, (bytes = Buffer.from(JSON.stringify(object))));
  return bytes;
}

/** A list is put together from what is known of its items. */
function encodeAnew(object: object): Buffer {
  if (!isList(object)) return Buffer.from(JSON.stringify(object));
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

const lines = { object: new WeakMap<WatchEvent, Buffer>(), metadata: new WeakMap<WatchEvent, Buffer>() };

/** Turns the events of one watch into lines. The line of an event that several watchers get is made once. */
export function watchEncoder(encoding: Encoding): (event: WatchEvent) => Buffer {
  const { form } = encoding;
  let hasColumns = false;
  if (form === "table") {
    return (event) => {
      if (event.type === "ERROR") return line(event.type, event.object);
      const table = shape(event.object, encoding);
      // Columns never change, so that the first event says them for all.
      const content = hasColumns ? { ...table, columnDefinitions: [] } : table;
      hasColumns = true;
      return line(event.type, content);
    };
  }
  return (event) => {
    let bytes = lines[form].get(event);
    if (bytes === undefined) lines[form].set(event, (bytes = event.type === "ERROR" ? line(event.type, event.object) : line(event.type, shape(event.object, encoding))));
    return bytes;
  };
}

function line(type: WatchEvent["type"], object: object): Buffer {
  return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), encodeObject(object), LINE_END]);
}

const LINE_END = Buffer.from("}\n");

function isList(object: object): object is KubernetesList {
  return "items" in object && Array.isArray(object.items) && "kind" in object && typeof object.kind === "string" && object.kind.endsWith("List");
}
