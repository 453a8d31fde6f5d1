import type { PolicyRule, UnknownObject } from "@sluice/kubernetes";

const GROUP = "rbac.authorization.k8s.io";
const READ = ["get", "list", "watch"];
const WRITE = ["create", "delete", "deletecollection", "patch", "update"];
const ALL = [...READ, ...WRITE];

/** What people work with in a namespace, by group; subresources where they are given apart. */
const WORKLOADS: Readonly<Record<string, readonly string[]>> = {
  apps: ["daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets", "statefulsets/scale"],
  batch: ["cronjobs", "jobs"],
  autoscaling: ["horizontalpodautoscalers"],
  policy: ["poddisruptionbudgets"],
  "networking.k8s.io": ["ingresses", "networkpolicies"],
};
const CORE = ["configmaps", "endpoints", "persistentvolumeclaims", "pods", "replicationcontrollers", "serviceaccounts", "services"];
const STATUS: Readonly<Record<string, readonly string[]>> = {
  "": [
    "bindings",
    "events",
    "limitranges",
    "namespaces",
    "namespaces/status",
    "persistentvolumeclaims/status",
    "pods/log",
    "pods/status",
    "replicationcontrollers/scale",
    "replicationcontrollers/status",
    "resourcequotas",
    "resourcequotas/status",
    "services/status",
  ],
  apps: ["controllerrevisions", "daemonsets/status", "deployments/status", "replicasets/status", "statefulsets/status"],
  batch: ["cronjobs/status", "jobs/status"],
  autoscaling: ["horizontalpodautoscalers/status"],
  policy: ["poddisruptionbudgets/status"],
  "networking.k8s.io": ["ingresses/status"],
  "discovery.k8s.io": ["endpointslices"],
  "events.k8s.io": ["events"],
};

const view: PolicyRule[] = [
  allow("", CORE, READ),
  ...Object.entries(WORKLOADS).map(([group, resources]) => allow(group, resources, READ)),
  ...Object.entries(STATUS).map(([group, resources]) => allow(group, resources, READ)),
];
const edit: PolicyRule[] = [
  allow("", ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"], READ),
  allow("", ["serviceaccounts"], ["impersonate"]),
  allow("", ["pods/eviction", "serviceaccounts/token"], ["create"]),
  allow("", ["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"], WRITE),
  allow(
    "",
    [...CORE, "events", "replicationcontrollers/scale", "secrets", "services/proxy"].filter(
      (resource) => resource !== "pods" && resource !== "endpoints",
    ),
    WRITE,
  ),
  allow("events.k8s.io", ["events"], WRITE),
  ...Object.entries(WORKLOADS).map(([group, resources]) => allow(group, resources, WRITE)),
  allow("coordination.k8s.io", ["leases"], ALL),
];
const admin: PolicyRule[] = [allow(GROUP, ["roles", "rolebindings"], ALL), allow("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"])];

const PUBLIC_PATHS = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
const DISCOVERY_PATHS = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"];
const TOKEN_PATHS = ["/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"];

