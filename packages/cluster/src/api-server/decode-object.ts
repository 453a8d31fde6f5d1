import {
  ApiError, apiVersionOf, applyBuiltinDefaults, applyDefaults, invalid, isJsonObject, prune, unknownFields, validate, type Cause, type UnknownObject,
} from "@sluice/kubernetes"; // prettier-ignore
import { badRequest } from "./api-errors.ts";
import { readMeta, validateMeta } from "./object-meta.ts";
import type { ServedResource } from "./registry.ts";
import type { ResourceRequest } from "./request-context.ts";

/** A request's object, pruned, and what to warn of. */
export interface DecodedObject {
  readonly object: UnknownObject;
  readonly warnings: readonly string[];
}

/** Reads an object of the served kind from a body: identity checked, nulls and unknown fields dealt with; defaults come later. */
export function decodeObject(target: ResourceRequest, body: unknown): DecodedObject {
  const { served, request, namespace } = target;
  const { resource, resolve } = served;
  if (!isJsonObject(body)) throw badRequest(`the body must be a ${resource.kind} object`);
  const apiVersion = apiVersionOf(resource);
  const kind = body["kind"] ?? resource.kind;
  const version = body["apiVersion"] ?? apiVersion;
  if (kind !== resource.kind) throw badRequest(`the object provided is unrecognized (must be of type ${resource.kind}): it is a ${JSON.stringify(kind)}`);
  if (version !== apiVersion) {
    throw badRequest(`the API version in the data (${String(version)}) does not match the expected API version (${apiVersion})`);
  }
  const { metadata, unknown } = readMeta(body["metadata"]);
  const { value, dropped } = prune(withoutUndefined(body), resource.schema, { resolve, root: true });
  const strictness = request.query["fieldValidation"] ?? "Warn";
  const problems = unknownFields([...dropped.filter((path) => !path.startsWith("metadata.")), ...unknown]);
  if (problems.length > 0 && strictness === "Strict") throw badRequest(`strict decoding error: ${problems.join(", ")}`);
  if (!["Strict", "Warn", "Ignore"].includes(strictness)) {
    throw new ApiError("Invalid", ` "" is invalid: fieldValidation: Unsupported value: ${JSON.stringify(strictness)}: supported values: "Ignore", "Strict", "Warn"`);
  }
  const object = { ...value, apiVersion, kind: resource.kind, metadata: inNamespace(metadata, resource.scope === "Cluster" ? undefined : namespace) };
  return { object, warnings: strictness === "Warn" ? problems : [] };
}

/** The object with the schema's defaults; nulls that mean nothing are gone. */
export function withDefaults(served: ServedResource, object: UnknownObject): UnknownObject {
  return served.isCustom ? applyDefaults(object, served.resource.schema) : applyBuiltinDefaults(object, served.resource);
}

/** Refuses an object that its schema or the rules of metadata find wrong; strategies may then rely on its shape. */
export function validateShape(served: ServedResource, object: UnknownObject): void {
  const { resource, strategy, resolve } = served;
  // A custom kind may restrict names in its schema; of built-in kinds `validateMeta` knows more than theirs.
  const content = served.isCustom ? object : { ...object, metadata: {} };
  refuse(served, object, [...validateMeta(object, strategy.nameRule), ...validate(content, resource.schema, { resolve })]);
}

/** Refuses an object that its strategy finds wrong, in itself or as successor of `current`. */
export function validateMeaning(served: ServedResource, next: UnknownObject, current: UnknownObject | undefined): void {
  refuse(served, next, served.strategy.validate?.(next, current) ?? []);
}

function refuse({ resource }: ServedResource, object: UnknownObject, causes: readonly Cause[]): void {
  if (causes.length > 0) throw invalid(resource.kind, resource.group, String(object.metadata.name), causes);
}

function inNamespace(metadata: Partial<UnknownObject["metadata"]>, namespace: string | undefined): UnknownObject["metadata"] {
  const { namespace: given, name = "", ...rest } = metadata;
  if (namespace !== undefined && given !== undefined && given !== "" && given !== namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  return { name, ...(namespace === undefined ? {} : { namespace }), ...rest };
}

/** JSON has no undefined; callers in this process may. The same reference where there is none. */
export function withoutUndefined<T>(value: T): T {
  // Dropping undefined members leaves what the type already allows to be absent.
  return strip(value) as T;
}

function strip(value: unknown): unknown {
  if (Array.isArray(value)) {
    const next = value.map((item: unknown) => (item === undefined ? null : strip(item)));
    return next.some((item, i) => item !== value[i]) ? next : value;
  }
  if (!isJsonObject(value)) return value;
  let changed = false;
  const entries: [string, unknown][] = [];
  for (const [name, child] of Object.entries(value)) {
    const next = strip(child);
    changed ||= next !== child || next === undefined;
    if (next !== undefined) entries.push([name, next]);
  }
  return changed ? Object.fromEntries(entries) : value;
}
