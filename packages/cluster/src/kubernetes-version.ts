/** The version of Kubernetes that the API server and the nodes say they are. */
export const KUBERNETES_VERSION = "v1.33.6";
