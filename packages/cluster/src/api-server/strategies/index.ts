import { jsonEqual, type Namespace, type Resource, type UnknownObject } from "@sluice/kubernetes";
import { qualified } from "../api-errors.ts";
import type { Strategy } from "../strategy.ts";
import { admissionPolicyBindingStrategy, admissionPolicyStrategy } from "./admission-policy.ts";
import { customResourceDefinitionStrategy } from "./custom-resource-definition.ts";
import { immutable } from "./immutable.ts";
import { jobStrategy } from "./job.ts";
import { limitRangeStrategy } from "./limit-range.ts";
import { podStrategy } from "./pod.ts";
import { priorityClassStrategy } from "./priority-class.ts";
import { resourceQuotaStrategy } from "./resource-quota.ts";
import { roleBindingStrategy } from "./role-binding.ts";
import { serviceStrategy } from "./service.ts";
import { webhookConfigurationStrategy } from "./webhook-configuration.ts";
import { persistentVolumeClaimStrategy, persistentVolumeStrategy, storageClassStrategy } from "./storage.ts";
import { cronJobStrategy, replicationControllerStrategy, statefulSetStrategy, workloadStrategy } from "./workloads.ts";

const IMMORTAL: readonly string[] = ["default", "kube-system", "kube-public"];

const namespaceStrategy: Strategy = {
  nameRule: "label",
  hasGeneration: false,
  // Pods may be created in the next breath, and each acts as some account.
  companions: ({ metadata: { name } }) => [
    { table: "serviceaccounts", object: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace: name } } },
  ],
  undeletable: ({ metadata: { name } }) => (IMMORTAL.includes(name) ? "this namespace may not be deleted" : undefined),
  prepareCreate: (object) => {
    const { metadata } = object;
    const labels = { ...metadata.labels, "kubernetes.io/metadata.name": metadata.name };
    return { ...object, metadata: { ...metadata, labels }, spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } };
  },
  prepareUpdate: (next, current) => ({ ...next, ...(current["spec"] === undefined ? {} : { spec: current["spec"] }) }),
  prepareDelete: (object) => ({ ...object, status: { ...(object as UnknownObject & Namespace).status, phase: "Terminating" } }),
  isHeld: (object) => ((object as UnknownObject & Namespace).spec?.finalizers ?? []).length > 0,
};

const configStrategy: Strategy = {
  hasGeneration: false,
  prepareCreate: withoutStringData,
  prepareUpdate: withoutStringData,
  validate: (next, current) => {
    if (current?.["immutable"] !== true) return [];
    const isKept = ["data", "binaryData", "immutable"].every((field) => jsonEqual(next[field], current[field]));
    return isKept ? [] : [{ reason: "FieldValueForbidden", field: "data", message: "Forbidden: field is immutable when `immutable` is set" }];
  },
};

const secretStrategy: Strategy = {
  ...configStrategy,
  prepareCreate: (object) => ({ ...withoutStringData(object), type: object["type"] ?? "Opaque" }),
  validate: (next, current) => {
    if (current !== undefined && current["type"] !== next["type"]) {
      return [{ reason: "FieldValueInvalid", field: "type", message: `Invalid value: ${JSON.stringify(next["type"])}: field is immutable` }];
    }
    return configStrategy.validate?.(next, current) ?? [];
  },
};

/** `stringData` is for writing only: it lands in `data`, encoded. */
function withoutStringData(object: UnknownObject): UnknownObject {
  const { stringData, ...rest } = object;
  if (typeof stringData !== "object" || stringData === null) return object;
  const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(String(text)).toString("base64")] as const);
  const data = typeof rest["data"] === "object" && rest["data"] !== null ? rest["data"] : {};
  return { ...rest, apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata, data: { ...data, ...Object.fromEntries(encoded) } };
}

/** A revision is what there was. */
const controllerRevisionStrategy: Strategy = {
  hasGeneration: false,
  validate: (next, current) => (current === undefined || jsonEqual(next["data"], current["data"]) ? [] : [immutable("data", next["data"])]),
};

const plain: Strategy = { hasGeneration: false };
const returning: Strategy = { hasGeneration: false, returnsDeleted: true };
const counted: Strategy = { hasGeneration: true };
const role: Strategy = { hasGeneration: false, nameRule: "path", createsOnUpdate: true };

const STRATEGIES: Readonly<Record<string, Strategy>> = {
  pods: podStrategy,
  services: serviceStrategy,
  replicationcontrollers: replicationControllerStrategy,
  "deployments.apps": workloadStrategy,
  "replicasets.apps": workloadStrategy,
  "daemonsets.apps": workloadStrategy,
  "statefulsets.apps": statefulSetStrategy,
  "controllerrevisions.apps": controllerRevisionStrategy,
  "jobs.batch": jobStrategy,
  "cronjobs.batch": cronJobStrategy,
  namespaces: namespaceStrategy,
  configmaps: configStrategy,
  secrets: secretStrategy,
  "customresourcedefinitions.apiextensions.k8s.io": customResourceDefinitionStrategy,
  "priorityclasses.scheduling.k8s.io": priorityClassStrategy,
  "storageclasses.storage.k8s.io": storageClassStrategy,
  "networkpolicies.networking.k8s.io": counted,
  "ingressclasses.networking.k8s.io": counted,
  "endpointslices.discovery.k8s.io": counted,
  "validatingwebhookconfigurations.admissionregistration.k8s.io": webhookConfigurationStrategy,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhookConfigurationStrategy,
  "validatingadmissionpolicies.admissionregistration.k8s.io": admissionPolicyStrategy,
  "validatingadmissionpolicybindings.admissionregistration.k8s.io": admissionPolicyBindingStrategy,
  nodes: plain,
  serviceaccounts: returning,
  persistentvolumes: persistentVolumeStrategy,
  persistentvolumeclaims: persistentVolumeClaimStrategy,
  resourcequotas: resourceQuotaStrategy,
  limitranges: limitRangeStrategy,
  endpoints: { hasGeneration: false, createsOnUpdate: true },
  events: { hasGeneration: false, createsOnUpdate: true },
  "leases.coordination.k8s.io": { hasGeneration: false, createsOnUpdate: true },
  "roles.rbac.authorization.k8s.io": role,
  "clusterroles.rbac.authorization.k8s.io": role,
  "rolebindings.rbac.authorization.k8s.io": roleBindingStrategy,
  "clusterrolebindings.rbac.authorization.k8s.io": roleBindingStrategy,
};

/** What a built-in kind does beyond its schema. */
export function strategyOf(resource: Resource): Strategy {
  return STRATEGIES[qualified(resource)] ?? {};
}
