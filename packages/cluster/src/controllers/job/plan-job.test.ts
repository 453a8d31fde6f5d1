import type { Job, JobSpec, Pod } from "@sluice/kubernetes";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isActive, isTerminating } from "../pod-state.ts";
import { parseIndexes } from "./index-set.ts";
import { isJobFinished } from "./job-outcome.ts";
import { podOfJob } from "./job-pod.ts";
import { indexOf, isTracked, TRACKING_FINALIZER } from "./job-pods.ts";
import { planJob } from "./plan-job.ts";

const SECOND = 1000;

/** The API with one Job, a kubelet that ends pods, and a controller that may crash after every write. */
class World {
  now = 0;
  job: Job;
  readonly pods = new Map<string, Pod>();
  /** What became of every pod, as an omniscient observer notes it. */
  readonly fates = new Map<string, "succeeded" | "failed" | "discarded">();
  readonly #indexes = new Map<string, number | undefined>();
  #serial = 0;

  constructor(spec: Partial<JobSpec>) {
    const template = { spec: { containers: [{ name: "main", image: "x" }] } };
    const defaults = { parallelism: 1, backoffLimit: 6, completionMode: "NonIndexed" as const, podReplacementPolicy: "TerminatingOrFailed" as const };
    this.job = { apiVersion: "batch/v1", kind: "Job", metadata: { name: "j", namespace: "n", uid: "job" }, spec: { ...defaults, ...spec, template } };
  }

  list(): Pod[] {
    return [...this.pods.values()];
  }

  active(): Pod[] {
    return this.list().filter(isActive);
  }

  /** Carries out at most `writes` writes of a plan, as the controller does. */
  reconcile(writes: number): number | undefined {
    const plan = planJob(this.job, this.list(), this.now);
    const todo: (() => void)[] = [
      ...plan.discard.flatMap((pod) => [() => this.#discard(pod), () => this.remove(pod)]),
      ...plan.stop.map((pod) => () => this.remove(pod)),
      ...plan.create.map((wish) => () => {
        const uid = `p${this.#serial++}`;
        const pod = podOfJob(this.job, wish);
        this.#indexes.set(uid, indexOf(pod));
        this.pods.set(uid, { ...pod, metadata: { ...pod.metadata, name: uid, uid }, status: { phase: "Pending" } });
        const { parallelism = 1, completions = Infinity, podReplacementPolicy } = this.job.spec;
        const occupied = podReplacementPolicy === "Failed" ? this.list().filter((one) => isActive(one) || isTerminating(one)) : this.active();
        expect(occupied.length).toBeLessThanOrEqual(parallelism);
        expect(this.active().length + this.succeeded()).toBeLessThanOrEqual(completions);
      }),
      () => (this.job = { ...this.job, status: plan.status }),
      ...plan.release.map((pod) => () => {
        // What is let go while it still runs has been counted as failed, or does not matter any more.
        this.#seal(pod, this.#isNotedAsFailed(pod) ? "failed" : "discarded");
        this.#release(pod);
      }),
    ];
    for (const write of todo.slice(0, writes)) write();
    return writes >= todo.length ? plan.requeueAfter : undefined;
  }

  /** How many completions there have really been. */
  succeeded(): number {
    const { completionMode, completions = 0 } = this.job.spec;
    const uids = [...this.fates].filter(([, fate]) => fate === "succeeded").map(([uid]) => uid);
    if (completionMode === "NonIndexed") return uids.length;
    return new Set(uids.map((uid) => this.#indexes.get(uid)).filter((index) => index !== undefined && index < completions)).size;
  }

  end(pod: Pod, phase: "Succeeded" | "Failed"): void {
    const containerStatuses = [
      {
        name: "main",
        ready: false,
        restartCount: 0,
        image: "x",
        imageID: "",
        state: { terminated: { exitCode: 1, finishedAt: new Date(this.now).toISOString() } },
      },
    ];
    this.#put({ ...pod, status: { ...pod.status, phase, containerStatuses } });
    this.#seal(pod, phase === "Succeeded" && !this.#isNotedAsFailed(pod) ? "succeeded" : "failed");
  }

  #isNotedAsFailed({ metadata }: Pod): boolean {
    return this.job.status?.uncountedTerminatedPods?.failed?.includes(metadata.uid ?? "") === true;
  }

  #seal({ metadata: { uid = "" } }: Pod, fate: "succeeded" | "failed" | "discarded"): void {
    if (!this.fates.has(uid)) this.fates.set(uid, fate);
  }

  /** A deletion, by the controller or anybody. */
  remove(pod: Pod): void {
    const current = this.pods.get(pod.metadata.uid ?? "");
    if (current === undefined || current.metadata.deletionTimestamp !== undefined) return;
    this.#put({ ...current, metadata: { ...current.metadata, deletionTimestamp: new Date(this.now).toISOString() } });
  }

  #discard(pod: Pod): void {
    this.#seal(pod, "discarded");
    this.#release(pod);
  }

  #release(pod: Pod): void {
    const current = this.pods.get(pod.metadata.uid ?? "");
    if (current !== undefined)
      this.#put({
        ...current,
        metadata: { ...current.metadata, finalizers: (current.metadata.finalizers ?? []).filter((one) => one !== TRACKING_FINALIZER) },
      });
  }

  /** A pod in deletion is gone when it has ended and nothing holds it. */
  #put(pod: Pod): void {
    const { uid = "", deletionTimestamp } = pod.metadata;
    if (deletionTimestamp !== undefined && !isTracked(pod) && !["Pending", "Running"].includes(pod.status?.phase ?? "")) this.pods.delete(uid);
    else this.pods.set(uid, pod);
  }

  /** What the Job has counted so far, in numbers or by uid. */
  counted(): { readonly succeeded: number; readonly failed: number } {
    const { succeeded = 0, failed = 0, uncountedTerminatedPods: uncounted = {} } = this.job.status ?? {};
    return { succeeded: succeeded + (uncounted.succeeded?.length ?? 0), failed: failed + (uncounted.failed?.length ?? 0) };
  }
}

