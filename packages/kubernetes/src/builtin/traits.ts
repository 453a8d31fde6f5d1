import type { Column, ScalePaths } from "../resource.ts";

/** What a kind has besides its schema: its names on the command line, what selects it, what a table shows of it. */
export interface Traits {
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly scale?: ScalePaths;
  /** Columns that a JSONPath can fill; the API server computes the others. */
  readonly columns?: readonly Column[];
  readonly selectableFields?: readonly string[];
}

const ALL: readonly string[] = ["all"];
const AGE: Column = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };

const column = (name: string, jsonPath: string, type: Column["type"] = "string", priority = 0): Column =>
  priority === 0 ? { name, type, jsonPath } : { name, type, jsonPath, priority };

const REPLICAS = { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" };
const SELECTED_REPLICAS: ScalePaths = { ...REPLICAS, labelSelectorPath: ".spec.selector" };

const INVOLVED = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];

/** The traits of the kinds that have any, by `group/Kind`. */
export const TRAITS: Readonly<Record<string, Traits>> = {
  "/Pod": {
    shortNames: ["po"],
    categories: ALL,
    selectableFields: [
      "spec.nodeName",
      "spec.restartPolicy",
      "spec.schedulerName",
      "spec.serviceAccountName",
      "spec.hostNetwork",
      "status.phase",
      "status.podIP",
      "status.podIPs",
      "status.nominatedNodeName",
    ],
  },
  "/Node": { shortNames: ["no"], selectableFields: ["spec.unschedulable"] },
  "/Namespace": {
    shortNames: ["ns"],
    selectableFields: ["status.phase"],
    columns: [column("Status", ".status.phase"), AGE],
  },
  "/ConfigMap": { shortNames: ["cm"] },
  "/Secret": { selectableFields: ["type"] },
  "/Service": { shortNames: ["svc"], categories: ALL, selectableFields: ["spec.clusterIP", "spec.type"] },
  "/ServiceAccount": { shortNames: ["sa"] },
  "/Event": {
    shortNames: ["ev"],
    selectableFields: [...INVOLVED.map((field) => `involvedObject.${field}`), "reason", "reportingComponent", "source", "type"],
  },
  "events.k8s.io/Event": {
    shortNames: ["ev"],
    selectableFields: [...INVOLVED.map((field) => `regarding.${field}`), "reason", "reportingController", "type"],
  },
  "/Endpoints": { shortNames: ["ep"] },
  "/PersistentVolumeClaim": { shortNames: ["pvc"] },
  "/PersistentVolume": { shortNames: ["pv"] },
  "/ResourceQuota": { shortNames: ["quota"] },
  "/LimitRange": { shortNames: ["limits"], columns: [column("Created At", ".metadata.creationTimestamp", "string")] },
  "/ReplicationController": {
    shortNames: ["rc"],
    categories: ALL,
    scale: SELECTED_REPLICAS,
    selectableFields: ["status.replicas"],
    columns: [
      column("Desired", ".spec.replicas", "integer"),
      column("Current", ".status.replicas", "integer"),
      column("Ready", ".status.readyReplicas", "integer"),
      AGE,
    ],
  },
  "apps/Deployment": { shortNames: ["deploy"], categories: ALL, scale: SELECTED_REPLICAS },
  "apps/ReplicaSet": { shortNames: ["rs"], categories: ALL, scale: SELECTED_REPLICAS, selectableFields: ["status.replicas"] },
  "apps/StatefulSet": { shortNames: ["sts"], categories: ALL, scale: SELECTED_REPLICAS },
  "apps/DaemonSet": { shortNames: ["ds"], categories: ALL },
  "apps/ControllerRevision": { columns: [column("Revision", ".revision", "integer"), AGE] },
  "batch/Job": { categories: ALL, selectableFields: ["status.successful"] },
  "batch/CronJob": { shortNames: ["cj"], categories: ALL },
  "autoscaling/HorizontalPodAutoscaler": { shortNames: ["hpa"], categories: ALL },
  "coordination.k8s.io/Lease": { columns: [column("Holder", ".spec.holderIdentity"), AGE] },
  "networking.k8s.io/Ingress": { shortNames: ["ing"] },
  "networking.k8s.io/NetworkPolicy": { shortNames: ["netpol"] },
  "networking.k8s.io/IngressClass": { columns: [column("Controller", ".spec.controller"), AGE] },
  "networking.k8s.io/IPAddress": { shortNames: ["ip"] },
  "policy/PodDisruptionBudget": { shortNames: ["pdb"] },
  "scheduling.k8s.io/PriorityClass": {
    shortNames: ["pc"],
    columns: [
      column("Value", ".value", "integer"),
      column("Global-Default", ".globalDefault", "boolean"),
      AGE,
      column("PreemptionPolicy", ".preemptionPolicy"),
    ],
  },
  "storage.k8s.io/StorageClass": {
    shortNames: ["sc"],
    columns: [
      column("Provisioner", ".provisioner"),
      column("ReclaimPolicy", ".reclaimPolicy"),
      column("VolumeBindingMode", ".volumeBindingMode"),
      column("AllowVolumeExpansion", ".allowVolumeExpansion", "boolean"),
      AGE,
    ],
  },
  "node.k8s.io/RuntimeClass": { columns: [column("Handler", ".handler"), AGE] },
  "apiextensions.k8s.io/CustomResourceDefinition": {
    shortNames: ["crd", "crds"],
    categories: ["api-extensions"],
    columns: [column("Created At", ".metadata.creationTimestamp", "string")],
  },
  "apiregistration.k8s.io/APIService": { categories: ["api-extensions"] },
  "admissionregistration.k8s.io/ValidatingWebhookConfiguration": { categories: ["api-extensions"] },
  "admissionregistration.k8s.io/MutatingWebhookConfiguration": { categories: ["api-extensions"] },
  "admissionregistration.k8s.io/ValidatingAdmissionPolicy": { categories: ["api-extensions"] },
  "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding": { categories: ["api-extensions"] },
  "certificates.k8s.io/CertificateSigningRequest": { shortNames: ["csr"], selectableFields: ["spec.signerName"] },
};
