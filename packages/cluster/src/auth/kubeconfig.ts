import type { Pki } from "./pki.ts";

/** A kubeconfig that reaches the cluster at `url` as its administrator. */
export function kubeconfigFor(url: string, { authority, admin }: Pick<Pki, "authority" | "admin">): string {
  const encode = (pem: string): string => Buffer.from(pem).toString("base64");
  return `apiVersion: v1
kind: Config
clusters:
  - name: sluice
    cluster:
      server: ${url}
      certificate-authority-data: ${encode(authority)}
users:
  - name: sluice
    user:
      client-certificate-data: ${encode(admin.certificate)}
      client-key-data: ${encode(admin.key)}
contexts:
  - name: sluice
    context:
      cluster: sluice
      user: sluice
current-context: sluice
`;
}
