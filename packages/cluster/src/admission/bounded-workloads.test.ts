import { Deployment, Event, LimitRange, Namespace, Pod, ReplicaSet, ResourceQuota } from "@sluice/kubernetes";
import { expect, test } from "vitest";
import { eventually } from "../controllers/control-plane.fixture.ts";
import { startCluster } from "../start-cluster.ts";

const ns = "team";
const core = <K extends string>(kind: K, name: string): { apiVersion: string; kind: K; metadata: { name: string; namespace: string } } => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace: ns },
});

test("a workload fills the room that it is given, says what it lacks, and goes on when there is more", async () => {
  await using cluster = await startCluster({ mode: "control-plane" });
  const client = cluster.client({ username: "root", groups: ["system:masters"] });
  await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: ns } });
  await client.create(ResourceQuota, { ...core("ResourceQuota", "q"), spec: { hard: { pods: "2", "requests.cpu": "1" } } });
  await client.create(LimitRange, { ...core("LimitRange", "l"), spec: { limits: [{ type: "Container", defaultRequest: { cpu: "100m" } }] } });
  const labels = { a: "b" };
  await client.create(Deployment, {
    ...core("Deployment", "d"),
    apiVersion: "apps/v1",
    spec: { replicas: 3, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "x" }] } } },
  });
  const failure = await eventually(async () => {
    const [set] = (await client.list(ReplicaSet, { namespace: ns })).items;
    return set?.status?.replicas === 2 && set.status.conditions?.find(({ type }) => type === "ReplicaFailure");
  });
  expect(failure.message).toMatch(/exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2/u);
  expect((await client.get(ResourceQuota, { namespace: ns, name: "q" })).status?.used).toEqual({ pods: "2", "requests.cpu": "200m" });

  await client.patch(ResourceQuota, { namespace: ns, name: "q" }, { type: "merge", body: { spec: { hard: { pods: "3" } } } });
  await eventually(async () => (await client.list(Pod, { namespace: ns })).items.length === 3);
  await eventually(async () => (await client.list(ReplicaSet, { namespace: ns })).items[0]?.status?.conditions === undefined);
  // It tries again, though ever less often.
  const failures = (await client.list(Event, { namespace: ns })).items.filter(({ reason }) => reason === "FailedCreate");
  expect(failures.length).toBeLessThan(20);
});
