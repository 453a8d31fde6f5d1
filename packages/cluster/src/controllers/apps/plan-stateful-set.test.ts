import type { Pod, StatefulSet, StatefulSetSpec } from "@sluice/kubernetes";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { planStatefulSet } from "./plan-stateful-set.ts";
import { ordinalOf, podOfStatefulSet, revisionOf } from "./stateful-set-pods.ts";

/** What may happen to a set and its pods between two looks of the controller. */
type Happening =
  | { readonly do: "plan" }
  | { readonly do: "ready" | "unready" | "fail" | "delete" | "end"; readonly nth: number }
  | { readonly do: "scale" | "partition"; readonly to: number }
  | { readonly do: "template" };

/** A set, a kubelet that takes its time, and a controller. */
class SetWorld {
  set: StatefulSet;
  readonly pods: Map<string, Pod> = new Map();
  readonly violations: string[] = [];
  #current = "r0";
  #update = 0;
  #serial = 0;

  constructor(spec: Partial<StatefulSetSpec>) {
    const template = { spec: { containers: [{ name: "main", image: "x" }] } };
    this.set = {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "s", namespace: "n", uid: "set" },
      spec: { selector: { matchLabels: {} }, template, ...spec },
    };
  }

  get update(): string {
    return `r${this.#update}`;
  }

  list(): Pod[] {
    return [...this.pods.values()];
  }

  plan(): void {
    const plan = planStatefulSet({
      ...{ set: this.set, pods: this.list(), claims: new Map(), collisionCount: 0, now: 0 },
      ...{ current: this.#current, update: this.update },
    });
    const isOrdered = this.set.spec.podManagementPolicy !== "Parallel";
    if (isOrdered) {
      this.#demand(plan.create.length <= 1, "several pods were made at once");
      const before = this.list().filter((pod) => (ordinalOf(this.set, pod) ?? 0) < (plan.create[0]?.ordinal ?? 0));
      this.#demand(before.every(isAvailable), "a pod was made before all before it worked");
    }
    for (const { ordinal, revision } of plan.create) {
      const pod = podOfStatefulSet(this.set, ordinal, { name: revision, template: this.set.spec.template });
      this.#demand(!this.pods.has(pod.metadata.name), "a pod was made twice");
      this.pods.set(pod.metadata.name, { ...pod, metadata: { ...pod.metadata, uid: `${this.#serial++}` }, status: { phase: "Pending" } });
    }
    for (const pod of plan.remove) this.#put(pod, { deletionTimestamp: "1970-01-01T00:00:00Z" });
    this.#current = plan.status.currentRevision ?? this.#current;
    this.set = { ...this.set, status: plan.status };
  }

  happen(one: Happening): void {
    const { spec } = this.set;
    const pod = "nth" in one ? this.list()[one.nth] : undefined;
    switch (one.do) {
      case "plan":
        this.plan();
        break;
      case "scale":
        this.set = { ...this.set, spec: { ...spec, replicas: one.to } };
        break;
      case "partition":
        this.set = { ...this.set, spec: { ...spec, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: one.to } } } };
        break;
      case "template":
        this.#update++;
        break;
      case "ready":
      case "unready":
        if (pod !== undefined && !hasEnded(pod)) this.report(pod, one.do === "ready");
        break;
      case "fail":
        if (pod !== undefined) this.pods.set(pod.metadata.name, { ...pod, status: { phase: "Failed" } });
        break;
      case "delete":
        if (pod !== undefined) this.#put(pod, { deletionTimestamp: "1970-01-01T00:00:00Z" });
        break;
      case "end":
        if (pod?.metadata.deletionTimestamp !== undefined) this.pods.delete(pod.metadata.name);
        break;
    }
  }

  report(pod: Pod, isReady: boolean): void {
    const conditions = [{ type: "Ready", status: isReady ? "True" : "False" }];
    this.pods.set(pod.metadata.name, { ...pod, status: { phase: "Running", conditions } });
  }

  /** From here on everybody does their work. Whether the set comes to rest as it should be. */
  settle(): boolean {
    for (let turn = 0; turn < 200; turn++) {
      for (const pod of this.list()) {
        if (pod.metadata.deletionTimestamp !== undefined) this.pods.delete(pod.metadata.name);
        else if (!hasEnded(pod) && !isAvailable(pod)) this.report(pod, true);
      }
      this.plan();
      if (this.#isDone()) return true;
    }
    return false;
  }

  #isDone(): boolean {
    const { replicas = 1, updateStrategy } = this.set.spec;
    const { partition = 0 } = updateStrategy?.rollingUpdate ?? {};
    const ordinals = this.list().map((pod) => ordinalOf(this.set, pod));
    const isWhole = this.pods.size === replicas && ordinals.every((ordinal) => ordinal !== undefined && ordinal < replicas);
    const isNew = this.list().every((pod) => (ordinalOf(this.set, pod) ?? 0) < partition || revisionOf(pod) === this.update);
    return isWhole && isNew && this.list().every(isAvailable);
  }

  #put(pod: Pod, change: Partial<Pod["metadata"]>): void {
    this.pods.set(pod.metadata.name, { ...pod, metadata: { ...pod.metadata, ...change } });
  }

  #demand(isTrue: boolean, violation: string): void {
    if (!isTrue) this.violations.push(violation);
  }
}

function hasEnded({ status }: Pod): boolean {
  return status?.phase === "Failed" || status?.phase === "Succeeded";
}

function isAvailable({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status?.phase === "Running" &&
    status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true
  );
}

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ do: "plan" as const }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom("ready" as const, "unready" as const, "fail" as const, "delete" as const, "end" as const),
      nth: fc.nat(5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("scale" as const, "partition" as const), to: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.constant({ do: "template" as const }) },
);
const spec: fc.Arbitrary<Partial<StatefulSetSpec>> = fc.record({
  replicas: fc.nat(5),
  podManagementPolicy: fc.constantFrom("OrderedReady" as const, "Parallel" as const),
});

test("whatever happens: pods come in order, each name once, and in the end all are there and of the right revision", () => {
  fc.assert(
    fc.property(spec, fc.array(happening, { maxLength: 60 }), (setSpec, happenings) => {
      const world = new SetWorld(setSpec);
      for (const one of happenings) world.happen(one);
      expect(world.settle()).toBe(true);
      expect(world.violations).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});
