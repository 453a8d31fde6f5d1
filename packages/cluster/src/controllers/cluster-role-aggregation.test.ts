import type { Client } from "@sluice/client";
import { ClusterRole, type PolicyRule } from "@sluice/kubernetes";
import { beforeEach, expect, test } from "vitest";
import { eventually, quiet, startTestCluster } from "./control-plane.fixture.ts";

let client: Client;
beforeEach(async () => {
  ({ client } = await startTestCluster());
});
const read = (resource: string, verbs = ["get"]): PolicyRule => ({ apiGroups: ["example.com"], resources: [resource], verbs });
const role = (name: string, rules: PolicyRule[], labels: Record<string, string> = {}): ClusterRole => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name, labels },
  rules,
});
const sum = (name: string, ...labels: Record<string, string>[]): ClusterRole => ({
  ...role(name, [], { total: name }),
  aggregationRule: { clusterRoleSelectors: labels.map((matchLabels) => ({ matchLabels })) },
});
const rulesOf = async (name: string): Promise<unknown> => (await client.get(ClusterRole, { name })).rules ?? [];
const becomes = (name: string, rules: PolicyRule[]): Promise<unknown> =>
  eventually(async () => JSON.stringify(await rulesOf(name)) === JSON.stringify(rules));

test("a role is the sum of those that it selects, each rule once, as they come, change and go", async () => {
  await client.create(ClusterRole, sum("all", { to: "all" }, { too: "yes" }));
  await client.create(ClusterRole, role("b", [read("b"), read("a")], { to: "all" }));
  await client.create(ClusterRole, role("a", [read("a")], { to: "all", too: "yes" }));
  await becomes("all", [read("a"), read("b")]);
  await client.create(ClusterRole, sum("over", { total: "all" }));
  await becomes("over", [read("a"), read("b")]);

  await client.patch(ClusterRole, { name: "b" }, { type: "merge", body: { rules: [read("c")] } });
  await becomes("all", [read("a"), read("c")]);
  await becomes("over", [read("a"), read("c")]);
  await client.delete(ClusterRole, { name: "a" });
  await becomes("all", [read("c")]);
  await client.patch(ClusterRole, { name: "b" }, { type: "merge", body: { metadata: { labels: { to: null } } } });
  await becomes("all", []);
  await becomes("over", []);
  expect((await client.get(ClusterRole, { name: "all" })).metadata.managedFields).toContainEqual(
    expect.objectContaining({ manager: "clusterrole-aggregation-controller", operation: "Apply" }),
  );
});

test("what somebody writes into such a role is undone, and roles that add to each other come to rest", async () => {
  await client.create(ClusterRole, { ...sum("one", { total: "two" }, { to: "one" }) });
  await client.create(ClusterRole, { ...sum("two", { total: "one" }) });
  await client.create(ClusterRole, role("a", [read("a")], { to: "one" }));
  await becomes("two", [read("a")]);
  await client.patch(ClusterRole, { name: "one" }, { type: "merge", body: { rules: [read("a"), read("a")] } });
  await becomes("one", [read("a")]);
  await quiet();
  expect(await rulesOf("two")).toEqual([read("a")]);
});
