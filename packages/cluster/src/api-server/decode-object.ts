import {
  ApiError,
  apiVersionOf,
  applyBuiltinDefaults,
  applyDefaults,
  hasRepeatedMembers,
  invalid,
  isJsonObject,
  jsonMembers,
  prune,
  typedPatchError,
  validate,
  type Cause,
  type UnknownObject,
} from "@sluice/kubernetes";
import { badRequest } from "./api-errors.ts";
import { isApply } from "./media-type.ts";
import { readMeta, validateMeta } from "./object-meta.ts";
import type { ServedResource } from "./registry.ts";
import { withRuleCauses } from "./schema-rules.ts";
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
  if (kind !== resource.kind)
    throw badRequest(`the object provided is unrecognized (must be of type ${resource.kind}): it is a ${JSON.stringify(kind)}`);
  if (version !== apiVersion) {
    throw badRequest(`the API version in the data (${String(version)}) does not match the expected API version (${apiVersion})`);
  }
  const strictness = request.query["fieldValidation"] ?? "Warn";
  if (!["Strict", "Warn", "Ignore", ""].includes(strictness)) {
    throw new ApiError(
      "Invalid",
      `${request.method} options "" is invalid: fieldValidation: Unsupported value: ${JSON.stringify(strictness)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  const { metadata, unknown: unknownMeta } = readMeta(body["metadata"]);
  const { value, dropped } = prune(withoutUndefined(body), resource.schema, { resolve, root: true });
  const unknown = [...dropped.filter((path) => !path.startsWith("metadata.")), ...unknownMeta];
  const object = { ...value, apiVersion, kind: resource.kind, metadata: inNamespace(metadata, resource.scope === "Cluster" ? undefined : namespace) };
  // Nobody could own such a field.
  if (unknown.length > 0 && isApply(request.contentType))
    throw typedPatchError(object, resource, unknown.map((path) => `.${path}: field not declared in schema`).join("\n"));
  const problems = strictness === "Ignore" ? [] : fieldProblems(served, request.bodyText, unknown);
  if (problems.length > 0 && strictness === "Strict") throw badRequest(`strict decoding error: ${problems.join(", ")}`);
  return { object, warnings: problems };
}

/** What is wrong with the fields of a body: unknown ones, and those that its text has twice. */
function fieldProblems({ isCustom }: ServedResource, text: string | undefined, unknown: readonly string[]): string[] {
  if (text === undefined || !hasRepeatedMembers(text)) return unknown.map(unknownField);
  // As upstream: built-in kinds are judged while their text is read, custom ones only after they have been.
  const isUnknown = new Set(isCustom ? [] : unknown);
  const problems = new Set<string>();
  for (const { path, isRepeated } of jsonMembers(text)) {
    if (isUnknown.has(path)) problems.add(unknownField(path));
    else if (isRepeated) problems.add(`duplicate field ${JSON.stringify(path)}`);
  }
  for (const path of unknown) problems.add(unknownField(path));
  return [...problems];
}

/** How strict decoding names a field that a kind does not have. */
export function unknownField(path: string): string {
  return `unknown field ${JSON.stringify(path)}`;
}

/** An object of the served kind that admission has changed: what the kind does not have is gone again. */
export function readAgain(
  { resource, resolve }: ServedResource,
  { apiVersion, kind, metadata }: UnknownObject,
  changed: UnknownObject,
): UnknownObject {
  const { value } = prune(withoutUndefined(changed), resource.schema, { resolve, root: true });
  const { managedFields: _, ...read } = readMeta(changed.metadata).metadata;
  const { name, managedFields } = metadata;
  // What was tracked stays tracked: what admission adds is nobody's.
  return { ...value, apiVersion, kind, metadata: { name, ...read, ...(managedFields === undefined ? {} : { managedFields }) } };
}

/** The object with the schema's defaults; nulls that mean nothing are gone. */
export function withDefaults(served: ServedResource, object: UnknownObject): UnknownObject {
  return served.isCustom ? applyDefaults(object, served.resource.schema) : applyBuiltinDefaults(object, served.resource);
}

/**
 * What the schema or the rules of metadata find wrong with an object, for a custom kind also the rules of its schema, which
 * may compare it with the object before an update; strategies may rely on the shape of one without faults.
 */
export function shapeFaults(served: ServedResource, object: UnknownObject, before?: UnknownObject): readonly Cause[] {
  const { resource, strategy, resolve, isCustom } = served;
  // A custom kind may restrict names in its schema; of built-in kinds `validateMeta` knows more than theirs.
  const content = isCustom ? object : { ...object, metadata: {} };
  const causes = [...validateMeta(object, strategy.nameRule), ...validate(content, resource.schema, { resolve, allowDuplicates: !isCustom })];
  return isCustom ? withRuleCauses(resource.schema, object, before, causes) : causes;
}

/** Refuses an object that its strategy finds wrong, in itself or as successor of `current`. */
export function validateMeaning(served: ServedResource, next: UnknownObject, current: UnknownObject | undefined): void {
  refuse(served, next, served.strategy.validate?.(next, current) ?? []);
}

/** Refuses an object for what is wrong with it, if anything is. */
export function refuse({ resource }: ServedResource, object: UnknownObject, causes: readonly Cause[]): void {
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
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    let next: unknown[] | undefined;
    for (const [i, item] of value.entries()) {
      const kept: unknown = item === undefined ? null : strip(item);
      if (kept !== item) (next ??= [...value])[i] = kept;
    }
    return next ?? value;
  }
  let next: Record<string, unknown> | undefined;
  for (const name in value) {
    const child: unknown = value[name as keyof typeof value];
    const kept = strip(child);
    if (kept === undefined) delete (next ??= { ...value })[name];
    else if (kept !== child) (next ??= { ...value })[name] = kept;
  }
  return next ?? value;
}
