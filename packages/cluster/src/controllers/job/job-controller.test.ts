import type { Client } from "@sluice/client";
import { FakeClock } from "@sluice/controller/fake-clock";
import { Event, Job, Namespace, Pod, type JobSpec } from "@sluice/kubernetes";
import { describe, expect, test } from "vitest";
import { eventually, gone, quiet, reportPod, startTestCluster } from "../control-plane.fixture.ts";
import { isActive } from "../pod-state.ts";
import { INDEX, isTracked } from "./job-pods.ts";

const key = { namespace: "default", name: "j" };

class World {
  readonly client: Client;
  readonly errors: unknown[];
  readonly clock: FakeClock;

  static async start(): Promise<World> {
    const clock = new FakeClock();
    return new World(clock, await startTestCluster({ clock }));
  }

  constructor(clock: FakeClock, { client, errors }: { client: Client; errors: unknown[] }) {
    this.clock = clock;
    this.client = client;
    this.errors = errors;
  }

  create(spec: Partial<JobSpec> = {}): Promise<Job> {
    const template = { spec: { restartPolicy: "Never" as const, containers: [{ name: "main", image: "x" }], ...spec.template?.spec } };
    return this.client.create(Job, { apiVersion: "batch/v1", kind: "Job", metadata: key, spec: { ...spec, template } });
  }

  async job(): Promise<Job> {
    return this.client.get(Job, key);
  }

  async pods(): Promise<Pod[]> {
    return (await this.client.list(Pod, { namespace: "default", labelSelector: "batch.kubernetes.io/job-name=j" })).items;
  }

  /** The active pods once there are `count`, oldest index first. */
  active(count: number): Promise<Pod[]> {
    return eventually(async () => {
      const pods = (await this.pods()).filter(isActive);
      return (
        pods.length === count && pods.toSorted((a, b) => Number(a.metadata.annotations?.[INDEX] ?? 0) - Number(b.metadata.annotations?.[INDEX] ?? 0))
      );
    });
  }

  async report(pod: Pod | undefined, phase: "Running" | "Succeeded" | "Failed", exitCode?: number): Promise<void> {
    const finishedAt = this.clock.now() / 1000;
    await reportPod(
      this.client,
      { namespace: "default", name: pod?.metadata.name ?? "" },
      phase,
      exitCode === undefined ? { finishedAt } : { finishedAt, exitCode },
    );
  }

  /** The Job once a condition of that type is true. */
  has(type: string): Promise<Job> {
    return eventually(async () => {
      const job = await this.job();
      return job.status?.conditions?.some((condition) => condition.type === type && condition.status === "True") === true && job;
    });
  }

  async reasons(): Promise<string[]> {
    await quiet();
    await this.clock.advance(100);
    await quiet();
    return (await this.client.list(Event, { fieldSelector: "involvedObject.kind=Job" })).items.map(
      ({ reason = "", count = 1 }) => `${reason}×${count}`,
    );
  }
}

const types = (job: Job): string[] => (job.status?.conditions ?? []).map(({ type, status }) => (status === "True" ? type : `not ${type}`));

