import type { ApiResponse } from "@sluice/client";
import {
  applyFields,
  applyJsonPatch,
  applyMergePatch,
  invalid,
  isJsonObject,
  type LabelSelectorSpec,
  type Resource,
  type ScalePaths,
  type UnknownObject,
} from "@sluice/kubernetes";
import { admit, andThen } from "./admit.ts";
import { requireManager } from "./apply.ts";
import { conflict, methodNotAllowed, notFound } from "./api-errors.ts";
import { find } from "./list.ts";
import { isApply, mediaTypeOf } from "./media-type.ts";
import { isTrue } from "./request-info.ts";
import { isDryRun, keyOfRequest, unjudged, writerOf, type ResourceRequest } from "./request-context.ts";
import { mergeUpdate, rewrite } from "./update.ts";

/** Reads or writes the replicas of any kind that has them. */
export async function scale(target: ResourceRequest, paths: ScalePaths): Promise<ApiResponse> {
  const { request, served } = target;
  const { resource } = served;
  const { name } = keyOfRequest(target);
  if (request.method === "GET") return { kind: "object", status: 200, object: scaleOf(served.view(find(target)), paths) };
  if (request.method !== "PUT" && request.method !== "PATCH") throw methodNotAllowed();
  if (isApply(request.contentType)) requireManager(request);
  const stored = await rewrite(target, isDryRun(request.query), (current) => {
    if (current === undefined) throw notFound(resource, name);
    const live = served.view(current);
    const before = scaleOf(live, paths);
    const wanted = wantedScale(target, before);
    const asked: UnknownObject = { ...before, spec: wanted["spec"] ?? {} };
    const admitted = admit(target, { operation: "UPDATE", object: asked, oldObject: before });
    return andThen(admitted, ({ object: { spec }, charge }) => {
      const replicas = replicasOf({ ...before, spec }, resource);
      const version = isJsonObject(wanted["metadata"]) ? wanted["metadata"]["resourceVersion"] : undefined;
      if (typeof version === "string" && version !== "" && version !== live.metadata.resourceVersion) throw conflict(resource, name);

      const change = stepsOf(paths.specReplicasPath).reduceRight<unknown>((value, key) => ({ [key]: value }), replicas) as object;
      const write = unjudged(target);
      if (!isApply(request.contentType)) {
        return andThen(mergeUpdate(write, current, applyMergePatch(live, change) as UnknownObject), ({ object }) => ({ object, charge }));
      }
      const applied = { apiVersion: live.apiVersion, kind: live.kind, metadata: { name }, ...change };
      const next = applyFields({ live, applied, force: isTrue(request.query["force"]) }, resource, writerOf(target));
      return andThen(mergeUpdate(write, current, next, { ownership: "given" }), ({ object }) => ({ object, charge }));
    });
  });
  return { kind: "object", status: 200, object: scaleOf(served.view(stored), paths) };
}

/** How many a Scale asks for; refuses what is no count. */
function replicasOf({ spec, metadata: { name } }: UnknownObject, resource: Resource): number {
  const replicas = isJsonObject(spec) ? (spec["replicas"] ?? 0) : 0;
  if (typeof replicas === "number" && Number.isInteger(replicas) && replicas >= 0) return replicas;
  const message = `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`;
  throw invalid(resource.kind, resource.group, name, [{ reason: "FieldValueInvalid", field: "spec.replicas", message }]);
}

/** The Scale that a request asks for. */
function wantedScale({ request }: ResourceRequest, before: UnknownObject): Record<string, unknown> {
  const { body, method, contentType } = request;
  const isWhole = method === "PUT" || isApply(contentType);
  const wanted = isWhole
    ? body
    : mediaTypeOf(contentType) === "application/json-patch+json"
      ? applyJsonPatch(before, body)
      : applyMergePatch(before, body);
  return isJsonObject(wanted) ? wanted : {};
}

function scaleOf(object: UnknownObject, paths: ScalePaths): UnknownObject {
  const at = (path: string): unknown => stepsOf(path).reduce<unknown>((value, key) => (isJsonObject(value) ? value[key] : undefined), object);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
  };
  const selector = paths.labelSelectorPath === undefined ? undefined : selectorText(at(paths.labelSelectorPath));
  return {
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    metadata,
    spec: { replicas: at(paths.specReplicasPath) ?? 0 },
    status: { replicas: at(paths.statusReplicasPath) ?? 0, ...(selector === undefined ? {} : { selector }) },
  };
}

function stepsOf(path: string): string[] {
  return path.split(".").slice(1);
}

/** A selector as queries write it, whether it is kept as that, as labels, or as a LabelSelector. */
function selectorText(selector: unknown): string | undefined {
  if (typeof selector === "string") return selector;
  if (!isJsonObject(selector)) return undefined;
  const { matchLabels, matchExpressions = [] }: LabelSelectorSpec =
    isJsonObject(selector["matchLabels"]) || Array.isArray(selector["matchExpressions"])
      ? selector
      : { matchLabels: selector as Record<string, string> };
  const labels = Object.entries(matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator === "In" ? "in" : "notin"} (${values.join(",")})`;
  });
  return [...labels, ...expressions].join(",");
}
