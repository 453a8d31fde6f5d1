import type { ApiRequest, ApiResponse } from "@sluice/client";
import { ApiError, applyFields, isJsonObject, sharedFields, type FieldSet, type UnknownObject } from "@sluice/kubernetes";
import { badRequest, conflict, notFound } from "./api-errors.ts";
import { prepareCreate } from "./create.ts";
import { decodeObject } from "./decode-object.ts";
import { isTrue } from "./request-info.ts";
import { isDryRun, keyOfRequest, writerOf, type ResourceRequest } from "./request-context.ts";
import { mergeUpdate, rewrite } from "./update.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
/** The manager whose client-side applies a server-side one continues. */
const KUBECTL = "kubectl";

/** Server-side apply: merges what the manager wants into what is there, or creates it. */
export async function apply(target: ResourceRequest): Promise<ApiResponse> {
  const { served, request, subresource } = target;
  const { resource } = served;
  const manager = requireManager(request);
  const key = keyOfRequest(target);
  const { object, warnings } = decodeObject(target, request.body);
  const applied = part({ ...object, metadata: { ...object.metadata, name: object.metadata.name === "" ? key.name : object.metadata.name } }, target);
  if (applied.metadata.name !== key.name)
    throw badRequest(`the name of the object (${applied.metadata.name}) does not match the name on the URL (${key.name})`);
  if ((applied.metadata.managedFields ?? []).length > 0) throw badRequest("metadata.managedFields must be nil");

  let isNew = false;
  const stored = await rewrite(target, isDryRun(request.query), (current) => {
    const live = current === undefined ? undefined : served.view(current);
    isNew = live === undefined;
    if (live === undefined && subresource !== undefined) throw notFound(resource, key.name);
    if (live === undefined && (applied.metadata.uid ?? "") !== "") {
      throw conflict(resource, key.name, `uid mismatch: the provided object specified uid ${applied.metadata.uid}, and no existing object was found`);
    }
    const yielded = live === undefined || manager !== KUBECTL ? undefined : lastApplied(live, target);
    const merged = applyFields({ live, applied, force: isTrue(request.query["force"]), yielded }, resource, writerOf(target));
    const synced = yielded === undefined ? merged : annotated(merged, applied);
    return current === undefined
      ? prepareCreate(target, synced, { ownership: "given" })
      : mergeUpdate(target, current, synced, { ownership: "given" });
  });
  return { kind: "object", status: isNew ? 201 : 200, object: served.view(stored), ...(warnings.length === 0 ? {} : { warnings }) };
}

/** Who applies: nobody in particular cannot. */
export function requireManager({ query }: ApiRequest): string {
  const { fieldManager = "" } = query;
  if (fieldManager !== "") return fieldManager;
  throw new ApiError("Invalid", 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch');
}

/** What of an applied object the endpoint lets through, so that nobody comes to own what was ignored. */
function part(object: UnknownObject, { served, subresource }: ResourceRequest): UnknownObject {
  const { status, ...content } = object;
  if (subresource === undefined)
    return served.resource.subresources.status ? { ...content, apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata } : object;
  const { apiVersion, kind, metadata } = object;
  const { finalizers: _, ownerReferences: __, labels, annotations, ...identity } = metadata;
  const marks = served.isCustom ? {} : { ...(labels === undefined ? {} : { labels }), ...(annotations === undefined ? {} : { annotations }) };
  return { apiVersion, kind, metadata: { ...identity, ...marks }, ...(status === undefined ? {} : { status }) };
}

/** What kubectl has applied by itself and is still so: it may take that over from the manager that it then was. */
function lastApplied(live: UnknownObject, { served }: ResourceRequest): FieldSet | undefined {
  const text = live.metadata.annotations?.[LAST_APPLIED];
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && isJsonObject(value["metadata"]) ? sharedFields(live, value as UnknownObject, served.resource) : undefined;
  } catch {
    return undefined; // An annotation that is no JSON says nothing.
  }
}

/** Keeps kubectl's own record true, for those who go back to applying by themselves. */
function annotated(object: UnknownObject, applied: UnknownObject): UnknownObject {
  const { annotations = {}, ...metadata } = applied.metadata;
  const { [LAST_APPLIED]: _, ...others } = annotations;
  const record = JSON.stringify({ ...applied, metadata: { ...metadata, annotations: others } });
  return { ...object, metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [LAST_APPLIED]: `${record}\n` } } };
}
