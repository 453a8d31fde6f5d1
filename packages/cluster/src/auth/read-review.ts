import type { ApiRequest } from "@sluice/client";
import {
  apiVersionOf,
  applyBuiltinDefaults,
  builtinDefinition,
  invalid,
  isJsonObject,
  prune,
  validate,
  type Cause,
  type KubernetesObject,
  type Resource,
  type UnknownObject,
} from "@sluice/kubernetes";
import { badRequest } from "../api-server/api-errors.ts";
import { unknownField, withoutUndefined } from "../api-server/decode-object.ts";

/** What a review's kind is called and looks like. */
export type ReviewKind<T extends KubernetesObject> = Pick<Resource<T>, "group" | "version" | "kind" | "schema" | "object">;

/** The object that a request wants an answer to; throws BadRequest or Invalid. */
export function readReview<T extends KubernetesObject>({ body, query }: ApiRequest, resource: ReviewKind<T>): UnknownObject & T {
  if (!isJsonObject(body)) throw badRequest(`the body must be a ${resource.kind} object`);
  const apiVersion = apiVersionOf(resource);
  const { kind = resource.kind, apiVersion: version = apiVersion } = body;
  if (kind !== resource.kind || version !== apiVersion) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${resource.kind} in ${apiVersion}): it is ${JSON.stringify(kind)} in ${JSON.stringify(version)}`,
    );
  }
  const { status: _, metadata, ...question } = withoutUndefined(body);
  const { value, dropped } = prune(
    { ...question, apiVersion, kind, metadata: { name: "", ...(isJsonObject(metadata) ? metadata : {}) } },
    resource.schema,
    { resolve: builtinDefinition, root: true },
  );
  if (dropped.length > 0 && query["fieldValidation"] === "Strict") throw badRequest(`strict decoding error: ${dropped.map(unknownField).join(", ")}`);
  const complete = applyBuiltinDefaults(value, resource);
  const causes = validate({ ...complete, metadata: {} }, resource.schema, { resolve: builtinDefinition });
  if (causes.length > 0) throw refusedReview(resource, causes);
  // Its schema has seen that it is one.
  return complete as UnknownObject & T;
}

/** The 422 for a review that makes no sense. */
export function refusedReview({ kind, group }: { readonly kind: string; readonly group: string }, causes: readonly Cause[]): Error {
  return invalid(kind, group, "", causes);
}
