import type { Client } from "@sluice/client";
import {
  ConfigMap,
  crdOf,
  CustomResourceDefinition,
  defineResource,
  Event,
  Namespace,
  Node,
  Secret,
  type KubernetesObject,
  type OwnerReference,
  type Resource,
} from "@sluice/kubernetes";
import { beforeEach, expect, test } from "vitest";
import { eventually, gone, quiet, startTestCluster, type TestCluster } from "./control-plane.fixture.ts";

let cluster: TestCluster;
let client: Client;
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client } = cluster);
});

const at = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });
const ownedBy = (owner: KubernetesObject, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid ?? "",
  ...more,
});
const make = (name: string, owners: OwnerReference[] = [], more: Partial<KubernetesObject["metadata"]> = {}): Promise<ConfigMap> =>
  client.create(ConfigMap, { apiVersion: "v1", kind: "ConfigMap", metadata: { ...at(name), ownerReferences: owners, ...more } });
const isThere = async (name: string): Promise<boolean> => (await client.find(ConfigMap, at(name))) !== undefined;
const releaseFinalizers = (name: string): Promise<ConfigMap> =>
  client.patch(ConfigMap, at(name), { type: "merge", body: { metadata: { finalizers: null } } });

test("background: the owner goes at once, its dependents and theirs follow", async () => {
  const owner = await make("owner");
  const child = await make("child", [ownedBy(owner)]);
  await make("grandchild", [ownedBy(child)]);
  await make("stranger");
  await client.delete(ConfigMap, at("owner"));
  await gone(client, ConfigMap, at("child"));
  await gone(client, ConfigMap, at("grandchild"));
  expect(await isThere("stranger")).toBe(true);
  expect(cluster.errors).toEqual([]);
});

test("foreground: the owner stays until those that block it are gone, and does not wait for others", async () => {
  const owner = await make("owner");
  await make("blocking", [ownedBy(owner, { blockOwnerDeletion: true })], { finalizers: ["example.com/hold"] });
  await make("other", [ownedBy(owner)], { finalizers: ["example.com/hold"] });
  await client.delete(ConfigMap, at("owner"), { propagationPolicy: "Foreground" });
  await eventually(
    async () =>
      (await client.get(ConfigMap, at("blocking"))).metadata.deletionTimestamp !== undefined &&
      (await client.get(ConfigMap, at("other"))).metadata.deletionTimestamp !== undefined,
  );
  await quiet();
  expect(await isThere("owner")).toBe(true);
  await releaseFinalizers("blocking");
  await gone(client, ConfigMap, at("owner"));
  expect(await isThere("other")).toBe(true);
  await releaseFinalizers("other");
  expect(cluster.errors).toEqual([]);
});

test("orphan: dependents stay and forget their owner", async () => {
  const owner = await make("owner");
  for (const name of ["a", "b"]) await make(name, [ownedBy(owner)]);
  await client.delete(ConfigMap, at("owner"), { propagationPolicy: "Orphan" });
  await gone(client, ConfigMap, at("owner"));
  for (const name of ["a", "b"]) expect((await client.get(ConfigMap, at(name))).metadata.ownerReferences).toBeUndefined();
});

test("of several owners one is enough to keep an object", async () => {
  const [one, two] = [await make("one"), await make("two")];
  await make("child", [ownedBy(one), ownedBy(two)]);
  await client.delete(ConfigMap, at("one"));
  await eventually(async () => (await client.get(ConfigMap, at("child"))).metadata.ownerReferences?.length === 1);
  await client.delete(ConfigMap, at("two"));
  expect(await gone(client, ConfigMap, at("child"))).toBe(true);
});

test("an owner in foreground deletion does not keep what another owner keeps", async () => {
  const [going, staying] = [await make("going"), await make("staying")];
  await make("child", [ownedBy(going, { blockOwnerDeletion: true }), ownedBy(staying)]);
  await client.delete(ConfigMap, at("going"), { propagationPolicy: "Foreground" });
  await gone(client, ConfigMap, at("going"));
  expect((await client.get(ConfigMap, at("child"))).metadata.ownerReferences?.map(({ name }) => name)).toEqual(["staying"]);
});

