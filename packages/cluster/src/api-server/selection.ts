import { parseFieldSelector, parseLabelSelector, METADATA_FIELDS, isJsonObject, type UnknownObject } from "@sluice/kubernetes";
import type { ServedResource } from "./registry.ts";

/** Whether the selectors of a query choose a stored object; undefined selectors choose all. */
export function select(served: ServedResource, query: Readonly<Record<string, string>>, name?: string): (object: UnknownObject) => boolean {
  const { labelSelector, fieldSelector } = query;
  const labels = labelSelector === undefined || labelSelector === "" ? undefined : parseLabelSelector(labelSelector);
  const supported = [...METADATA_FIELDS, ...served.resource.selectableFields];
  const fields = fieldSelector === undefined || fieldSelector === "" ? undefined : parseFieldSelector(fieldSelector, supported);
  if (labels === undefined && fields === undefined && name === undefined) return everything;
  return (object) =>
    (name === undefined || object.metadata.name === name) &&
    (labels === undefined || labels.matches(object.metadata.labels)) &&
    (fields === undefined || fields.matches((path) => fieldValue(served.view(object), path)));
}

/** Chooses every object. */
export function everything(): boolean {
  return true;
}

function fieldValue(object: UnknownObject, path: string): string | undefined {
  let value: unknown = object;
  for (const part of path.split(".")) value = isJsonObject(value) ? value[part] : undefined;
  return value === undefined || value === null || typeof value === "object" ? undefined : String(value);
}
