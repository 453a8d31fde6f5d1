import type { AuditPolicy } from "./audit-policy.ts";

const READ = ["get", "list", "watch"];
const SYSTEM = ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"];

/**
 * What is written unless a policy says otherwise, after the one that Kubernetes' own scripts install: nothing of what is
 * frequent and tells nothing; of secrets, configuration and tokens never more than who did what; and who asked for which
 * change. What the cluster's own parts do is told without its content, which follows from that of others.
 */
export const defaultAuditPolicy: AuditPolicy = {
  omitStages: ["RequestReceived"],
  omitManagedFields: true,
  rules: [
    { level: "None", nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version", "/api*", "/apis*", "/openapi*", "/metrics"] },
    { level: "None", resources: [{ resources: ["events"] }, { group: "events.k8s.io", resources: ["events"] }] },
    { level: "None", resources: [{ group: "coordination.k8s.io", resources: ["leases"] }] },
    { level: "None", userGroups: ["system:nodes"], verbs: ["get"], resources: [{ resources: ["nodes", "nodes/status"] }] },
    { level: "None", users: SYSTEM, verbs: READ },
    { level: "Metadata", users: SYSTEM },
    { level: "Metadata", userGroups: ["system:nodes"] },
    {
      level: "Metadata",
      resources: [{ resources: ["secrets", "configmaps", "serviceaccounts/token"] }, { group: "authentication.k8s.io", resources: ["tokenreviews"] }],
    },
    { level: "Metadata", verbs: READ },
    { level: "Request" },
  ],
};
