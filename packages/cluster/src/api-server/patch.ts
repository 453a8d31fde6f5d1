import type { ApiResponse } from "@sluice/client";
import { ApiError, applyJsonPatch, applyMergePatch, isJsonObject, type UnknownObject } from "@sluice/kubernetes";
import { alreadyExists, badRequest, notFound } from "./api-errors.ts";
import { prepareCreate } from "./create.ts";
import { decodeObject } from "./decode-object.ts";
import { isTrue } from "./request-info.ts";
import { isDryRun, keyOfRequest, timestamp, type ResourceRequest } from "./request-context.ts";
import { mergeUpdate, rewrite } from "./update.ts";

const APPLY: ReadonlySet<string> = new Set(["application/apply-patch+yaml", "application/apply-patch+json"]);

/** PATCH of an object or its status. The store serialises writes, so that a patch meets no conflict but its own precondition. */
export async function patch(target: ResourceRequest): Promise<ApiResponse> {
  if (isApply(target.request.contentType)) return apply(target);
  const mediaType = mediaTypeOf(target.request.contentType);
  const { served, request } = target;
  const key = keyOfRequest(target);
  let warnings: readonly string[] = [];
  const stored = await rewrite(target, isDryRun(request.query), (current) => {
    if (current === undefined) throw notFound(served.resource, key.name);
    const decoded = decodeObject(target, patched(target, mediaType, served.view(current)));
    warnings = decoded.warnings;
    if (decoded.object.metadata.name !== key.name) throw badRequest(`the name of the object (${decoded.object.metadata.name}) does not match the name on the URL (${key.name})`);
    return mergeUpdate(target, current, decoded.object);
  });
  return { kind: "object", status: 200, object: served.view(stored), ...(warnings.length === 0 ? {} : { warnings }) };
}

/** Whether a content type announces a server-side apply. */
export function isApply(contentType: string | undefined): boolean {
  return APPLY.has(mediaTypeOf(contentType));
}

function mediaTypeOf(contentType = ""): string {
  return contentType.split(";")[0]?.trim().toLowerCase() ?? "";
}

function patched({ request, served, server }: ResourceRequest, mediaType: string, current: UnknownObject): unknown {
  switch (mediaType) {
    case "application/json-patch+json":
      return applyJsonPatch(current, request.body);
    case "application/merge-patch+json":
      if (!isJsonObject(request.body)) throw badRequest("a merge patch must be an object");
      return applyMergePatch(current, request.body);
    case "application/strategic-merge-patch+json":
      if (!served.isCustom && server.options.strategicMerge !== undefined) {
        return server.options.strategicMerge(current, request.body, served.resource);
      }
  }
  const supported = ["application/json-patch+json", "application/merge-patch+json", ...(served.isCustom ? [] : ["application/strategic-merge-patch+json"]), ...APPLY];
  throw new ApiError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${supported.join(", ")}`,
  );
}

/** Server-side apply: merges what the manager wants into what is there, or creates it. */
async function apply(target: ResourceRequest): Promise<ApiResponse> {
  const { served, request, server, subresource } = target;
  const ownership = server.options.fieldOwnership;
  if (ownership === undefined) throw new ApiError("UnsupportedMediaType", "this server was started without server-side apply");
  const manager = request.query["fieldManager"];
  if (manager === undefined || manager === "") {
    throw new ApiError("BadRequest", 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch');
  }
  const key = keyOfRequest(target);
  const { object, warnings } = decodeObject(target, request.body);
  const applied = { ...object, metadata: { ...object.metadata, name: object.metadata.name === "" ? key.name : object.metadata.name } };
  if (applied.metadata.name !== key.name) throw badRequest(`the name of the object (${applied.metadata.name}) does not match the name on the URL (${key.name})`);
  if (applied.metadata.managedFields !== undefined && applied.metadata.managedFields.length > 0) {
    throw badRequest("metadata.managedFields must be nil");
  }
  const time = timestamp(server.options.clock.now());
  let isNew = false;
  const stored = await rewrite(target, isDryRun(request.query), (current) => {
    const before = current === undefined ? undefined : served.view(current);
    isNew = before === undefined;
    if (before === undefined && subresource !== undefined) throw notFound(served.resource, key.name);
    if (before === undefined && (applied.metadata.uid ?? "") !== "") throw alreadyExists(served.resource, key.name);
    const merged = ownership.apply({ current: before, applied, resource: served.resource, manager, force: isTrue(request.query["force"]), subresource, time });
    return current === undefined
      ? prepareCreate(target, merged, { keepManagedFields: true })
      : mergeUpdate(target, current, merged, { keepManagedFields: true });
  });
  return { kind: "object", status: isNew ? 201 : 200, object: served.view(stored), ...(warnings.length === 0 ? {} : { warnings }) };
}
