import type { Client } from "@sluice/client";
import { FakeClock } from "@sluice/controller/fake-clock";
import { Deployment, Event, Pod, ReplicaSet, type DeploymentSpec } from "@sluice/kubernetes";
import { beforeEach, describe, expect, test } from "vitest";
import { eventually, gone, quiet, startTestCluster, type TestCluster } from "../control-plane.fixture.ts";
import { isActive } from "../pod-state.ts";

let clock: FakeClock;
let cluster: TestCluster;
let client: Client;
beforeEach(async () => {
  clock = new FakeClock();
  cluster = await startTestCluster({ clock });
  ({ client } = cluster);
});
const at = (name: string): { namespace: string; name: string } => ({ namespace: "default", name });
const labels = { app: "web" };
const template = (image: string): DeploymentSpec["template"] => ({ metadata: { labels }, spec: { containers: [{ name: "main", image }] } });
const deploy = (spec: Partial<DeploymentSpec> = {}): Promise<Deployment> =>
  client.create(Deployment, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: at("web"),
    spec: { replicas: 3, selector: { matchLabels: labels }, template: template("one"), ...spec },
  });
const change = (spec: Partial<DeploymentSpec>): Promise<Deployment> => client.patch(Deployment, at("web"), { type: "merge", body: { spec } });
const pods = async (): Promise<Pod[]> => (await client.list(Pod, { namespace: "default", labelSelector: "app=web" })).items.filter(isActive);
const sets = async (): Promise<ReplicaSet[]> => (await client.list(ReplicaSet, { namespace: "default" })).items;
const markReady = (pod: Pod): Promise<Pod> => {
  const conditions = [{ type: "Ready", status: "True", lastTransitionTime: new Date(clock.now()).toISOString() }];
  return client.patch(Pod, pod.metadata, { type: "merge", subresource: "status", body: { status: { phase: "Running", conditions } } });
};
const images = async (): Promise<string[]> => (await pods()).map(({ spec }) => spec.containers[0]?.image ?? "").toSorted();
const revision = ({ metadata }: ReplicaSet): number => Number(metadata.annotations?.["deployment.kubernetes.io/revision"]);
const isReady = (pod: Pod): boolean => pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
const complete = (): Promise<Deployment> =>
  eventually(async () => {
    const deployment = await client.get(Deployment, at("web"));
    const { status, spec, metadata } = deployment;
    return (
      status?.observedGeneration === metadata.generation &&
      status?.updatedReplicas === spec.replicas &&
      status?.replicas === spec.replicas &&
      status?.availableReplicas === spec.replicas &&
      deployment
    );
  });

/** Makes new pods ready one at a time until the rollout is over, telling after each step how many there are and how many work. */
async function rollOut(watch: (all: number, working: number) => void): Promise<Deployment> {
  for (;;) {
    await quiet();
    const present = await pods();
    watch(present.length, present.filter(isReady).length);
    const next = present.find((pod) => !isReady(pod));
    if (next === undefined) break;
    await markReady(next);
  }
  return complete();
}

