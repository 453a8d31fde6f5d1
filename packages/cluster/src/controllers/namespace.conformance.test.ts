import type { Client } from "@sluice/client";
import { Namespace, pathOf, Pod, Service, ServiceAccount, type UnknownObject } from "@sluice/kubernetes";
import { beforeEach, describe, expect, test } from "vitest";
import { addNode, eventually, gone, nodeObject, reportPod, startTestCluster, type TestCluster } from "./control-plane.fixture.ts";

let cluster: TestCluster;
let client: Client;
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client } = cluster);
});

const create = async (name: string): Promise<Namespace> => {
  const namespace = await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  await eventually(() => client.find(ServiceAccount, { namespace: name, name: "default" }));
  return namespace;
};

describe("Namespaces", () => {
  test("should ensure that all pods are removed when a namespace is deleted", async () => {
    await addNode(client, nodeObject("n"));
    await create("nsdeletetest");
    const key = { namespace: "nsdeletetest", name: "test-pod" };
    await client.create(Pod, { apiVersion: "v1", kind: "Pod", metadata: key, spec: { containers: [{ name: "nginx", image: "pause" }] } });
    await eventually(async () => (await client.get(Pod, key)).spec.nodeName === "n");
    await reportPod(client, key, "Running");
    await client.delete(Namespace, { name: "nsdeletetest" });
    await eventually(async () => (await client.get(Pod, key)).metadata.deletionTimestamp !== undefined);
    expect((await client.get(Namespace, { name: "nsdeletetest" })).status?.phase).toBe("Terminating");
    await client.delete(Pod, key, { gracePeriodSeconds: 0 });
    await gone(client, Namespace, { name: "nsdeletetest" });
    await create("nsdeletetest");
    expect(await client.find(Pod, key)).toBeUndefined();
    expect(cluster.errors).toEqual([]);
  });

  test("should ensure that all services are removed when a namespace is deleted", async () => {
    await create("nsdeletetest");
    const key = { namespace: "nsdeletetest", name: "test-service" };
    const spec = { selector: { foo: "bar", baz: "blah" }, ports: [{ port: 80, targetPort: 80 }] };
    await client.create(Service, { apiVersion: "v1", kind: "Service", metadata: key, spec });
    await client.delete(Namespace, { name: "nsdeletetest" });
    await gone(client, Namespace, { name: "nsdeletetest" });
    await create("nsdeletetest");
    expect(await client.find(Service, key)).toBeUndefined();
    expect(cluster.errors).toEqual([]);
  });

  test("should patch a Namespace", async () => {
    const before = await create("nspatchtest");
    const body = { metadata: { labels: { testLabel: "testValue" } } };
    const patched = await client.patch(Namespace, { name: "nspatchtest" }, { type: "strategic", body });
    expect(Number(patched.metadata.resourceVersion)).toBeGreaterThan(Number(before.metadata.resourceVersion));
    expect((await client.get(Namespace, { name: "nspatchtest" })).metadata.labels).toMatchObject({ testLabel: "testValue" });
  });

  test("should apply changes to a namespace status", async () => {
    await create("ns");
    const path = pathOf(Namespace, { name: "ns", subresource: "status" });
    const status = await client.request<UnknownObject & Namespace>({ method: "GET", path });
    expect(status.status?.phase).toBe("Active");
    const condition = { type: "StatusPatch", status: "True", reason: "E2E", message: "Patched by an e2e test" };
    const patched = await client.patch(
      Namespace,
      { name: "ns" },
      {
        type: "merge",
        subresource: "status",
        body: { metadata: { annotations: { "e2e-patched-ns-status": "ns" } }, status: { conditions: [condition] } },
      },
    );
    expect(patched.metadata.annotations).toMatchObject({ "e2e-patched-ns-status": "ns" });
    expect(patched.status?.conditions?.at(-1)).toMatchObject({ reason: "E2E", message: "Patched by an e2e test" });
    const latest = await client.request<UnknownObject & Namespace>({ method: "GET", path });
    const more = { type: "StatusUpdate", status: "True", reason: "E2E", message: "Updated by an e2e test" };
    const updated = await client.update(
      Namespace,
      { ...latest, status: { ...latest.status, conditions: [...(latest.status?.conditions ?? []), more] } },
      { subresource: "status" },
    );
    expect(updated.status?.conditions).toHaveLength(2);
    expect(updated.status?.conditions?.at(-1)).toMatchObject({ type: "StatusUpdate", message: "Updated by an e2e test" });
  });

  test("should apply an update to a Namespace", async () => {
    await create("ns");
    const latest = await client.get(Namespace, { name: "ns" });
    const updated = await client.update(Namespace, {
      ...latest,
      metadata: { ...latest.metadata, labels: { ...latest.metadata.labels, ns: "updated" } },
    });
    expect(updated.metadata.labels).toMatchObject({ ns: "updated" });
  });

  test("should apply a finalizer to a Namespace", async () => {
    await create("e2e-ns");
    const fake = "e2e.example.com/fakeFinalizer";
    const finalize = async (change: (finalizers: readonly string[]) => string[]): Promise<readonly string[]> => {
      const latest = await client.get(Namespace, { name: "e2e-ns" });
      const body = { ...latest, spec: { finalizers: change(latest.spec?.finalizers ?? []) } };
      const path = pathOf(Namespace, { name: "e2e-ns", subresource: "finalize" });
      return (await client.request<UnknownObject & Namespace>({ method: "PUT", path, body })).spec?.finalizers ?? [];
    };
    expect(await finalize((before) => [...before, fake])).toEqual(["kubernetes", fake]);
    expect(await finalize((before) => before.filter((one) => one !== fake))).toEqual(["kubernetes"]);
    await client.delete(Namespace, { name: "e2e-ns" });
    expect(await gone(client, Namespace, { name: "e2e-ns" })).toBe(true);
  });
});
