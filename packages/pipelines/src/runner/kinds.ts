import { defineResource, type KubernetesObject, type Resource } from "@sluice/kubernetes";

const ANY = {};

/** How a container stands. */
export interface ContainerStatus {
  readonly name: string;
  readonly imageID?: string;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly terminated?: {
      readonly exitCode: number;
      readonly reason?: string;
      readonly message?: string;
      readonly signal?: number;
      readonly finishedAt?: string;
    };
  };
}

/** As much of a pod as the runner looks at. */
export interface ObservedPod extends KubernetesObject {
  status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string; readonly message?: string }[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

/** Pods, by the paths of the API; their schema is the server's business. */
export const PODS: Resource<ObservedPod> = defineResource({
  ...{ group: "", version: "v1", kind: "Pod", plural: "pods", scope: "Namespaced", schema: ANY },
  subresources: { status: true },
});

/** As much of a node as the runner looks at. */
export interface ObservedNode extends KubernetesObject {
  status?: { readonly images?: readonly { readonly names?: readonly string[] }[] };
}

/** Nodes, which tell what images they have. */
export const NODES: Resource<ObservedNode> = defineResource({
  ...{ group: "", version: "v1", kind: "Node", plural: "nodes", scope: "Cluster", schema: ANY },
});

/** Volume claims. */
export const CLAIMS: Resource<KubernetesObject> = defineResource({
  ...{ group: "", version: "v1", kind: "PersistentVolumeClaim", plural: "persistentvolumeclaims", scope: "Namespaced", schema: ANY },
});

/** Namespaces. */
export const NAMESPACES: Resource<KubernetesObject> = defineResource({
  ...{ group: "", version: "v1", kind: "Namespace", plural: "namespaces", scope: "Cluster", schema: ANY },
});

/** Service accounts. */
export const SERVICE_ACCOUNTS: Resource<KubernetesObject> = defineResource({
  ...{ group: "", version: "v1", kind: "ServiceAccount", plural: "serviceaccounts", scope: "Namespaced", schema: ANY },
});
