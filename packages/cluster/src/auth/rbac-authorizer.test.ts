import type { UserInfo } from "@sluice/client";
import type { PolicyRule, Subject, UnknownObject } from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RequestAttributes } from "../api-server/api-server-options.ts";
import { openStore, type Store } from "../store/store.ts";
import { bootstrapRoles } from "./bootstrap-roles.ts";
import { RbacAuthorizer } from "./rbac-authorizer.ts";
import { ruleAllows } from "./rbac-rules.ts";

const GROUP = "rbac.authorization.k8s.io";
const TABLES: Readonly<Record<string, string>> = {
  Role: "roles",
  ClusterRole: "clusterroles",
  RoleBinding: "rolebindings",
  ClusterRoleBinding: "clusterrolebindings",
};
let store: Store;
let authorizer: RbacAuthorizer;

beforeEach(async () => {
  store = await openStore({ path: ":memory:" });
  authorizer = new RbacAuthorizer(store);
  await Promise.all(bootstrapRoles.map(put));
});
afterEach(async () => {
  authorizer[Symbol.dispose]();
  await store.close();
});

async function put(object: UnknownObject): Promise<void> {
  const { namespace, name } = object.metadata;
  await store.write(`${TABLES[object.kind]}.${GROUP}`, { namespace, name }, () => object);
}
async function remove({ kind, metadata: { namespace, name } }: UnknownObject): Promise<void> {
  await store.write(`${TABLES[kind]}.${GROUP}`, { namespace, name }, () => undefined);
}
const role = (name: string, rules: PolicyRule[], namespace?: string): UnknownObject => ({
  apiVersion: `${GROUP}/v1`,
  kind: namespace === undefined ? "ClusterRole" : "Role",
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  rules,
});
const bind = (name: string, [kind, roleName]: [string, string], subjects: Subject[], namespace?: string): UnknownObject => ({
  apiVersion: `${GROUP}/v1`,
  kind: namespace === undefined ? "ClusterRoleBinding" : "RoleBinding",
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  roleRef: { apiGroup: GROUP, kind, name: roleName },
  subjects,
});
const user = (username: string, ...groups: string[]): UserInfo => ({ username, groups: [...groups, "system:authenticated"] });
const to = (verb: string, resource: string, more: { namespace?: string; name?: string; group?: string } = {}): RequestAttributes => {
  const [plural = "", subresource] = resource.split("/");
  return {
    kind: "resource",
    verb,
    group: more.group ?? "",
    version: "v1",
    resource: plural,
    subresource,
    namespace: more.namespace,
    name: more.name,
  };
};
const allowed = (who: UserInfo, what: RequestAttributes): boolean => authorizer.authorize(who, what).allowed;

describe("a rule", () => {
  const pods: PolicyRule = { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] };
  test.each<[string, PolicyRule, RequestAttributes, boolean]>([
    ["its verb", pods, to("get", "pods"), true],
    ["no other verb", pods, to("delete", "pods"), false],
    ["no other group", pods, to("get", "pods", { group: "metrics.k8s.io" }), false],
    ["no subresource of its resource", pods, to("get", "pods/log"), false],
    ["a subresource", { ...pods, resources: ["pods/log"] }, to("get", "pods/log"), true],
    ["a subresource of everything", { ...pods, apiGroups: ["*"], resources: ["*/scale"] }, to("get", "deployments/scale", { group: "apps" }), true],
    ["everything", { apiGroups: ["*"], resources: ["*"], verbs: ["*"] }, to("watch", "pods/log"), true],
    ["everything but paths", { apiGroups: ["*"], resources: ["*"], verbs: ["*"] }, { kind: "path", verb: "get", path: "/metrics" }, false],
    ["a name", { ...pods, resourceNames: ["a"] }, to("get", "pods", { name: "a" }), true],
    ["no other name", { ...pods, resourceNames: ["a"] }, to("get", "pods", { name: "b" }), false],
    ["no list, if it has names", { ...pods, resourceNames: ["a"] }, to("list", "pods"), false],
    ["a path", { nonResourceURLs: ["/metrics"], verbs: ["get"] }, { kind: "path", verb: "get", path: "/metrics" }, true],
    ["nothing below a path", { nonResourceURLs: ["/metrics"], verbs: ["get"] }, { kind: "path", verb: "get", path: "/metrics/a" }, false],
    ["all that starts like a path", { nonResourceURLs: ["/logs/*"], verbs: ["get"] }, { kind: "path", verb: "get", path: "/logs/a/b" }, true],
  ])("allows %s", (_, rule, attributes, expected) => {
    expect(ruleAllows(rule, attributes)).toBe(expected);
  });
});

