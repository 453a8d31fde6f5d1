import type { Schema } from "../schema.ts";

const LABEL: Partial<Schema> = { minLength: 1, maxLength: 63, pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" };
const PORT: Partial<Schema> = { minimum: 1, maximum: 65535 };
const COUNT: Partial<Schema> = { minimum: 0 };
const SOME: Partial<Schema> = { minItems: 1 };
const CONTAINER: Readonly<Record<string, Partial<Schema>>> = { name: LABEL };
const POSITIVE: Partial<Schema> = { minimum: 1 };

/** What validation demands beyond the types, by definition and field. */
export const RULES: Readonly<Record<string, Readonly<Record<string, Partial<Schema>>>>> = {
  "core.v1.PodSpec": {
    containers: SOME,
    hostname: { maxLength: 63 },
    subdomain: { maxLength: 63 },
    activeDeadlineSeconds: POSITIVE,
    terminationGracePeriodSeconds: COUNT,
  },
  "core.v1.Container": CONTAINER,
  "core.v1.EphemeralContainerCommon": CONTAINER,
  "core.v1.ContainerPort": { containerPort: PORT, hostPort: { minimum: 0, maximum: 65535 } },
  "core.v1.ContainerRestartRule": { action: { enum: ["Restart"] } },
  "core.v1.EnvVar": { name: { minLength: 1 } },
  "core.v1.Volume": { name: LABEL },
  "core.v1.VolumeMount": { name: { minLength: 1 }, mountPath: { minLength: 1 } },
  "core.v1.Probe": {
    initialDelaySeconds: COUNT,
    timeoutSeconds: POSITIVE,
    periodSeconds: POSITIVE,
    successThreshold: POSITIVE,
    failureThreshold: POSITIVE,
  },
  "core.v1.ServicePort": { port: PORT },
  "batch.v1.JobSpec": {
    parallelism: COUNT,
    completions: COUNT,
    backoffLimit: COUNT,
    backoffLimitPerIndex: COUNT,
    maxFailedIndexes: COUNT,
    activeDeadlineSeconds: COUNT,
    ttlSecondsAfterFinished: COUNT,
  },
  "batch.v1.CronJobSpec": {
    schedule: { minLength: 1 },
    startingDeadlineSeconds: COUNT,
    successfulJobsHistoryLimit: COUNT,
    failedJobsHistoryLimit: COUNT,
  },
  "apps.v1.DeploymentSpec": { replicas: COUNT, minReadySeconds: COUNT, revisionHistoryLimit: COUNT, progressDeadlineSeconds: COUNT },
  "apps.v1.ReplicaSetSpec": { replicas: COUNT, minReadySeconds: COUNT },
  "apps.v1.StatefulSetSpec": { replicas: COUNT, revisionHistoryLimit: COUNT },
  "rbac.v1.PolicyRule": { verbs: SOME },
  "rbac.v1.Subject": { kind: { enum: ["ServiceAccount", "User", "Group"] }, name: { minLength: 1 } },
  "rbac.v1.RoleRef": { kind: { enum: ["Role", "ClusterRole"] }, name: { minLength: 1 } },
  "coordination.v1.LeaseSpec": { leaseDurationSeconds: POSITIVE, leaseTransitions: COUNT },
  "apiextensions.v1.CustomResourceDefinitionSpec": { versions: SOME },
};

/** Fields that Kubernetes' documentation calls required and its servers do without, by definition. */
export const NOT_REQUIRED: Readonly<Record<string, readonly string[]>> = {
  // An event that was recorded by the older API has none.
  "events.v1.Event": ["eventTime"],
};
