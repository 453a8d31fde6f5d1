import type { FieldSet } from "./field-set.ts";

/** The metadata that every Kubernetes object carries. Times are RFC 3339 strings with second precision. */
export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFieldsEntry[];
}

/** A dependent's reference to the object that owns it, always in the same namespace or cluster-scoped. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Which fields one manager owns; `fieldsV1` is the set in Kubernetes' `f:`/`k:`/`v:` notation. */
export interface ManagedFieldsEntry {
  manager: string;
  operation: "Apply" | "Update";
  apiVersion: string;
  time?: string;
  fieldsType: "FieldsV1";
  fieldsV1: FieldSet;
  subresource?: string;
}

/** Any Kubernetes object: a kind plus metadata. Concrete kinds extend it. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

/** An object of a kind that is only known at run time. */
export interface UnknownObject extends KubernetesObject {
  [field: string]: unknown;
}

/** A page of objects. `metadata.continue` is set while more pages follow. */
export interface KubernetesList<T extends KubernetesObject = UnknownObject> {
  apiVersion: string;
  kind: string;
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: T[];
}

/** Namespace and name; the only thing that queues and reconcilers know of an object. `namespace` is absent for cluster scope. */
export interface ObjectKey {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** One change as a watch delivers it. A BOOKMARK's object carries only kind and resourceVersion. */
export type WatchEvent<T extends KubernetesObject = UnknownObject> =
  | { type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; object: T }
  | { type: "ERROR"; object: Status };

/** The Kubernetes error and outcome body. */
export interface Status {
  apiVersion: "v1";
  kind: "Status";
  metadata: Record<string, unknown>;
  status: "Success" | "Failure";
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

/** What a failed request was about. */
export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: { reason?: string; message?: string; field?: string }[];
  retryAfterSeconds?: number;
}
