import { apiVersionOf, type Resource, type UnknownObject } from "@sluice/kubernetes";
import { toCoreGroup, toEventsGroup } from "../api-server/event-versions.ts";
import type { AdmissionRequest } from "./admission.ts";

/** A kind by name. */
export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The other resources of `served` by which the same objects can be reached. */
export function equivalentsOf(resource: Resource, served: readonly Resource[]): readonly Resource[] {
  const isEvent = ({ group, plural }: Resource): boolean => plural === "events" && (group === "" || group === "events.k8s.io");
  return served.filter(
    (other) =>
      (other.group !== resource.group || other.version !== resource.version) &&
      other.plural === resource.plural &&
      (other.group === resource.group || (isEvent(other) && isEvent(resource))),
  );
}

/** An object of a request to `asked`, as `resource`, its equivalent, shows it. */
export function asEquivalent(object: UnknownObject, asked: Resource, resource: Resource): UnknownObject {
  const apiVersion = apiVersionOf(resource);
  // Subresources such as Scale are the same everywhere.
  if (object.apiVersion === apiVersion || object.kind !== asked.kind) return object;
  if (resource.group !== asked.group) return resource.group === "" ? toCoreGroup(object) : toEventsGroup(object);
  return { ...object, apiVersion };
}

/** The kind of a request's object: the resource's own, or the subresource's. */
export function kindOf({ object, resource }: Pick<AdmissionRequest, "object" | "resource">, as: Resource = resource): GroupVersionKind {
  if (object === undefined || object.kind === resource.kind) return { group: as.group, version: as.version, kind: as.kind };
  const slash = object.apiVersion.indexOf("/");
  return { group: slash < 0 ? "" : object.apiVersion.slice(0, slash), version: object.apiVersion.slice(slash + 1), kind: object.kind };
}

const CONFIGURATIONS: ReadonlySet<string> = new Set([
  "ValidatingWebhookConfiguration",
  "MutatingWebhookConfiguration",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
  "MutatingAdmissionPolicy",
  "MutatingAdmissionPolicyBinding",
]);

/** Whether a request is about what configures admission, which must stay mendable whatever it says. */
export function isConfiguration({ resource }: AdmissionRequest): boolean {
  return resource.group === "admissionregistration.k8s.io" && CONFIGURATIONS.has(resource.kind);
}
