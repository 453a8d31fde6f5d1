import type { ApiResponse } from "@sluice/client";
import { ApiError, applyJsonPatch, applyMergePatch, applyStrategicMergePatch, isJsonObject, type UnknownObject } from "@sluice/kubernetes";
import { badRequest, notFound } from "./api-errors.ts";
import { apply } from "./apply.ts";
import { APPLY_TYPES, isApply, mediaTypeOf } from "./media-type.ts";
import { decodeObject } from "./decode-object.ts";
import { isDryRun, keyOfRequest, type ResourceRequest } from "./request-context.ts";
import { mergeUpdate, rewrite } from "./update.ts";

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
    if (decoded.object.metadata.name !== key.name)
      throw badRequest(`the name of the object (${decoded.object.metadata.name}) does not match the name on the URL (${key.name})`);
    return mergeUpdate(target, current, decoded.object);
  });
  return { kind: "object", status: 200, object: served.view(stored), ...(warnings.length === 0 ? {} : { warnings }) };
}

function patched({ request, served }: ResourceRequest, mediaType: string, current: UnknownObject): unknown {
  switch (mediaType) {
    case "application/json-patch+json":
      return applyJsonPatch(current, request.body);
    case "application/merge-patch+json":
      if (!isJsonObject(request.body)) throw badRequest("a merge patch must be an object");
      return applyMergePatch(current, request.body);
    case "application/strategic-merge-patch+json":
      if (!served.isCustom) return applyStrategicMergePatch(current, request.body, served.resource.schema, { resolve: served.resolve });
  }
  const supported = [
    "application/json-patch+json",
    "application/merge-patch+json",
    ...(served.isCustom ? [] : ["application/strategic-merge-patch+json"]),
    ...APPLY_TYPES,
  ];
  throw new ApiError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${supported.join(", ")}`,
  );
}