/** The cluster roles that every cluster has, and whom they are given to. Bound to no one: admin, edit, view and what adds to them. */
export const bootstrapRoles: readonly UnknownObject[] = [
  role("cluster-admin", [
    { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
    { nonResourceURLs: ["*"], verbs: ["*"] },
  ]),
  binding("cluster-admin", "cluster-admin", ["system:masters"]),
  role("system:discovery", [paths(DISCOVERY_PATHS)]),
  binding("system:discovery", "system:discovery", ["system:authenticated"]),
  role("system:public-info-viewer", [paths(PUBLIC_PATHS)]),
  binding("system:public-info-viewer", "system:public-info-viewer", ["system:authenticated", "system:unauthenticated"]),
  role("system:service-account-issuer-discovery", [paths(TOKEN_PATHS)]),
  binding("system:service-account-issuer-discovery", "system:service-account-issuer-discovery", ["system:serviceaccounts"]),
  role("system:monitoring", [paths(["/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/readyz", "/readyz/*"])]),
  binding("system:monitoring", "system:monitoring", ["system:monitoring"]),
  role("system:basic-user", [
    allow("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
    allow("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
  ]),
  binding("system:basic-user", "system:basic-user", ["system:authenticated"]),
  role("system:auth-delegator", [
    allow("authentication.k8s.io", ["tokenreviews"], ["create"]),
    allow("authorization.k8s.io", ["subjectaccessreviews"], ["create"]),
  ]),
  role("system:node", [
    allow("", ["nodes"], ALL),
    allow("", ["nodes/status", "pods/status", "persistentvolumeclaims/status"], ["get", "patch", "update"]),
    allow("", ["pods"], [...READ, "create", "delete"]),
    allow("", ["pods/eviction", "serviceaccounts/token"], ["create"]),
    allow(
      "",
      ["configmaps", "endpoints", "namespaces", "persistentvolumeclaims", "persistentvolumes", "secrets", "serviceaccounts", "services"],
      READ,
    ),
    allow("", ["events"], ["create", "patch", "update"]),
    allow("events.k8s.io", ["events"], ["create", "patch", "update"]),
    allow("discovery.k8s.io", ["endpointslices"], READ),
    allow("node.k8s.io", ["runtimeclasses"], READ),
    allow("coordination.k8s.io", ["leases"], ["create", "delete", "get", "patch", "update"]),
    allow("storage.k8s.io", ["csidrivers", "csinodes", "storageclasses", "volumeattachments"], READ),
    allow("authentication.k8s.io", ["tokenreviews"], ["create"]),
    allow("authorization.k8s.io", ["localsubjectaccessreviews", "subjectaccessreviews"], ["create"]),
  ]),
  binding("system:node", "system:node", ["system:nodes"]),
  // In the order in which the controller adds them up, which then has nothing to do.
  aggregated("admin", [...edit, ...view, ...admin], { toItself: "admin" }),
  aggregated("edit", [...edit, ...view], { toItself: "edit", onwards: "admin" }),
  aggregated("view", view, { toItself: "view", onwards: "edit" }),
  role("system:aggregate-to-admin", admin, { [aggregateTo("admin")]: "true" }),
  role("system:aggregate-to-edit", edit, { [aggregateTo("edit")]: "true" }),
  role("system:aggregate-to-view", view, { [aggregateTo("view")]: "true" }),
];

function allow(group: string, resources: readonly string[], verbs: readonly string[]): PolicyRule {
  return { apiGroups: [group], resources: [...resources], verbs: [...verbs] };
}

function paths(nonResourceURLs: readonly string[]): PolicyRule {
  return { nonResourceURLs: [...nonResourceURLs], verbs: ["get"] };
}

function role(name: string, rules: readonly PolicyRule[], labels: Readonly<Record<string, string>> = {}): UnknownObject {
  const metadata = { name, labels: { "kubernetes.io/bootstrapping": "rbac-defaults", ...labels }, annotations: { [`${GROUP}/autoupdate`]: "true" } };
  return { apiVersion: `${GROUP}/v1`, kind: "ClusterRole", metadata, rules };
}

/** A role that is the sum of those labelled for it; complete from the start, and added to by whoever labels a role of theirs. */
function aggregated(
  name: string,
  rules: readonly PolicyRule[],
  { toItself, onwards }: { readonly toItself: string; readonly onwards?: string },
): UnknownObject {
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { [aggregateTo(toItself)]: "true" } }] };
  return { ...role(name, rules, onwards === undefined ? {} : { [aggregateTo(onwards)]: "true" }), aggregationRule };
}

function aggregateTo(name: string): string {
  return `${GROUP}/aggregate-to-${name}`;
}

function binding(name: string, roleName: string, groups: readonly string[]): UnknownObject {
  return {
    apiVersion: `${GROUP}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { name, labels: { "kubernetes.io/bootstrapping": "rbac-defaults" }, annotations: { [`${GROUP}/autoupdate`]: "true" } },
    roleRef: { apiGroup: GROUP, kind: "ClusterRole", name: roleName },
    subjects: groups.map((group) => ({ apiGroup: GROUP, kind: "Group", name: group })),
  };
}
