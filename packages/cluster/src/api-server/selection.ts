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
    (fields === undefined || fields.matches((path) => fieldValue(served.view(object), path, OTHERWISE[`${served.table}/${path}`])));
}

/** Chooses every object. */
export function everything(): boolean {
  return true;
}

/** Where a selectable field is not simply a path of the object: the path that it stands for, and its value when that is absent. */
interface Otherwise {
  readonly path?: string;
  readonly absent?: string;
}

const OTHERWISE: Readonly<Record<string, Otherwise>> = {
  "pods/spec.hostNetwork": { absent: "false" },
  "nodes/spec.unschedulable": { absent: "false" },
  "jobs.batch/status.successful": { path: "status.succeeded", absent: "0" },
  "replicasets.apps/status.replicas": { absent: "0" },
  "replicationcontrollers/status.replicas": { absent: "0" },
  "events/source": { path: "source.component" },
};

function fieldValue(object: UnknownObject, path: string, otherwise: Otherwise = {}): string | undefined {
  let value: unknown = object;
  for (const part of (otherwise.path ?? path).split(".")) value = isJsonObject(value) ? value[part] : undefined;
  if (Array.isArray(value)) return value.map((item: unknown) => (isJsonObject(item) ? item["ip"] : item)).join(",");
  return value === undefined || value === null || typeof value === "object" ? otherwise.absent : String(value);
}