describe("NonIndexed", () => {
  test("runs as many pods as it may, counts them, and completes", async () => {
    const world = await World.start();
    await world.create({ completions: 3, parallelism: 2 });
    const first = await world.active(2);
    expect(first[0]?.metadata).toMatchObject({
      generateName: "j-",
      finalizers: ["batch.kubernetes.io/job-tracking"],
      ownerReferences: [{ kind: "Job", name: "j", controller: true, blockOwnerDeletion: true }],
    });
    await eventually(async () => (await world.job()).status?.active === 2);
    await world.report(first[0], "Running");
    await eventually(async () => (await world.job()).status?.ready === 1);
    for (const pod of first) await world.report(pod, "Succeeded");
    const [last, ...none] = await world.active(1);
    expect(none).toEqual([]);
    await world.report(last, "Succeeded");
    const job = await world.has("Complete");
    expect(job.status).toMatchObject({
      succeeded: 3,
      active: 0,
      ready: 0,
      terminating: 0,
      uncountedTerminatedPods: {},
      completionTime: expect.any(String),
      startTime: expect.any(String),
    });
    expect(types(job)).toEqual(["SuccessCriteriaMet", "Complete"]);
    expect((await world.pods()).filter(isTracked)).toEqual([]);
    expect(await world.reasons()).toEqual(["SuccessfulCreate×1", "SuccessfulCreate×1", "SuccessfulCreate×1", "Completed×1"]);
    expect(world.errors).toEqual([]);
  });

  test("tries again after 10 s, then 20 s, and fails beyond its limit", async () => {
    const world = await World.start();
    await world.create({ backoffLimit: 2 });
    for (const seconds of [10, 20]) {
      const [pod] = await world.active(1);
      await world.report(pod, "Failed");
      await world.active(0);
      await quiet();
      await world.clock.advance(seconds * 1000 - 1000);
      await quiet();
      expect((await world.pods()).filter(isActive)).toEqual([]);
      await world.clock.advance(1000);
    }
    const [pod] = await world.active(1);
    await world.report(pod, "Failed");
    const job = await world.has("Failed");
    expect(job.status).toMatchObject({
      failed: 3,
      conditions: [
        { type: "FailureTarget" },
        { type: "Failed", reason: "BackoffLimitExceeded", message: "Job has reached the specified backoff limit" },
      ],
    });
    expect(await world.reasons()).toContain("BackoffLimitExceeded×1");
    expect(world.errors).toEqual([]);
  });

  test("a work queue lets its other pods end, and starts none", async () => {
    const world = await World.start();
    await world.create({ parallelism: 3 });
    const pods = await world.active(3);
    await world.report(pods[0], "Succeeded");
    await quiet();
    expect((await world.pods()).filter(isActive)).toHaveLength(2);
    for (const pod of pods.slice(1)) await world.report(pod, "Succeeded");
    expect((await world.has("Complete")).status?.succeeded).toBe(3);
  });

  test("failing ends what still runs, and waits for it", async () => {
    const world = await World.start();
    await world.create({
      parallelism: 2,
      completions: 2,
      backoffLimit: 0,
      template: { spec: { nodeName: "n", restartPolicy: "Never", containers: [{ name: "main", image: "x" }] } },
    });
    const [one, other] = await world.active(2);
    await world.report(other, "Running");
    await world.report(one, "Failed");
    const intermediate = await world.has("FailureTarget");
    await eventually(async () => (await world.job()).status?.terminating === 1);
    await quiet();
    expect(types(await world.job())).toEqual(["FailureTarget"]);
    expect(intermediate.status?.conditions?.[0]?.reason).toBe("BackoffLimitExceeded");
    await world.client.delete(Pod, { namespace: "default", name: other?.metadata.name ?? "" }, { gracePeriodSeconds: 0 });
    expect((await world.has("Failed")).status).toMatchObject({ failed: 2, terminating: 0 });
  });

  test("takes no longer than its deadline", async () => {
    const world = await World.start();
    await world.create({ activeDeadlineSeconds: 60 });
    await world.active(1);
    await world.clock.advance(59_000);
    await quiet();
    expect(types(await world.job())).toEqual([]);
    await world.clock.advance(1000);
    expect((await world.has("Failed")).status?.conditions?.at(-1)).toMatchObject({ reason: "DeadlineExceeded" });
  });

  test("restarts in place count where containers are restarted", async () => {
    const world = await World.start();
    await world.create({ backoffLimit: 2, template: { spec: { restartPolicy: "OnFailure", containers: [{ name: "main", image: "x" }] } } });
    const [pod] = await world.active(1);
    const status = { phase: "Running", containerStatuses: [{ name: "main", ready: true, restartCount: 2, image: "x", imageID: "" }] };
    await world.client.patch(
      Pod,
      { namespace: "default", name: pod?.metadata.name ?? "" },
      { type: "merge", subresource: "status", body: { status } },
    );
    expect((await world.has("Failed")).status?.conditions?.at(-1)).toMatchObject({ reason: "BackoffLimitExceeded" });
  });

  test("suspending ends the pods without counting them, resuming starts the clock anew", async () => {
    const world = await World.start();
    await world.create({ suspend: true, parallelism: 2, completions: 2, activeDeadlineSeconds: 100 });
    expect((await world.has("Suspended")).status?.startTime).toBeUndefined();
    const suspend = (value: boolean): Promise<Job> => world.client.patch(Job, key, { type: "merge", body: { spec: { suspend: value } } });
    await suspend(false);
    await world.active(2);
    await world.clock.advance(90_000);
    await suspend(true);
    await world.has("Suspended");
    await eventually(async () => (await world.pods()).length === 0);
    await world.clock.advance(90_000);
    await suspend(false);
    await world.active(2);
    const job = await eventually(async () => {
      const now = await world.job();
      return types(now)[0] === "not Suspended" && now;
    });
    expect(job.status).toMatchObject({
      failed: 0,
      startTime: "1970-01-01T00:03:00Z",
      conditions: [{ type: "Suspended", status: "False", reason: "JobResumed" }],
    });
    expect(await world.reasons()).toEqual(expect.arrayContaining(["Suspended×2", "Resumed×2"]));
    expect(world.errors).toEqual([]);
  });

  test("a suspended Job has no start, and may be placed elsewhere as long as it has no pods", async () => {
    const world = await World.start();
    await world.create({ parallelism: 1 });
    await world.active(1);
    const place = (): Promise<Job> =>
      world.client.patch(Job, key, {
        type: "merge",
        body: { spec: { template: { metadata: { labels: { queue: "a" } }, spec: { nodeSelector: { zone: "a" } } } } },
      });
    await expect(place()).rejects.toThrow("field is immutable");
    await world.client.patch(Job, key, { type: "merge", body: { spec: { suspend: true } } });
    await eventually(async () => (await world.job()).status?.startTime === undefined && (await world.pods()).length === 0);
    await place();
    const company = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "zone" }] } };
    await expect(world.client.patch(Job, key, { type: "merge", body: { spec: { template: { spec: { affinity: company } } } } })).rejects.toThrow(
      "immutable",
    );
    await world.client.patch(Job, key, { type: "merge", body: { spec: { suspend: false } } });
    const [pod] = await world.active(1);
    expect(pod).toMatchObject({ metadata: { labels: { queue: "a" } }, spec: { nodeSelector: { zone: "a" } } });
    await eventually(async () => (await world.job()).status?.startTime !== undefined);
  });

  test("pods that it selects and nobody controls become its own, and are let go when it does not select them any more", async () => {
    const world = await World.start();
    const spec = { restartPolicy: "Never" as const, containers: [{ name: "main", image: "x" }] };
    const labels = { mine: "yes" };
    await world.client.create(Pod, { apiVersion: "v1", kind: "Pod", metadata: { namespace: "default", name: "stray", labels }, spec });
    await world.client.create(Job, {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: key,
      spec: { manualSelector: true, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    });
    const stray = (): Promise<Pod> => world.client.get(Pod, { namespace: "default", name: "stray" });
    await eventually(async () => isTracked(await stray()) && (await stray()).metadata.ownerReferences?.[0]?.name === "j");
    await quiet();
    expect((await world.client.list(Pod, { namespace: "default" })).items).toHaveLength(1);
    await world.client.patch(Pod, { namespace: "default", name: "stray" }, { type: "merge", body: { metadata: { labels: { mine: "no" } } } });
    await eventually(async () => !isTracked(await stray()) && (await stray()).metadata.ownerReferences === undefined);
    await eventually(async () => (await world.client.list(Pod, { namespace: "default", labelSelector: "mine=yes" })).items.length === 1);
    expect(world.errors).toEqual([]);
  });

  test("fewer pods when parallelism shrinks", async () => {
    const world = await World.start();
    await world.create({ parallelism: 3, completions: 5 });
    const pods = await world.active(3);
    await world.report(pods[1], "Running");
    await world.client.patch(Job, key, { type: "merge", body: { spec: { parallelism: 1 } } });
    expect((await world.active(1))[0]?.status?.phase).toBe("Running");
    await quiet();
    expect((await world.job()).status).toMatchObject({ failed: 0, active: 1 });
  });

  const bound = { spec: { nodeName: "n", restartPolicy: "Never" as const, containers: [{ name: "main", image: "x" }] } };
  const deleteRunning = async (world: World): Promise<Pod | undefined> => {
    const [pod] = await world.active(1);
    await world.report(pod, "Running");
    await world.client.delete(Pod, { namespace: "default", name: pod?.metadata.name ?? "" });
    await quiet();
    await world.clock.advance(15_000);
    await quiet();
    return pod;
  };

  test("a deleted pod is replaced at once", async () => {
    const world = await World.start();
    await world.create({ template: bound });
    await deleteRunning(world);
    await world.active(1);
    expect((await world.job()).status).toMatchObject({ failed: 1, terminating: 1 });
  });

  test("a deleted pod is replaced after its end if the Job says so", async () => {
    const world = await World.start();
    await world.create({ podReplacementPolicy: "Failed", template: bound });
    const pod = await deleteRunning(world);
    expect((await world.pods()).filter(isActive)).toEqual([]);
    expect((await world.job()).status).toMatchObject({ failed: 0, terminating: 1 });
    await world.report(pod, "Failed");
    await quiet();
    await world.clock.advance(15_000);
    await world.active(1);
    expect((await world.job()).status).toMatchObject({ failed: 1 });
  });

  test("does nothing for Jobs that somebody else manages", async () => {
    const world = await World.start();
    await world.create({ managedBy: "kueue.x-k8s.io/multikueue" });
    await quiet();
    expect(await world.pods()).toEqual([]);
    expect((await world.job()).status?.startTime).toBeUndefined();
  });

  test("is deleted some time after its end, pods first", async () => {
    const world = await World.start();
    await world.create({ ttlSecondsAfterFinished: 30 });
    const [pod] = await world.active(1);
    await world.report(pod, "Succeeded");
    await world.has("Complete");
    await quiet();
    await world.clock.advance(29_000);
    await quiet();
    expect(await world.job()).toBeDefined();
    await world.clock.advance(1000);
    await gone(world.client, Job, key);
    expect(await world.pods()).toEqual([]);
  });

  test("deleted, it leaves no pod behind, and orphaned pods are free", async () => {
    const world = await World.start();
    await world.create({ parallelism: 2, completions: 2 });
    await world.active(2);
    await world.client.delete(Job, key, { propagationPolicy: "Background" });
    await eventually(async () => (await world.pods()).length === 0);
    await world.create({ parallelism: 2, completions: 2 });
    await world.active(2);
    await world.client.delete(Job, key, { propagationPolicy: "Orphan" });
    await gone(world.client, Job, key);
    await eventually(async () => (await world.pods()).every((pod) => !isTracked(pod) && pod.metadata.ownerReferences === undefined));
    expect(await world.pods()).toHaveLength(2);
  });

  test("in a namespace that goes it gives up quietly", async () => {
    const world = await World.start();
    await world.client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
    const template = { spec: { restartPolicy: "Never" as const, nodeName: "n", containers: [{ name: "main", image: "x" }] } };
    await world.client.create(Job, { apiVersion: "batch/v1", kind: "Job", metadata: { namespace: "team", name: "j" }, spec: { template } });
    const pod = await eventually(async () => (await world.client.list(Pod, { namespace: "team" })).items[0]);
    await world.client.delete(Namespace, { name: "team" });
    await eventually(async () => (await world.client.get(Pod, pod.metadata)).metadata.deletionTimestamp !== undefined);
    await world.client.delete(Pod, pod.metadata, { gracePeriodSeconds: 0 });
    await gone(world.client, Namespace, { name: "team" });
    expect(world.errors).toEqual([]);
  });
});

