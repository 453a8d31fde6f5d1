import type { KubernetesObject } from "@sluice/kubernetes";
import type { JsonObject } from "../domain/ir.ts";

/** The image of the artifact agent that every pod carries. */
export const AGENT_IMAGE = "sluice.dev/artifact-agent";

/** The label that holds the run's id. */
export const RUN_LABEL = "pipeline/runid";
/** The label that holds the task's id. */
export const TASK_LABEL = "pipelines.sluice.dev/task-id";
/** The label that holds the attempt's number. */
export const ATTEMPT_LABEL = "pipelines.sluice.dev/attempt";
/** The name of the container that runs the user's code. */
export const MAIN_CONTAINER = "main";

/** What all pods of an installation share. */
export interface PodSettings {
  /** The account of runs that name none; `pipeline-runner` unless set. */
  readonly serviceAccount?: string;
  /** The agent's image, if not `sluice.dev/artifact-agent` itself. */
  readonly agentImage?: string;
  /** Environment of every user container, e.g. a proxy. */
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

/** An environment variable. */
export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: JsonObject;
}

/** Where a container sees a volume. */
export interface VolumeMount {
  name: string;
  mountPath: string;
  subPath?: string;
  readOnly?: boolean;
}

/** One container of a pod. */
export interface ContainerManifest {
  name: string;
  image: string;
  imagePullPolicy?: string;
  command?: readonly string[];
  args?: readonly string[];
  env?: readonly EnvVar[];
  resources?: { limits?: Record<string, string>; requests?: Record<string, string> };
  volumeMounts?: readonly VolumeMount[];
  securityContext?: JsonObject;
  restartPolicy?: string;
}

/** A pod to create. */
export interface PodManifest extends KubernetesObject {
  apiVersion: "v1";
  kind: "Pod";
  spec: {
    restartPolicy: "Never";
    serviceAccountName: string;
    initContainers: readonly ContainerManifest[];
    containers: readonly ContainerManifest[];
    volumes: readonly (JsonObject & { name: string })[];
    activeDeadlineSeconds?: number;
    terminationGracePeriodSeconds?: number;
    nodeSelector?: Record<string, string>;
    tolerations?: readonly JsonObject[];
    affinity?: JsonObject;
    imagePullSecrets?: readonly { name: string }[];
  };
}
