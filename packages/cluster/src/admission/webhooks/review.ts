import { isJsonObject, type Resource, type UnknownObject } from "@sluice/kubernetes";
import type { AdmissionRequest } from "../admission.ts";
import { describeRequest, withoutEmptyIdentity } from "../expressions.ts";
import { asEquivalent } from "../kinds.ts";

/** The versions of AdmissionReview that are spoken. */
const VERSIONS = ["v1", "v1beta1"];

/** What a webhook answered. */
export interface ReviewAnswer {
  readonly allowed: boolean;
  /** A JSON Patch, unread. */
  readonly patch: string | undefined;
  readonly result: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** A webhook's answer that is none. */
export class InvalidAnswer extends Error {
  override readonly name = "InvalidAnswer";
}

/** The first version of AdmissionReview that a webhook accepts and this server speaks. */
export function reviewVersion(accepted: readonly string[]): string | undefined {
  return accepted.find((version) => VERSIONS.includes(version));
}

/** The AdmissionReview that asks a webhook about a request, as one to `resource`. */
export function reviewOf(
  request: AdmissionRequest,
  resource: Resource,
  { uid, version }: { readonly uid: string; readonly version: string },
): object {
  const see = (one: UnknownObject | undefined): unknown =>
    one === undefined ? null : withoutEmptyIdentity(asEquivalent(one, request.resource, resource), request.operation);
  return {
    kind: "AdmissionReview",
    apiVersion: `admission.k8s.io/${version}`,
    request: { uid, ...describeRequest(request, resource), object: see(request.object), oldObject: see(request.oldObject) },
  };
}

/** Reads a webhook's answer; throws InvalidAnswer if it does not keep to the protocol. */
export function readReview(
  review: unknown,
  { uid, version, isMutating }: { readonly uid: string; readonly version: string; readonly isMutating: boolean },
): ReviewAnswer {
  const { response, apiVersion, kind }: Readonly<Record<string, unknown>> = isJsonObject(review) ? review : {};
  if (!isJsonObject(response)) throw new InvalidAnswer("webhook response was absent");
  const { patch, patchType } = response;
  const hasPatch = typeof patch === "string" && patch !== "";
  if (version === "v1") {
    if (response["uid"] !== uid)
      throw new InvalidAnswer(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response["uid"] ?? "")}`);
    if (apiVersion !== "admission.k8s.io/v1" || kind !== "AdmissionReview") {
      const given = `${typeof apiVersion === "string" ? apiVersion : ""}, Kind=${typeof kind === "string" ? kind : ""}`;
      throw new InvalidAnswer(`expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${given}`);
    }
    const hasType = patchType !== undefined && patchType !== null;
    if (!isMutating && hasPatch) throw new InvalidAnswer("validating webhook may not return response.patch");
    if (!isMutating && hasType) throw new InvalidAnswer("validating webhook may not return response.patchType");
    if (hasPatch && !hasType) throw new InvalidAnswer("webhook returned response.patch but not response.patchType");
    if (!hasPatch && hasType) throw new InvalidAnswer("webhook returned response.patchType but not response.patch");
    if (hasType && patchType !== "JSONPatch") throw new InvalidAnswer(`webhook returned invalid response.patchType of ${JSON.stringify(patchType)}`);
  }
  return {
    allowed: response["allowed"] === true,
    patch: isMutating && hasPatch ? Buffer.from(patch, "base64").toString() : undefined,
    result: isJsonObject(response["status"]) ? response["status"] : {},
    warnings: Array.isArray(response["warnings"]) ? response["warnings"].filter((one) => typeof one === "string") : [],
    annotations: isJsonObject(response["auditAnnotations"]) ? textsOf(response["auditAnnotations"]) : {},
  };
}

function textsOf(values: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