describe("bindings", () => {
  const view = bind("v", ["ClusterRole", "view"], [{ kind: "User", apiGroup: GROUP, name: "ann" }], "a");

  test("in a namespace give there only, in the cluster everywhere", async () => {
    await put(view);
    await put(bind("c", ["ClusterRole", "edit"], [{ kind: "Group", apiGroup: GROUP, name: "staff" }]));
    expect(allowed(user("ann"), to("list", "pods", { namespace: "a" }))).toBe(true);
    expect(allowed(user("ann"), to("list", "pods", { namespace: "b" }))).toBe(false);
    expect(allowed(user("ann"), to("list", "pods"))).toBe(false);
    expect(allowed(user("ann"), to("list", "secrets", { namespace: "a" }))).toBe(false);
    expect(allowed(user("bob", "staff"), to("delete", "pods", { namespace: "b" }))).toBe(true);
    expect(allowed(user("bob", "staff"), to("create", "rolebindings", { namespace: "b", group: GROUP }))).toBe(false);
    expect(authorizer.authorize(user("ann"), to("get", "pods", { namespace: "a" }))).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "v/a" of ClusterRole "view" to User "ann"',
    });
  });

  test("are followed as they, and the roles, come, change and go", async () => {
    const read = to("get", "pods", { namespace: "a" });
    await put(view);
    await put({ ...view, subjects: [{ kind: "User", apiGroup: GROUP, name: "bob" }] });
    expect([allowed(user("ann"), read), allowed(user("bob"), read)]).toEqual([false, true]);
    await remove(view);
    expect(allowed(user("bob"), read)).toBe(false);

    await put(bind("own", ["Role", "reader"], [{ kind: "User", apiGroup: GROUP, name: "ann" }], "a"));
    expect(allowed(user("ann"), read)).toBe(false);
    await put(role("reader", [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }], "a"));
    expect(allowed(user("ann"), read)).toBe(true);
    await put(role("reader", [], "a"));
    expect(allowed(user("ann"), read)).toBe(false);
  });

  test("know service accounts by the names of their users", async () => {
    await put(
      bind(
        "sa",
        ["ClusterRole", "view"],
        [
          { kind: "ServiceAccount", name: "runner" },
          { kind: "ServiceAccount", name: "runner", namespace: "other" },
        ],
        "a",
      ),
    );
    const read = to("get", "pods", { namespace: "a" });
    for (const name of ["system:serviceaccount:a:runner", "system:serviceaccount:other:runner"]) expect(allowed(user(name), read)).toBe(true);
    expect(allowed(user("system:serviceaccount:b:runner"), read)).toBe(false);
  });

  test("are found again by an authorizer that comes later", async () => {
    await put(view);
    using later = new RbacAuthorizer(store);
    expect(later.authorize(user("ann"), to("get", "pods", { namespace: "a" })).allowed).toBe(true);
  });
});

test.each<[string, UserInfo, RequestAttributes, boolean]>([
  ["masters may everything", user("root", "system:masters"), to("delete", "nodes"), true],
  [
    "anybody may see the version",
    { username: "system:anonymous", groups: ["system:unauthenticated"] },
    { kind: "path", verb: "get", path: "/version" },
    true,
  ],
  [
    "nobody in particular may not discover",
    { username: "system:anonymous", groups: ["system:unauthenticated"] },
    { kind: "path", verb: "get", path: "/apis" },
    false,
  ],
  ["who is known may discover", user("ann"), { kind: "path", verb: "get", path: "/openapi/v3/apis/batch/v1" }, true],
  ["who is known may ask what they may", user("ann"), to("create", "selfsubjectaccessreviews", { group: "authorization.k8s.io" }), true],
  ["who is known may do nothing else", user("ann"), to("list", "pods", { namespace: "default" }), false],
  ["nodes may report on pods", user("system:node:n", "system:nodes"), to("patch", "pods/status", { namespace: "a" }), true],
  ["nodes may not make deployments", user("system:node:n", "system:nodes"), to("create", "deployments", { namespace: "a", group: "apps" }), false],
])("out of the box, %s", (_, who, what, expected) => {
  expect(allowed(who, what)).toBe(expected);
});

test("admin, edit and view are what adds up to them", () => {
  const rulesOf = (name: string): unknown[] =>
    (bootstrapRoles.find(({ kind, metadata }) => kind === "ClusterRole" && metadata.name === name)?.["rules"] as unknown[] | undefined) ?? [];
  const part = (name: string): unknown[] => rulesOf(`system:aggregate-to-${name}`);
  expect(rulesOf("view")).toEqual(part("view"));
  expect(rulesOf("edit")).toEqual([...part("edit"), ...part("view")]);
  expect(rulesOf("admin")).toEqual([...part("edit"), ...part("view"), ...part("admin")]);
});