describe("deployment", () => {
  test("creates a ReplicaSet, which creates pods, and says when they are available", async () => {
    await deploy();
    await eventually(async () => (await pods()).length === 3);
    const [set] = await sets();
    expect(set).toMatchObject({
      metadata: {
        name: expect.stringMatching(/^web-[a-z0-9]+$/),
        annotations: { "deployment.kubernetes.io/revision": "1" },
        ownerReferences: [{ kind: "Deployment", name: "web", controller: true }],
      },
      spec: { replicas: 3, selector: { matchLabels: { app: "web", "pod-template-hash": set?.metadata.labels?.["pod-template-hash"] } } },
    });
    expect((await pods())[0]?.metadata).toMatchObject({
      generateName: `${set?.metadata.name}-`,
      ownerReferences: [{ kind: "ReplicaSet", controller: true }],
    });
    expect((await client.get(Deployment, at("web"))).status?.conditions).toMatchObject([
      { type: "Available", status: "False", reason: "MinimumReplicasUnavailable" },
      { type: "Progressing", status: "True" },
    ]);
    const deployment = await rollOut(() => undefined);
    expect(deployment.status).toMatchObject({
      readyReplicas: 3,
      unavailableReplicas: 0,
      observedGeneration: 1,
      conditions: [
        { type: "Available", status: "True" },
        { type: "Progressing", reason: "NewReplicaSetAvailable" },
      ],
    });
    expect(deployment.metadata.annotations).toMatchObject({ "deployment.kubernetes.io/revision": "1" });
    await quiet();
    await clock.advance(100);
    await quiet();
    expect((await client.list(Event, { fieldSelector: "reason=ScalingReplicaSet" })).items.map(({ message }) => message)).toEqual([
      `Scaled up replica set ${set?.metadata.name} from 0 to 3`,
    ]);
    expect(cluster.errors).toEqual([]);
  });

  test.each([
    [{ maxSurge: 1, maxUnavailable: 0 }, 4, 3],
    [{ maxSurge: 0, maxUnavailable: 1 }, 3, 2],
    [{ maxSurge: "50%", maxUnavailable: "34%" }, 5, 2],
    [{ maxSurge: 0, maxUnavailable: 0 }, 3, 2],
  ])("rolls out within its bounds: %j", async (rollingUpdate, most, least) => {
    await deploy({ strategy: { type: "RollingUpdate", rollingUpdate } });
    await rollOut(() => undefined);
    await change({ template: template("two") });
    const deployment = await rollOut((all, working) => {
      expect(all).toBeLessThanOrEqual(most);
      expect(working).toBeGreaterThanOrEqual(least);
    });
    expect(await images()).toEqual(["two", "two", "two"]);
    expect(new Set((await sets()).map(({ spec }) => spec.replicas))).toEqual(new Set([0, 3]));
    expect(deployment.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("2");
    expect(cluster.errors).toEqual([]);
  });

  test("a rollback makes the old ReplicaSet the newest", async () => {
    await deploy({ replicas: 1 });
    await rollOut(() => undefined);
    await change({ template: template("two") });
    await rollOut(() => undefined);
    await change({ template: template("one") });
    const deployment = await rollOut(() => undefined);
    expect(await sets()).toHaveLength(2);
    expect(await images()).toEqual(["one"]);
    expect(deployment.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("3");
  });

  test("Recreate ends all before it starts any", async () => {
    await deploy({ strategy: { type: "Recreate" } });
    await rollOut(() => undefined);
    for (const { metadata } of await pods())
      await client.patch(Pod, metadata, { type: "merge", body: { metadata: { finalizers: ["example.com/hold"] } } });
    await change({ strategy: { type: "Recreate" }, template: template("two") });
    await eventually(async () => (await pods()).length === 0);
    await quiet();
    expect(await sets()).toHaveLength(1);
    for (const { metadata } of (await client.list(Pod, { labelSelector: "app=web" })).items)
      await client.patch(Pod, metadata, { type: "merge", body: { metadata: { finalizers: null } } });
    await rollOut(() => undefined);
    expect(await images()).toEqual(["two", "two", "two"]);
  });

  test("scales, also while paused, but changes no template then", async () => {
    await deploy();
    await rollOut(() => undefined);
    await change({ replicas: 5 });
    await eventually(async () => (await pods()).length === 5);
    await change({ paused: true, replicas: 2, template: template("two") });
    await eventually(async () => (await pods()).length === 2);
    expect(await images()).toEqual(["one", "one"]);
    await change({ paused: false });
    await rollOut(() => undefined);
    expect(await images()).toEqual(["two", "two"]);
  });

  test("grows and shrinks in the midst of a rollout by shares", async () => {
    await deploy({ replicas: 10, strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } });
    await rollOut(() => undefined);
    await change({ template: template("two") });
    const sizes = async (): Promise<(number | undefined)[]> =>
      (await sets()).toSorted((a, b) => revision(a) - revision(b)).map(({ spec }) => spec.replicas);
    await eventually(async () => (await sizes()).join() === "8,5");
    await change({ replicas: 20, paused: true });
    // As upstream's example: 23 pods in the proportion of 8 to 5.
    await eventually(async () => (await sizes()).join() === "14,9");
    await change({ replicas: 5 });
    await eventually(async () => (await sizes()).join() === "5,3");
    await change({ replicas: 0 });
    await eventually(async () => (await sizes()).join() === "0,0");
    await change({ replicas: 4, paused: false });
    await rollOut(() => undefined);
    expect(await images()).toEqual(["two", "two", "two", "two"]);
    expect(cluster.errors).toEqual([]);
  });

  test("says that it is paused, and that it goes on", async () => {
    await deploy({ paused: true });
    const progress = async (): Promise<string | undefined> =>
      (await client.get(Deployment, at("web"))).status?.conditions?.find(({ type }) => type === "Progressing")?.reason;
    await eventually(async () => (await progress()) === "DeploymentPaused");
    expect(await sets()).toEqual([]);
    await change({ paused: false });
    await rollOut(() => undefined);
    expect(await progress()).toBe("NewReplicaSetAvailable");
  });

  test("hands its annotations on, and remembers the numbers that a template had", async () => {
    await deploy({ replicas: 1 });
    const because = (cause: string, image: string): Promise<Deployment> =>
      client.patch(Deployment, at("web"), {
        type: "merge",
        body: { metadata: { annotations: { "kubernetes.io/change-cause": cause } }, spec: { template: template(image), minReadySeconds: 1 } },
      });
    await rollOut(() => undefined);
    await because("newer", "two");
    await eventually(async () => (await sets()).length === 2);
    await because("back", "one");
    const first = await eventually(async () => (await sets()).find((set) => revision(set) === 3));
    expect(first.metadata.annotations).toMatchObject({
      "kubernetes.io/change-cause": "back",
      "deployment.kubernetes.io/revision": "3",
      "deployment.kubernetes.io/revision-history": "1",
      "deployment.kubernetes.io/desired-replicas": "1",
      "deployment.kubernetes.io/max-replicas": "2",
    });
    expect(first.spec.minReadySeconds).toBe(1);
    expect((await sets()).find((set) => revision(set) === 2)?.metadata.annotations).toMatchObject({ "kubernetes.io/change-cause": "newer" });
  });

  test("says why it has no pods", async () => {
    await deploy({ template: { ...template("one"), spec: { serviceAccountName: "nobody", containers: [{ name: "main", image: "one" }] } } });
    const refusal = await eventually(async () =>
      (await client.get(Deployment, at("web"))).status?.conditions?.find(({ type }) => type === "ReplicaFailure"),
    );
    expect(refusal).toMatchObject({ status: "True", reason: "FailedCreate", message: expect.stringContaining('serviceaccount "nobody" not found') });
  });

  test("takes another name for its ReplicaSet if that is taken", async () => {
    await deploy({ replicas: 1 });
    await rollOut(() => undefined);
    const [set] = await sets();
    await client.delete(Deployment, at("web"), { propagationPolicy: "Orphan" });
    await gone(client, Deployment, at("web"));
    // It is nobody's now, and not to be adopted.
    await client.patch(ReplicaSet, set!.metadata, { type: "merge", body: { metadata: { labels: { app: "other" } } } });
    await deploy({ replicas: 1 });
    await eventually(async () => (await sets()).length === 2);
    expect((await client.get(Deployment, at("web"))).status?.collisionCount).toBe(1);
  });

  test("keeps as many old ReplicaSets as it may", async () => {
    await deploy({ replicas: 1, revisionHistoryLimit: 1 });
    for (const image of ["two", "three", "four"]) {
      await rollOut(() => undefined);
      await change({ template: template(image) });
    }
    await rollOut(() => undefined);
    expect(await eventually(async () => (await sets()).length === 2 && (await images()))).toEqual(["four"]);
  });

  test("says when it makes no progress", async () => {
    await deploy({ progressDeadlineSeconds: 60 });
    await eventually(async () => (await pods()).length === 3);
    await quiet();
    await clock.advance(61_000);
    const progressing = await eventually(async () => {
      const { status } = await client.get(Deployment, at("web"));
      return status?.conditions?.find(({ type, status: is }) => type === "Progressing" && is === "False");
    });
    expect(progressing).toMatchObject({ reason: "ProgressDeadlineExceeded" });
  });

  test("deleted, it takes everything along", async () => {
    await deploy();
    await eventually(async () => (await pods()).length === 3);
    await client.delete(Deployment, at("web"), { propagationPolicy: "Foreground" });
    await gone(client, Deployment, at("web"));
    expect(await sets()).toEqual([]);
    expect(await pods()).toEqual([]);
  });
});

describe("ReplicaSet", () => {
  const create = (replicas: number): Promise<ReplicaSet> =>
    client.create(ReplicaSet, {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: at("web"),
      spec: { replicas, minReadySeconds: 10, selector: { matchLabels: labels }, template: template("one") },
    });
  const status = async (): Promise<ReplicaSet["status"]> => (await client.get(ReplicaSet, at("web"))).status;

  test("replaces what is lost, removes what is too much, and counts what has been ready for long enough", async () => {
    await create(2);
    await eventually(async () => (await pods()).length === 2);
    const [one, two] = await pods();
    await markReady(one!);
    await eventually(async () => (await status())?.readyReplicas === 1);
    expect((await status())?.availableReplicas).toBe(0);
    await clock.advance(10_000);
    await eventually(async () => (await status())?.availableReplicas === 1);
    await client.delete(Pod, two!.metadata, { gracePeriodSeconds: 0 });
    await eventually(async () => (await pods()).length === 2 && (await pods()).every(({ metadata }) => metadata.name !== two?.metadata.name));
    await client.patch(ReplicaSet, at("web"), { type: "merge", body: { spec: { replicas: 1 } } });
    await eventually(async () => (await pods()).length === 1);
    expect((await pods())[0]?.metadata.name).toBe(one?.metadata.name);
  });

  test("adopts pods that match, and lets go of those that match no more", async () => {
    await client.create(Pod, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...at("stray"), labels },
      spec: { containers: [{ name: "main", image: "x" }] },
    });
    await create(1);
    await eventually(async () => (await client.get(Pod, at("stray"))).metadata.ownerReferences?.[0]?.name === "web");
    await quiet();
    expect(await pods()).toHaveLength(1);
    await client.patch(Pod, at("stray"), { type: "merge", body: { metadata: { labels: { app: "else" } } } });
    await eventually(async () => (await client.get(Pod, at("stray"))).metadata.ownerReferences === undefined);
    await eventually(async () => (await pods()).length === 1);
  });
});
