import type { Reference, Value } from "./graph.ts";
import type { JsonValue, ParameterType } from "./types.ts";

/** A parameter that holds an object. */
type ObjectReference = Reference<ParameterType<Readonly<Record<string, JsonValue>>>>;
type ListReference = Reference<ParameterType<readonly JsonValue[]>>;

/** Where an environment variable's value comes from. */
export type EnvSource =
  | { readonly secret: Value; readonly key: string; readonly optional?: boolean }
  | { readonly configMap: Value; readonly key: string; readonly optional?: boolean }
  /** E.g. `spec.nodeName`. */
  | { readonly fieldPath: string };

/** What a directory of the container is. */
export type Volume =
  | { readonly secret: Value; readonly optional?: boolean }
  | { readonly configMap: Value; readonly optional?: boolean }
  /** A PersistentVolumeClaim, by name. */
  | { readonly claim: Value; readonly subPath?: string }
  /** Scratch space that is gone with the pod. */
  | { readonly emptyDir: { readonly name: string; readonly medium?: "Memory" | "HugePages"; readonly sizeLimit?: string } }
  /** A volume that is made for the pod and goes with it. */
  | { readonly ephemeral: EphemeralVolume };

/** How Kubernetes is to make a volume; without a class, of the cluster's default. */
export interface EphemeralVolume {
  readonly name: string;
  readonly accessModes: readonly AccessMode[];
  readonly size: string;
  readonly storageClassName?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
/** Who may use a volume at once. */
export type AccessMode = "ReadWriteOnce" | "ReadOnlyMany" | "ReadWriteMany" | "ReadWriteOncePod";

/** A taint that the pod bears. */
export interface Toleration {
  readonly key?: string;
  readonly operator?: "Equal" | "Exists";
  readonly value?: string;
  readonly effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  readonly tolerationSeconds?: number;
}
/** What a label or field must be. */
export interface SelectorRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
  readonly values?: readonly string[];
}
/** Which nodes the pod must, or with a weight (1 to 100) would rather, run on. */
export interface NodeAffinityTerm {
  readonly matchExpressions?: readonly SelectorRequirement[];
  readonly matchFields?: readonly SelectorRequirement[];
  readonly weight?: number;
}
/** Which pods the pod must, or with a weight (1 to 100) would rather, be near, or by `anti` far from. */
export interface PodAffinityTerm {
  readonly matchPodExpressions?: readonly SelectorRequirement[];
  readonly matchPodLabels?: Readonly<Record<string, string>>;
  readonly topologyKey?: string;
  readonly namespaces?: readonly string[];
  readonly matchNamespaceExpressions?: readonly SelectorRequirement[];
  readonly matchNamespaceLabels?: Readonly<Record<string, string>>;
  readonly weight?: number;
  readonly anti?: boolean;
}
/** A container that runs before the task's own or, if it is always restarted, beside it. */
export interface InitContainer {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  /** Of the pod's volumes, by their names. */
  readonly volumeMounts?: readonly { readonly volumeName: string; readonly mountPath: string }[];
  readonly restartPolicy?: "Always";
  readonly resources?: { readonly requests?: Readonly<Record<string, string>>; readonly limits?: Readonly<Record<string, string>> };
}

/** What a task's pod has beyond its container's command and resources. */
export interface KubernetesOptions {
  /** By variable. */
  readonly env?: Readonly<Record<string, EnvSource>>;
  /** By the path that each is mounted at. */
  readonly volumes?: Readonly<Record<string, Volume>>;
  readonly nodeSelector?: Readonly<Record<string, string>> | ObjectReference;
  /** Each may be known only when the pipeline runs: one, or a list of them. */
  readonly tolerations?: readonly (Toleration | ObjectReference | ListReference)[];
  /** Terms, or Kubernetes' own `nodeAffinity` object that is known when the pipeline runs. */
  readonly nodeAffinity?: readonly (NodeAffinityTerm | ObjectReference)[];
  readonly podAffinity?: readonly PodAffinityTerm[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly imagePullPolicy?: "Always" | "Never" | "IfNotPresent";
  /** Names of secrets. */
  readonly imagePullSecrets?: readonly Value[];
  readonly securityContext?: { readonly runAsUser?: number; readonly runAsGroup?: number; readonly runAsNonRoot?: boolean };
  /** A `/dev/shm` of this size. */
  readonly sharedMemory?: { readonly size?: string; readonly volumeName?: string };
  readonly initContainers?: readonly InitContainer[];
}