describe("Indexed", () => {
  test("gives every index a pod, and counts each once", async () => {
    const world = await World.start();
    await world.create({ completionMode: "Indexed", completions: 3, parallelism: 2 });
    const [zero, one] = await world.active(2);
    expect(zero?.metadata).toMatchObject({ generateName: "j-0-", labels: { [INDEX]: "0" }, annotations: { [INDEX]: "0" } });
    expect(zero?.spec.hostname).toBe("j-0");
    expect(zero?.spec.containers[0]?.env).toMatchObject([
      { name: "JOB_COMPLETION_INDEX", valueFrom: { fieldRef: { fieldPath: `metadata.labels['${INDEX}']` } } },
    ]);
    await world.report(one, "Succeeded");
    const [, two] = await world.active(2);
    expect(two?.metadata.annotations?.[INDEX]).toBe("2");
    await world.report(zero, "Failed");
    await world.report(two, "Succeeded");
    await eventually(async () => (await world.job()).status?.completedIndexes === "1,2");
    await quiet();
    await world.clock.advance(20_000);
    const [again] = await world.active(1);
    expect(again?.metadata.annotations?.[INDEX]).toBe("0");
    await world.report(again, "Succeeded");
    expect((await world.has("Complete")).status).toMatchObject({ succeeded: 3, failed: 1, completedIndexes: "0-2" });
  });

  test("every index has its own limit", async () => {
    const world = await World.start();
    await world.create({ completionMode: "Indexed", completions: 2, parallelism: 2, backoffLimitPerIndex: 1 });
    const [zero, one] = await world.active(2);
    await world.report(zero, "Failed");
    await quiet();
    expect((await world.pods()).filter(isTracked)).toHaveLength(2);
    await world.clock.advance(10_000);
    const [again] = await world.active(2);
    expect(again?.metadata.annotations?.["batch.kubernetes.io/job-index-failure-count"]).toBe("1");
    await world.report(again, "Failed");
    await eventually(async () => (await world.job()).status?.failedIndexes === "0");
    await world.report(one, "Succeeded");
    const job = await world.has("Failed");
    expect(job.status).toMatchObject({ failedIndexes: "0", completedIndexes: "1", succeeded: 1, failed: 2 });
    expect(job.status?.conditions?.at(-1)).toMatchObject({ reason: "FailedIndexes", message: "Job has failed indexes" });
  });

  test("too many failed indexes end the Job", async () => {
    const world = await World.start();
    await world.create({ completionMode: "Indexed", completions: 4, parallelism: 4, backoffLimitPerIndex: 0, maxFailedIndexes: 1 });
    const pods = await world.active(4);
    await world.report(pods[0], "Failed");
    await world.report(pods[1], "Failed");
    expect((await world.has("Failed")).status?.conditions?.at(-1)?.reason).toBe("MaxFailedIndexesExceeded");
  });

  test("a success policy is met by the leader, and the others count as nothing", async () => {
    const world = await World.start();
    await world.create({ completionMode: "Indexed", completions: 3, parallelism: 3, successPolicy: { rules: [{ succeededIndexes: "0" }] } });
    const [leader] = await world.active(3);
    await world.report(leader, "Succeeded");
    const job = await world.has("Complete");
    expect(types(job)).toEqual(["SuccessCriteriaMet", "Complete"]);
    expect(job.status).toMatchObject({
      succeeded: 1,
      failed: 0,
      completedIndexes: "0",
      conditions: [{ reason: "SuccessPolicy", message: "Matched rules at index 0" }, {}],
    });
  });
});

