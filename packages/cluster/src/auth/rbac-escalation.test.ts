import type { Client } from "@sluice/client";
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding, type PolicyRule } from "@sluice/kubernetes";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startCluster, type Cluster } from "../start-cluster.ts";

const GROUP = "rbac.authorization.k8s.io";
const apiVersion = `${GROUP}/v1`;
let cluster: Cluster;
let root: Client;
/** Administers the namespace default, and no more. */
let ann: Client;

beforeEach(async () => {
  cluster = await startCluster();
  root = cluster.client({ username: "root", groups: ["system:masters"] });
  ann = cluster.client({ username: "ann", groups: ["system:authenticated"] });
  await root.create(RoleBinding, binding("ann", "admin", "ann"));
});
afterEach(() => cluster[Symbol.asyncDispose]());

const role = (name: string, rules: PolicyRule[]): Role => ({ apiVersion, kind: "Role", metadata: { name, namespace: "default" }, rules });
const binding = (name: string, clusterRole: string, user: string): RoleBinding => ({
  apiVersion,
  kind: "RoleBinding",
  metadata: { name, namespace: "default" },
  roleRef: { apiGroup: GROUP, kind: "ClusterRole", name: clusterRole },
  subjects: [{ kind: "User", apiGroup: GROUP, name: user }],
});
const allow = (group: string, resource: string, ...verbs: string[]): PolicyRule => ({ apiGroups: [group], resources: [resource], verbs });

test.each<[string, () => Promise<unknown>]>([
  ["a role of what they have", () => ann.create(Role, role("a", [allow("", "pods", "get", "delete"), allow("", "pods/log", "get")]))],
  ["a role of what they have, by name", () => ann.create(Role, role("a", [{ ...allow("", "secrets", "get"), resourceNames: ["x"] }]))],
  ["a binding to less than they have", () => ann.create(RoleBinding, binding("a", "view", "bob"))],
])("one may give %s", async (_, act) => {
  await expect(act()).resolves.toBeDefined();
});

test.each<[string, () => Promise<unknown>]>([
  ["a role of more", () => ann.create(Role, role("a", [allow("apps", "nosuch", "get")]))],
  ["a role of everything", () => ann.create(Role, role("a", [allow("*", "*", "*")]))],
  ["a role of every verb", () => ann.create(Role, role("a", [allow("", "nodes", "*")]))],
  ["a binding to more", () => ann.create(RoleBinding, binding("a", "cluster-admin", "ann"))],
  [
    "a role that grows",
    async () => {
      await ann.create(Role, role("a", [allow("", "pods", "get")]));
      await ann.patch(Role, { namespace: "default", name: "a" }, { type: "merge", body: { rules: [allow("", "nodes", "get")] } });
    },
  ],
])("nobody gives %s than they have", async (_, act) => {
  await expect(act()).rejects.toThrow(
    /is forbidden: user "ann" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:/,
  );
});

test("what others have given may be kept while other things change", async () => {
  await root.create(Role, role("a", [allow("", "nodes", "get")]));
  await root.create(RoleBinding, binding("b", "cluster-admin", "bob"));
  const body = { metadata: { labels: { x: "y" } } };
  expect(await ann.patch(Role, { namespace: "default", name: "a" }, { type: "merge", body })).toMatchObject(body);
  expect(await ann.patch(RoleBinding, { namespace: "default", name: "b" }, { type: "merge", body })).toMatchObject(body);
});

test("who may bind or escalate is not held back", async () => {
  await root.create(
    Role,
    role("free", [{ ...allow(GROUP, "clusterroles", "bind"), resourceNames: ["cluster-admin"] }, allow(GROUP, "roles", "escalate")]),
  );
  await root.create(RoleBinding, { ...binding("free", "", "ann"), roleRef: { apiGroup: GROUP, kind: "Role", name: "free" } });
  await expect(ann.create(RoleBinding, binding("b", "cluster-admin", "bob"))).resolves.toBeDefined();
  await expect(ann.create(Role, role("a", [allow("*", "*", "*")]))).resolves.toBeDefined();
});

test("a role that aggregates others is for those who have everything", async () => {
  await root.create(ClusterRole, { apiVersion, kind: "ClusterRole", metadata: { name: "roles" }, rules: [allow(GROUP, "clusterroles", "create")] });
  await root.create(ClusterRoleBinding, { ...binding("roles", "roles", "ann"), kind: "ClusterRoleBinding", metadata: { name: "roles" } });
  const aggregate: ClusterRole = {
    apiVersion,
    kind: "ClusterRole",
    metadata: { name: "all" },
    rules: [],
    aggregationRule: { clusterRoleSelectors: [{}] },
  };
  await expect(ann.create(ClusterRole, aggregate)).rejects.toThrow("not currently held");
  await root.create(ClusterRole, aggregate);
});
