import { describe, expect, test } from "vitest";
import type { RequestAttributes } from "../api-server/api-server-options.ts";
import { auditDecider, readAuditPolicy, type AuditLevel, type AuditRule } from "./audit-policy.ts";
import { defaultAuditPolicy } from "./default-audit-policy.ts";

const user = { username: "ann", groups: ["team", "system:authenticated"] };
const on = (resource: string, more: Partial<Extract<RequestAttributes, { kind: "resource" }>> = {}): RequestAttributes => {
  return { kind: "resource", verb: "create", group: "", version: "v1", resource, namespace: "n", name: "x", ...more };
};
const at = (path: string): RequestAttributes => ({ kind: "path", verb: "get", path });

test.each<[string, Omit<AuditRule, "level">, RequestAttributes, boolean]>([
  ["everything", {}, on("pods"), true],
  ["a user", { users: ["ann"] }, on("pods"), true],
  ["another user", { users: ["bob"] }, on("pods"), false],
  ["a group", { userGroups: ["team"] }, on("pods"), true],
  ["another group", { userGroups: ["masters"] }, at("/x"), false],
  ["a verb", { verbs: ["update"] }, on("pods"), false],
  ["a namespace", { namespaces: ["n"] }, on("pods"), true],
  ["no namespace", { namespaces: [""] }, on("nodes", { namespace: undefined }), true],
  ["a namespace, of paths", { namespaces: ["n"] }, at("/x"), false],
  ["a resource", { resources: [{ resources: ["pods"] }] }, on("pods"), true],
  ["a resource, of its subresources", { resources: [{ resources: ["pods"] }] }, on("pods", { subresource: "log" }), false],
  ["a subresource", { resources: [{ resources: ["pods/log"] }] }, on("pods", { subresource: "log" }), true],
  ["all subresources of one", { resources: [{ resources: ["pods/*"] }] }, on("pods", { subresource: "log" }), true],
  ["one subresource of all", { resources: [{ resources: ["*/log"] }] }, on("pods", { subresource: "log" }), true],
  ["a group's resources", { resources: [{ group: "apps" }] }, on("pods"), false],
  ["any group's resources", { resources: [{ group: "*", resources: ["*"] }] }, on("jobs", { group: "batch" }), true],
  ["a name", { resources: [{ resources: ["pods"], resourceNames: ["y"] }] }, on("pods"), false],
  ["paths", { nonResourceURLs: ["/healthz*"] }, at("/healthz/ping"), true],
  ["one path", { nonResourceURLs: ["/version"] }, at("/version/"), false],
  ["paths, of resources", { nonResourceURLs: ["*"] }, on("pods"), false],
])("a rule for %s", (_, rule, attributes, isMatch) => {
  expect(auditDecider({ rules: [{ level: "Metadata", ...rule }] })(user, attributes) !== undefined).toBe(isMatch);
});

test("the first rule counts, stages add up, and a rule knows better than its policy", () => {
  const policy = readAuditPolicy(
    {
      apiVersion: "audit.k8s.io/v1",
      kind: "Policy",
      omitStages: ["RequestReceived"],
      omitManagedFields: true,
      rules: [
        { level: "None", users: ["bob"] },
        { level: "Request", omitStages: ["ResponseStarted"], omitManagedFields: false },
        { level: "RequestResponse" },
      ],
    },
    "here",
  );
  expect(auditDecider(policy)({ username: "bob", groups: [] }, on("pods"))).toBeUndefined();
  expect(auditDecider(policy)(user, on("pods"))).toEqual({
    level: "Request",
    omitStages: ["RequestReceived", "ResponseStarted"],
    omitManagedFields: false,
  });
});

test.each<[string, RequestAttributes, string, AuditLevel | undefined]>([
  ["who changes what", on("pods"), "ann", "Request"],
  ["who reads what", on("pods", { verb: "get" }), "ann", "Metadata"],
  ["secrets without what is in them", on("secrets"), "ann", "Metadata"],
  ["tokens without what is in them", on("serviceaccounts", { subresource: "token" }), "ann", "Metadata"],
  ["reviews of tokens without what is in them", on("tokenreviews", { group: "authentication.k8s.io" }), "ann", "Metadata"],
  ["no events", on("events"), "ann", undefined],
  ["no signs of life", at("/livez"), "ann", undefined],
  ["what controllers change", on("pods"), "system:kube-controller-manager", "Metadata"],
  ["nothing of what they read", on("pods", { verb: "list" }), "system:kube-controller-manager", undefined],
])("unless told, it tells %s", (_, attributes, username, level) => {
  expect(auditDecider(defaultAuditPolicy)({ username, groups: [] }, attributes)?.level).toBe(level);
});

describe("says what is wrong with", () => {
  const policy = (rule: unknown): object => ({ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [rule] });
  test.each<[string, unknown, RegExp]>([
    ["another kind", { kind: "Policy", apiVersion: "v1" }, /no Policy of audit.k8s.io\/v1/],
    ["one without rules", { kind: "Policy", apiVersion: "audit.k8s.io/v1" }, /rules: there must be at least one/],
    ["a level", policy({ level: "All" }), /rules\[0\].level: it must be one of None, Metadata/],
    ["a field", policy({ level: "None", user: ["a"] }), /rules\[0\].user: there is no such field/],
    ["a list", policy({ level: "None", users: "a" }), /rules\[0\].users: it must be a list/],
    ["a stage", policy({ level: "None", omitStages: ["End"] }), /rules\[0\].omitStages/],
    ["a rule of two kinds", policy({ level: "None", nonResourceURLs: ["*"], namespaces: ["a"] }), /resources and about other paths at once/],
  ])("%s", (_, value, message) => expect(() => readAuditPolicy(value, "here")).toThrow(message));
});
