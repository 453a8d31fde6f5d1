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
  spec: { type: "ClusterIP", clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1"], ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: 6443 }] },
};

/** What every cluster has from its first moment. */
export const bootstrapObjects: readonly UnknownObject[] = [...namespaces, kubernetesService];
