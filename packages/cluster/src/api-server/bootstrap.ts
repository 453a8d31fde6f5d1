import type { UnknownObject } from "@sluice/kubernetes";

const namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"].map((name): UnknownObject => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name },
}));

const kubernetesService: UnknownObject = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "kubernetes", namespace: "default", labels: { component: "apiserver", provider: "kubernetes" } },
  spec: {
    type: "ClusterIP",
    clusterIP: "10.96.0.1",
    clusterIPs: ["10.96.0.1"],
    ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: 6443 }],
  },
};

const priorityClasses = [
  {
    name: "system-node-critical",
    value: 2_000_001_000,
    description: "Used for system critical pods that must not be moved from their current node.",
  },
  {
    name: "system-cluster-critical",
    value: 2_000_000_000,
    description: "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
  },
].map(({ name, ...rest }): UnknownObject => ({ apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name }, ...rest }));

/** What every cluster has from its first moment. */
export const bootstrapObjects: readonly UnknownObject[] = [...namespaces, kubernetesService, ...priorityClasses];