const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("reconcile" as const), writes: fc.oneof({ weight: 3, arbitrary: fc.constant(10_000) }, fc.nat(5)) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("end" as const), nth: fc.nat(9), fails: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), nth: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("suspend" as const), value: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("parallelism" as const), value: fc.integer({ min: 0, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 100 * SECOND }) }) },
);
const spec: fc.Arbitrary<Partial<JobSpec>> = fc
  .record(
    {
      parallelism: fc.integer({ min: 0, max: 5 }),
      completions: fc.integer({ min: 0, max: 8 }),
      backoffLimit: fc.integer({ min: 0, max: 6 }),
      completionMode: fc.constantFrom("Indexed" as const, "NonIndexed" as const),
      podReplacementPolicy: fc.constantFrom("Failed" as const, "TerminatingOrFailed" as const),
      activeDeadlineSeconds: fc.integer({ min: 1, max: 500 }),
      backoffLimitPerIndex: fc.integer({ min: 0, max: 2 }),
    },
    { requiredKeys: ["parallelism", "backoffLimit", "completionMode", "podReplacementPolicy"] },
  )
  .map(({ backoffLimitPerIndex, ...rest }) => {
    if (rest.completionMode !== "Indexed") return rest;
    return { ...rest, completions: rest.completions ?? 3, ...(backoffLimitPerIndex === undefined ? {} : { backoffLimitPerIndex }) };
  });

test("whatever happens and wherever it crashes: never too many pods, each counted once, and it ends", () => {
  fc.assert(
    fc.property(spec, fc.array(action, { maxLength: 60 }), (jobSpec, actions) => {
      const world = new World(jobSpec);
      for (const one of actions) {
        const running = world.list().filter((pod) => pod.status?.phase === "Pending");
        if (one.do === "reconcile") world.reconcile(one.writes);
        else if (one.do === "pass") world.now += one.ms;
        else if (one.do === "suspend") world.job = { ...world.job, spec: { ...world.job.spec, suspend: one.value } };
        else if (one.do === "parallelism") {
          // The bound is that of the moment: what was more before may still be there.
          if (world.active().length <= one.value) world.job = { ...world.job, spec: { ...world.job.spec, parallelism: one.value } };
        } else {
          const pod = running[one.nth];
          if (pod === undefined) continue;
          if (one.do === "remove") world.remove(pod);
          else world.end(pod, one.fails ? "Failed" : "Succeeded");
        }
        const before = world.counted();
        if (world.job.spec.completionMode === "NonIndexed")
          expect(before.succeeded).toBeLessThanOrEqual([...world.fates.values()].filter((fate) => fate === "succeeded").length);
      }

      // From here on everybody does their work, and pods succeed.
      world.job = {
        ...world.job,
        spec: { ...world.job.spec, suspend: false, parallelism: Math.max(1, world.job.spec.parallelism ?? 1, world.active().length) },
      };
      let isOver = false;
      for (let turn = 0; turn < 400 && !isOver; turn++) {
        const wait = world.reconcile(10_000);
        for (const pod of world.list().filter(({ status }) => status?.phase === "Pending")) world.end(pod, isActive(pod) ? "Succeeded" : "Failed");
        world.now += wait ?? 0;
        isOver = isJobFinished(world.job) && world.list().every((pod) => !isTracked(pod));
      }
      expect(isOver).toBe(true);

      const { status = {} } = world.job;
      expect(status.uncountedTerminatedPods).toEqual({});
      expect(status.active).toBe(0);
      const isSuccess = status.conditions?.some(({ type }) => type === "Complete") === true;
      const types = (status.conditions ?? []).map(({ type }) => type).filter((type) => type !== "Suspended");
      expect(types).toEqual(isSuccess ? ["SuccessCriteriaMet", "Complete"] : ["FailureTarget", "Failed"]);
      const fates = [...world.fates.values()];
      const total = (status.succeeded ?? 0) + (status.failed ?? 0);
      if (world.job.spec.completionMode === "Indexed") {
        expect(parseIndexes(status.completedIndexes, 100).size).toBe(status.succeeded);
        if (isSuccess) expect(status.succeeded).toBe(world.job.spec.completions);
      } else if (isSuccess && world.job.spec.completions !== undefined) expect(status.succeeded).toBeGreaterThanOrEqual(world.job.spec.completions);
      // Two pods of one index may both have succeeded, which is one success.
      const isExact = world.job.spec.completionMode === "NonIndexed";
      const mustCount = fates.filter((fate) => fate !== "discarded").length;
      if (isExact) expect(total).toBe(mustCount);
      else expect(total).toBeLessThanOrEqual(mustCount);
      const twice = [...world.pods.values()].filter(({ status: of }) => of?.phase === "Succeeded").map(indexOf);
      if (isSuccess && !isExact) expect(new Set(twice).size).toBeLessThanOrEqual(status.succeeded ?? 0);
    }),
    { numRuns: 1000 },
  );
});
