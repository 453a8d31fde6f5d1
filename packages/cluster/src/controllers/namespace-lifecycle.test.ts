import type { Client } from "@sluice/client";
import {
  ConfigMap,
  crdOf,
  CustomResourceDefinition,
  defineResource,
  Event,
  Namespace,
  Pod,
  Secret,
  ServiceAccount,
  type KubernetesObject,
  type Resource,
} from "@sluice/kubernetes";
import { beforeEach, expect, test } from "vitest";
import { eventually, gone, quiet, startTestCluster, type TestCluster } from "./control-plane.fixture.ts";

let cluster: TestCluster;
let client: Client;
const at = (name: string): { namespace: string; name: string } => ({ namespace: "team", name });
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client } = cluster);
  await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
});
const condition = async (type: string): Promise<string | undefined> =>
  (await client.find(Namespace, { name: "team" }))?.status?.conditions?.find((one) => one.type === type)?.message;

test("a namespace has its account and the cluster's certificate, again if they are lost or changed", async () => {
  await eventually(() => client.find(ServiceAccount, at("default")));
  const map = await eventually(() => client.find(ConfigMap, at("kube-root-ca.crt")));
  expect(map.data).toEqual({ "ca.crt": "test CA" });
  await client.delete(ServiceAccount, at("default"));
  await client.update(ConfigMap, { ...map, data: { "ca.crt": "forged" } });
  await eventually(() => client.find(ServiceAccount, at("default")));
  await eventually(async () => (await client.get(ConfigMap, at("kube-root-ca.crt"))).data?.["ca.crt"] === "test CA");
  for (const name of ["default", "kube-system"]) await eventually(() => client.find(ServiceAccount, { namespace: name, name: "default" }));
});

test("a deleted namespace takes everything along, custom resources and events too", async () => {
  const Widget: Resource<KubernetesObject> = defineResource({
    group: "example.com",
    version: "v1",
    kind: "Widget",
    plural: "widgets",
    scope: "Namespaced",
    schema: { type: "object" },
  });
  await client.create(CustomResourceDefinition, crdOf(Widget));
  await client.create(Widget, { apiVersion: "example.com/v1", kind: "Widget", metadata: at("w") });
  await client.create(Secret, { apiVersion: "v1", kind: "Secret", metadata: at("s") });
  await client.create(Event, { apiVersion: "v1", kind: "Event", metadata: at("e"), involvedObject: {} });
  await client.delete(Namespace, { name: "team" });
  await gone(client, Namespace, { name: "team" });
  for (const resource of [Widget, Secret, Event, ConfigMap, ServiceAccount])
    expect((await client.list<KubernetesObject>(resource, { namespace: "team" })).items).toEqual([]);
  expect(cluster.errors).toEqual([]);
});

test("pods end first and gracefully; what holds on is named, and waited for", async () => {
  const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata: at("p"), spec: { nodeName: "n", containers: [{ name: "main", image: "x" }] } };
  await client.create(Pod, pod);
  await client.create(Secret, { apiVersion: "v1", kind: "Secret", metadata: { ...at("s"), finalizers: ["example.com/hold"] } });
  await quiet();
  await client.delete(Namespace, { name: "team" });
  await eventually(async () => (await client.get(Pod, at("p"))).metadata.deletionGracePeriodSeconds === 30);
  await quiet();
  expect((await client.get(Secret, at("s"))).metadata.deletionTimestamp).toBeUndefined();
  expect(await condition("NamespaceContentRemaining")).toContain("pods. has 1 resource instances");

  await client.delete(Pod, at("p"), { gracePeriodSeconds: 0 });
  await eventually(async () => (await client.get(Secret, at("s"))).metadata.deletionTimestamp !== undefined);
  await eventually(async () => (await condition("NamespaceContentRemaining")) === "Some resources are remaining: secrets. has 1 resource instances");
  expect(await condition("NamespaceFinalizersRemaining")).toBe(
    "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
  );
  expect((await client.get(Namespace, { name: "team" })).status?.phase).toBe("Terminating");

  await client.patch(Secret, at("s"), { type: "merge", body: { metadata: { finalizers: null } } });
  await gone(client, Namespace, { name: "team" });
  expect(cluster.errors).toEqual([]);
});

test("a namespace with a finalizer of its own is emptied, and stays until that goes", async () => {
  await client.patch(Namespace, { name: "team" }, { type: "merge", body: { metadata: { finalizers: ["example.com/hold"] } } });
  await client.delete(Namespace, { name: "team" });
  await eventually(async () => (await client.get(Namespace, { name: "team" })).spec?.finalizers?.length === 0);
  expect(await client.find(ServiceAccount, at("default"))).toBeUndefined();
  await client.patch(Namespace, { name: "team" }, { type: "merge", body: { metadata: { finalizers: null } } });
  await gone(client, Namespace, { name: "team" });
});
