import type { ApiResponse } from "@sluice/client";
import { ApiError, type Resource, type StatusDetails } from "@sluice/kubernetes";

/** `plural`, or `plural.group`: how messages name a resource. */
export function qualified(resource: { readonly plural: string; readonly group: string }): string {
  return resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
}

/** The `details` that say which object an error is about. */
export function detailsOf(resource: { readonly plural: string; readonly group: string }, name: string | undefined): StatusDetails {
  return { ...(name === undefined ? {} : { name }), ...(resource.group === "" ? {} : { group: resource.group }), kind: resource.plural };
}

/** The object is absent. */
export function notFound(resource: Pick<Resource, "plural" | "group">, name: string): ApiError {
  return new ApiError("NotFound", `${qualified(resource)} ${JSON.stringify(name)} not found`, { details: detailsOf(resource, name) });
}

/** The path leads nowhere. */
export function noSuchResource(): ApiError {
  return new ApiError("NotFound", "the server could not find the requested resource", { details: {} });
}

/** The object exists, though it may be about to go. */
export function alreadyExists(resource: Pick<Resource, "plural" | "group">, name: string, options: { readonly isGoing?: boolean } = {}): ApiError {
  const message = `${qualified(resource)} ${JSON.stringify(name)} already exists`;
  return new ApiError("AlreadyExists", options.isGoing === true ? `object is being deleted: ${message}` : message, {
    details: detailsOf(resource, name),
  });
}

/** The object has changed since the caller read it, or is another one. */
export function conflict(resource: Pick<Resource, "plural" | "group">, name: string, why?: string): ApiError {
  const reason = why ?? "the object has been modified; please apply your changes to the latest version and try again";
  return new ApiError("Conflict", `Operation cannot be fulfilled on ${qualified(resource)} ${JSON.stringify(name)}: ${reason}`, {
    details: detailsOf(resource, name),
  });
}

/** The request is understood and refused. */
export function forbidden(
  resource: { readonly plural: string; readonly group: string },
  name: string | undefined,
  why: string,
  causes?: StatusDetails["causes"],
): ApiError {
  const subject = name === undefined || name === "" ? qualified(resource) : `${qualified(resource)} ${JSON.stringify(name)}`;
  return new ApiError("Forbidden", `${subject} is forbidden: ${why}`, {
    details: { ...detailsOf(resource, name), ...(causes === undefined ? {} : { causes }) },
  });
}

/** The resource does not know this verb. */
export function methodNotAllowed(): ApiError {
  return new ApiError("MethodNotAllowed", "the server does not allow this method on the requested resource");
}

/** The request is malformed. */
export function badRequest(message: string): ApiError {
  return new ApiError("BadRequest", message);
}

/** The answer to a request that made something happen and has nothing to show. */
export function created(): ApiResponse {
  return { kind: "object", status: 201, object: { apiVersion: "v1", kind: "Status", metadata: { name: "" }, status: "Success", code: 201 } };
}
