import type { UnknownObject } from "@sluice/kubernetes";

const NAME = "extension-apiserver-authentication";
const RBAC = "rbac.authorization.k8s.io";

/**
 * What servers that extend the API read in kube-system to know the cluster's users by their certificates, and the role that
 * lets them. They also want to know their front proxy; nobody has the certificate that it would show.
 */
export function extensionServerObjects(certificateAuthority: string): readonly UnknownObject[] {
  const metadata = { namespace: "kube-system" };
  const rules = [{ apiGroups: [""], resources: ["configmaps"], resourceNames: [NAME], verbs: ["get", "list", "watch"] }];
  const labels = { "kubernetes.io/bootstrapping": "rbac-defaults" };
  const data = {
    "client-ca-file": certificateAuthority,
    "requestheader-client-ca-file": certificateAuthority,
    "requestheader-allowed-names": '["front-proxy-client"]',
    "requestheader-username-headers": '["X-Remote-User"]',
    "requestheader-group-headers": '["X-Remote-Group"]',
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
  };
  return [
    { apiVersion: "v1", kind: "ConfigMap", metadata: { ...metadata, name: NAME }, data },
    { apiVersion: `${RBAC}/v1`, kind: "Role", metadata: { ...metadata, name: `${NAME}-reader`, labels }, rules },
  ];
}