test.each(["Foreground", "Background"] as const)("a circle of owners ends: %s", async (propagationPolicy) => {
  const names = ["a", "b", "c"];
  const objects = await Promise.all(names.map((name) => make(name)));
  for (const [i, name] of names.entries()) {
    const owner = objects[(i + 1) % 3]!;
    await client.patch(ConfigMap, at(name), {
      type: "merge",
      body: { metadata: { ownerReferences: [ownedBy(owner, { blockOwnerDeletion: true })] } },
    });
  }
  await quiet();
  await client.delete(ConfigMap, at("a"), { propagationPolicy });
  for (const name of names) expect(await gone(client, ConfigMap, at(name))).toBe(true);
});

test("an owner that never was, or is another by now, keeps nothing", async () => {
  const other = await make("other");
  await make("lost", [ownedBy(other, { uid: "never" })]);
  await make("misnamed", [ownedBy(other, { name: "else" })]);
  for (const name of ["lost", "misnamed"]) expect(await gone(client, ConfigMap, at(name))).toBe(true);
});

test("an owner in another namespace is none, and an event says so", async () => {
  await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: "else" } });
  const owner = await client.create(ConfigMap, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "else", name: "owner" } });
  await quiet();
  await make("child", [ownedBy(owner)]);
  await gone(client, ConfigMap, at("child"));
  const event = await eventually(async () => (await client.list(Event, { fieldSelector: "reason=OwnerRefInvalidNamespace" })).items[0]);
  expect(event.involvedObject).toMatchObject({ kind: "ConfigMap", name: "child" });
});

test("cluster-scoped objects own namespaced ones, not the other way round", async () => {
  const node = await client.create(Node, { apiVersion: "v1", kind: "Node", metadata: { name: "n" } });
  await make("child", [ownedBy(node)]);
  const child = await make("owner");
  await client.create(Node, { apiVersion: "v1", kind: "Node", metadata: { name: "m", ownerReferences: [ownedBy(child)] } });
  await client.delete(ConfigMap, at("owner"));
  await client.delete(Node, { name: "n" });
  await gone(client, ConfigMap, at("child"));
  await quiet();
  expect(await client.find(Node, { name: "m" })).toBeDefined();
});

test("custom kinds come, own, are owned, and go", async () => {
  const Widget: Resource<KubernetesObject> = defineResource({
    group: "example.com",
    version: "v1",
    kind: "Widget",
    plural: "widgets",
    scope: "Namespaced",
    schema: { type: "object" },
  });
  const before = await make("before", [{ apiVersion: "example.com/v1", kind: "Widget", name: "w", uid: "unknown" }]);
  await client.create(CustomResourceDefinition, crdOf(Widget));
  await gone(client, ConfigMap, before.metadata as { namespace: string; name: string });
  const config = await make("config");
  const widget = await client.create(Widget, {
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata: { ...at("w"), ownerReferences: [ownedBy(config)] },
  });
  const secret = await client.create(Secret, { apiVersion: "v1", kind: "Secret", metadata: { ...at("s"), ownerReferences: [ownedBy(widget)] } });
  await client.delete(ConfigMap, at("config"));
  await gone(client, Widget, at("w"));
  await gone(client, Secret, at("s"));
  const last = await client.create(Widget, { apiVersion: "example.com/v1", kind: "Widget", metadata: at("w") });
  await make("child", [ownedBy(last)]);
  await client.delete(CustomResourceDefinition, { name: "widgets.example.com" });
  await gone(client, ConfigMap, at("child"));
  expect(secret.metadata.name).toBe("s");
});

test("10,000 dependents go", { timeout: 60_000 }, async () => {
  const owner = await make("owner");
  const names = Array.from({ length: 10_000 }, (_, i) => `d${i}`);
  await Promise.all(names.map((name) => make(name, [ownedBy(owner, { blockOwnerDeletion: true })])));
  await quiet();
  await client.delete(ConfigMap, at("owner"), { propagationPolicy: "Foreground" });
  await gone(client, ConfigMap, at("owner"));
  expect((await client.list(ConfigMap, { namespace: "default" })).items.map(({ metadata }) => metadata.name)).toEqual(["kube-root-ca.crt"]);
});