describe("pod failure policy", () => {
  const rule = (action: "FailJob" | "Ignore" | "Count" | "FailIndex"): Partial<JobSpec> => ({
    podFailurePolicy: { rules: [{ action, onExitCodes: { operator: "In", values: [42] } }] },
  });

  test("FailJob", async () => {
    const world = await World.start();
    await world.create({ ...rule("FailJob"), backoffLimit: 10 });
    const [pod] = await world.active(1);
    await world.report(pod, "Failed", 42);
    const message = `Container main for pod default/${pod?.metadata.name} failed with exit code 42 matching FailJob rule at index 0`;
    expect((await world.has("Failed")).status).toMatchObject({
      failed: 1,
      conditions: [
        { type: "FailureTarget", reason: "PodFailurePolicy", message },
        { type: "Failed", reason: "PodFailurePolicy", message },
      ],
    });
  });

  test("Ignore does not count, other exit codes do", async () => {
    const world = await World.start();
    await world.create({ ...rule("Ignore"), backoffLimit: 0 });
    const [pod] = await world.active(1);
    await world.report(pod, "Failed", 42);
    await quiet();
    await world.clock.advance(10_000);
    const [again] = await world.active(1);
    await world.report(again, "Failed", 1);
    expect((await world.has("Failed")).status).toMatchObject({ failed: 1 });
  });

  test("Ignore does not count disruptions", async () => {
    const world = await World.start();
    await world.create({
      podFailurePolicy: { rules: [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }] },
      backoffLimit: 0,
    });
    const [pod] = await world.active(1);
    const conditions = [{ type: "DisruptionTarget", status: "True", reason: "DeletionByTaintManager" }];
    const at = { namespace: "default", name: pod?.metadata.name ?? "" };
    await world.client.patch(Pod, at, { type: "merge", subresource: "status", body: { status: { phase: "Failed", conditions } } });
    await quiet();
    await world.clock.advance(10_000);
    const [again] = await world.active(1);
    expect((await world.job()).status?.failed).toBe(0);
    await world.report(again, "Succeeded");
    expect((await world.has("Complete")).status).toMatchObject({ succeeded: 1, failed: 0 });
  });

  test("FailIndex", async () => {
    const world = await World.start();
    await world.create({ ...rule("FailIndex"), completionMode: "Indexed", completions: 2, parallelism: 2, backoffLimitPerIndex: 5 });
    const [zero, one] = await world.active(2);
    await world.report(zero, "Failed", 42);
    await world.report(one, "Succeeded");
    expect((await world.has("Failed")).status).toMatchObject({ failedIndexes: "0", completedIndexes: "1" });
  });
});

