import { isDeepStrictEqual } from "node:util";
import type { Job, JobSpec, Pod } from "@sluice/kubernetes";
import { isActive, isTerminating } from "../pod-state.ts";
import { parseIndexes } from "./index-set.ts";
import { isJobFinished } from "./job-outcome.ts";
import { podOfJob } from "./job-pod.ts";
import { indexOf, isTracked, TRACKING_FINALIZER } from "./job-pods.ts";
import { planJob } from "./plan-job.ts";

/** What may happen to a Job and its pods; `writes` says after how many the controller crashes. */
export type JobAction =
  | { readonly do: "reconcile"; readonly writes: number }
  | { readonly do: "end"; readonly nth: number; readonly fails: boolean }
  | { readonly do: "remove"; readonly nth: number }
  | { readonly do: "suspend"; readonly value: boolean }
  | { readonly do: "parallelism"; readonly value: number }
  | { readonly do: "pass"; readonly ms: number };

/** The API with one Job, a kubelet that ends pods, and a controller that may crash after every write. */
export class JobWorld {
  now = 0;
  job: Job;
  readonly pods: Map<string, Pod> = new Map();
  /** What became of every pod, as an omniscient observer notes it. */
  readonly fates: Map<string, "succeeded" | "failed" | "discarded"> = new Map();
  readonly #indexes = new Map<string, number | undefined>();
  readonly #violations: string[] = [];
  #serial = 0;

  constructor(spec: Partial<JobSpec>) {
    const template = { spec: { containers: [{ name: "main", image: "x" }] } };
    const defaults = { parallelism: 1, backoffLimit: 6, completionMode: "NonIndexed" as const, podReplacementPolicy: "TerminatingOrFailed" as const };
    this.job = { apiVersion: "batch/v1", kind: "Job", metadata: { name: "j", namespace: "n", uid: "job" }, spec: { ...defaults, ...spec, template } };
  }

  /** What should never have happened, and has. */
  get violations(): readonly string[] {
    return this.#violations;
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
        this.#demand(occupied.length <= parallelism, `${occupied.length} pods where ${parallelism} may be`);
        this.#demand(this.active().length + this.succeeded() <= completions, "more pods than completions are left");
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

  /** Lets one thing happen. */
  perform(one: JobAction): void {
    const { spec } = this.job;
    const pod = "nth" in one ? this.list().filter(({ status }) => status?.phase === "Pending")[one.nth] : undefined;
    switch (one.do) {
      case "reconcile":
        this.reconcile(one.writes);
        break;
      case "pass":
        this.now += one.ms;
        break;
      case "suspend":
        this.job = { ...this.job, spec: { ...spec, suspend: one.value } };
        break;
      case "parallelism":
        // The bound is that of the moment: what was more before may still be there.
        if (this.active().length <= one.value) this.job = { ...this.job, spec: { ...spec, parallelism: one.value } };
        break;
      case "remove":
        if (pod !== undefined) this.remove(pod);
        break;
      case "end":
        if (pod !== undefined) this.end(pod, one.fails ? "Failed" : "Succeeded");
        break;
    }
    const isEarly = spec.completionMode === "NonIndexed" && this.counted().succeeded > this.succeeded();
    this.#demand(!isEarly, "a success was counted that was none");
  }

  /** From here on everybody does their work, and pods succeed. Whether the Job comes to its end. */
  finish(): boolean {
    const { spec } = this.job;
    this.job = { ...this.job, spec: { ...spec, suspend: false, parallelism: Math.max(1, spec.parallelism ?? 1, this.active().length) } };
    for (let turn = 0; turn < 400; turn++) {
      const wait = this.reconcile(10_000);
      for (const pod of this.list().filter(({ status }) => status?.phase === "Pending")) this.end(pod, isActive(pod) ? "Succeeded" : "Failed");
      this.now += wait ?? 0;
      if (isJobFinished(this.job) && this.list().every((pod) => !isTracked(pod))) {
        this.#judge();
        return true;
      }
    }
    return false;
  }

  /** Whether the result is what has really happened. */
  #judge(): void {
    const { spec, status = {} } = this.job;
    const { succeeded = 0, failed = 0, completedIndexes, conditions = [] } = status;
    const { completions = 0 } = spec;
    const isIndexed = spec.completionMode === "Indexed";
    const isSuccess = conditions.some(({ type }) => type === "Complete");
    const types = conditions.map(({ type }) => type).filter((type) => type !== "Suspended");
    const ends = [...this.fates.values()].filter((fate) => fate !== "discarded").length;
    this.#demand(types.join() === (isSuccess ? "SuccessCriteriaMet,Complete" : "FailureTarget,Failed"), `it ended by ${types.join()}`);
    this.#demand(status.active === 0 && isDeepStrictEqual(status.uncountedTerminatedPods, {}), "something is left to be counted");
    this.#demand(!isSuccess || (isIndexed ? succeeded === completions : succeeded >= completions), `${succeeded} of ${completions} were enough`);
    this.#demand(!isIndexed || parseIndexes(completedIndexes, completions).size === succeeded, `${completedIndexes} are not ${succeeded}`);
    // Of an Indexed Job two pods may have succeeded for one index, which is one success.
    this.#demand(isIndexed ? succeeded + failed <= ends : succeeded + failed === ends, `${ends} pods ended, ${succeeded} + ${failed} are counted`);
  }

  #demand(isTrue: boolean, violation: string): void {
    if (!isTrue) this.#violations.push(violation);
  }

  /** What the Job has counted so far, in numbers or by uid. */
  counted(): { readonly succeeded: number; readonly failed: number } {
    const { succeeded = 0, failed = 0, uncountedTerminatedPods: uncounted = {} } = this.job.status ?? {};
    return { succeeded: succeeded + (uncounted.succeeded?.length ?? 0), failed: failed + (uncounted.failed?.length ?? 0) };
  }
}