describe("what cannot work is refused:", () => {
  const refused: readonly (readonly [Partial<JobSpec>, string])[] = [
    [
      { maxFailedIndexes: 1, completionMode: "Indexed", completions: 2 },
      "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
    ],
    [{ backoffLimitPerIndex: 1 }, "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"],
    [{ successPolicy: { rules: [{ succeededCount: 1 }] } }, "requires indexed completion mode"],
    [
      { completionMode: "Indexed", completions: 2, successPolicy: { rules: [{ succeededCount: 3 }] } },
      "spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of specified completions)",
    ],
    [{ completionMode: "Indexed", completions: 2, successPolicy: { rules: [] } }, "at least one rules must be specified"],
    [
      { completionMode: "Indexed", completions: 2, successPolicy: { rules: [{}] } },
      "at least one of succeededCount or succeededIndexes must be specified",
    ],
    [{ completionMode: "Indexed", completions: 2, backoffLimitPerIndex: 1, maxFailedIndexes: 3 }, "must be less than or equal to completions"],
    [{ completionMode: "Indexed", parallelism: 2 }, "spec.completions: Required value: when completion mode is Indexed"],
    [{ completionMode: "Indexed", completions: 1, parallelism: 100_001 }, "must be less than or equal to 100000 when completion mode is Indexed"],
    [{ managedBy: "me" }, "must be a domain-prefixed path"],
    [
      {
        podReplacementPolicy: "TerminatingOrFailed",
        podFailurePolicy: { rules: [{ action: "Count", onExitCodes: { operator: "In", values: [1] } }] },
      },
      'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"',
    ],
    [
      { podFailurePolicy: { rules: [{ action: "FailIndex", onExitCodes: { operator: "In", values: [1] } }] } },
      "requires the backoffLimitPerIndex to be set",
    ],
    [{ podFailurePolicy: { rules: [{ action: "Count" }] } }, "specifying one of OnExitCodes and OnPodConditions is required"],
    [{ podFailurePolicy: { rules: [{ action: "Count", onExitCodes: { operator: "In", values: [2, 1] } }] } }, "must be ordered"],
    [{ podFailurePolicy: { rules: [{ action: "Count", onExitCodes: { operator: "In", values: [0] } }] } }, "must not be 0 for the In operator"],
    [{ podFailurePolicy: { rules: [{ action: "Count", onExitCodes: { operator: "NotIn", values: [1, 1] } }] } }, "Duplicate value: 1"],
    [
      { podFailurePolicy: { rules: [{ action: "Count", onExitCodes: { operator: "In", values: [1], containerName: "other" } }] } },
      "must be one of the container or initContainer names in the pod template",
    ],
  ];
  test.each(refused)("%j", async (spec, message) => {
    const world = await World.start();
    await expect(world.create(spec)).rejects.toThrow(message);
  });
});

test("1,000 pods complete", { timeout: 60_000 }, async () => {
  const world = await World.start();
  await world.create({ completions: 1000, parallelism: 200 });
  const done = new Set<string>();
  await eventually(async () => {
    const fresh = (await world.pods()).filter((pod) => isActive(pod) && !done.has(pod.metadata.name));
    for (const { metadata } of fresh) done.add(metadata.name);
    await Promise.all(fresh.map((pod) => world.report(pod, "Succeeded")));
    return done.size >= 1000;
  }, 60_000);
  expect((await world.has("Complete")).status).toMatchObject({ succeeded: 1000, failed: 0 });
  expect(done.size).toBe(1000);
  expect(world.errors).toEqual([]);
});
