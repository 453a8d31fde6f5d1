import type { Container, Pod } from "@sluice/kubernetes";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isAlive, UNSEEN, type ContainerExit, type ObservedContainer, type ObservedPod } from "./observed-pod.ts";
import { planPod, type PodPlan } from "./pod-lifecycle.ts";
import { RESTART_BACKOFF, restartAt } from "./restart-backoff.ts";
import { isSidecar } from "./restart-policy.ts";

const SETTINGS = { restartBackoff: RESTART_BACKOFF };

function podOf(spec: Partial<Pod["spec"]>, metadata: Partial<Pod["metadata"]> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "n", uid: "u", generation: 1, ...metadata },
    spec: { restartPolicy: "Never", containers: [{ name: "main", image: "x" }], ...spec },
  };
}

/** A node that carries out plans at its own pace, in a time of its own. */
class Simulation {
  now = 1_000_000;
  pod: Pod;
  setup: ObservedPod["setup"] = { state: "absent" };
  containers = new Map<string, ObservedContainer>();
  starts: string[] = [];
  stops: string[] = [];
  stopSince: number | undefined;
  isFinished = false;
  readonly startTime = this.now;
  refused: ObservedPod["refused"];

  constructor(pod: Pod) {
    this.pod = pod;
  }

  at(name: string): ObservedContainer {
    return this.containers.get(name) ?? UNSEEN;
  }

  set(name: string, change: Partial<ObservedContainer>): void {
    this.containers.set(name, { ...this.at(name), ...change });
  }

  plan(): PodPlan {
    const { startTime, refused, setup, containers, stopSince } = this;
    return planPod(this.pod, { startTime, refused, setup, hostIp: "1.1.1.1", podIp: "2.2.2.2", containers, stopSince }, this.now, SETTINGS);
  }

  /** Plans, reports, and does what the plan says as far as it is done at once. */
  step(): PodPlan {
    const plan = this.plan();
    if (plan.isStopping) this.stopSince ??= this.now;
    this.pod = { ...this.pod, status: plan.status };
    for (const action of plan.actions) {
      switch (action.type) {
        case "setUp":
          this.setup = { state: "ready" };
          break;
        case "start": {
          this.starts.push(action.container);
          const before = this.at(action.container).attempt;
          const attempt = {
            index: (before?.index ?? -1) + 1,
            restartCount: action.restartCount,
            crashes: action.crashes,
            containerId: "c",
            imageId: "i",
          };
          this.set(action.container, { attempt, previous: before, stopping: undefined });
          break;
        }
        case "stop":
          this.stops.push(action.container);
          this.set(action.container, { stopping: { killAt: action.killAt, isKilled: false } });
          break;
        case "kill":
          this.set(action.container, { stopping: { killAt: 0, isKilled: true } });
          this.end(action.container, 137);
          break;
        case "tearDown":
          this.setup = { state: "removed" };
          break;
        case "finish":
          this.isFinished = true;
      }
    }
    return plan;
  }

  settle(): PodPlan {
    for (let i = 0; i < 50; i++) {
      const plan = this.step();
      if (plan.actions.every(({ type }) => type === "finish")) return plan;
    }
    throw new Error(`the plan does not come to rest: ${JSON.stringify(this.plan().actions)}`);
  }

  run(name: string): void {
    const { attempt } = this.at(name);
    if (attempt !== undefined && attempt.startedAt === undefined && attempt.exit === undefined)
      this.set(name, { attempt: { ...attempt, startedAt: this.now }, isStarted: true, isReady: true });
  }

  end(name: string, exitCode: number): void {
    const { attempt } = this.at(name);
    if (attempt === undefined || attempt.exit !== undefined) return;
    const exit: ContainerExit = {
      exitCode,
      reason: exitCode === 0 ? "Completed" : "Error",
      startedAt: attempt.startedAt ?? this.now,
      finishedAt: this.now,
    };
    this.set(name, { attempt: { ...attempt, startedAt: exit.startedAt, exit }, isStarted: false, isReady: false });
  }

  get alive(): string[] {
    return [...this.containers].filter(([, state]) => isAlive(state)).map(([name]) => name);
  }
}

const state = (plan: PodPlan, name: string) =>
  [...(plan.status.initContainerStatuses ?? []), ...(plan.status.containerStatuses ?? [])].find((one) => one.name === name)?.state;

describe("a pod", () => {
  test("waits, runs and succeeds", () => {
    const world = new Simulation(podOf({}));
    const first = world.plan();
    expect(first).toMatchObject({
      actions: [{ type: "setUp" }],
      status: { phase: "Pending", containerStatuses: [{ state: { waiting: { reason: "ContainerCreating" } } }] },
    });
    world.settle();
    world.run("main");
    expect(world.settle().status).toMatchObject({ phase: "Running", podIP: "2.2.2.2", containerStatuses: [{ ready: true, started: true }] });
    world.end("main", 0);
    const last = world.settle();
    expect(last.status).toMatchObject({ phase: "Succeeded", containerStatuses: [{ state: { terminated: { exitCode: 0, reason: "Completed" } } }] });
    expect(world.setup.state).toBe("removed");
  });

  test("backs off: at once, then after 10, 20, 40 s, up to 5 min, and at once again after a long run", () => {
    const world = new Simulation(podOf({ restartPolicy: "Always" }));
    world.settle();
    const delays: number[] = [];
    for (let i = 0; i < 8; i++) {
      world.run("main");
      world.end("main", 1);
      const { attempt } = world.at("main");
      if (attempt?.exit === undefined) throw new Error("it has not ended");
      const due = restartAt({ crashes: attempt.crashes, exit: attempt.exit }, RESTART_BACKOFF);
      delays.push((due - world.now) / 1000);
      const plan = world.settle();
      if (due > world.now) {
        expect(plan.wakeAt).toBe(due);
        expect(state(plan, "main")).toMatchObject({
          waiting: { reason: "CrashLoopBackOff", message: expect.stringContaining("restarting failed container=main pod=p_n(u)") },
        });
        expect(plan.status).toMatchObject({ phase: "Running", containerStatuses: [{ lastState: { terminated: { exitCode: 1 } } }] });
        world.now = due;
        world.settle();
      }
    }
    expect(delays).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
    world.run("main");
    world.now += 601_000;
    world.end("main", 1);
    world.settle();
    expect(world.at("main").attempt).toMatchObject({ restartCount: 9, crashes: 1 });
  });

  test("that is past its deadline fails, whatever its containers say then", () => {
    const world = new Simulation(podOf({ activeDeadlineSeconds: 5 }));
    world.settle();
    world.run("main");
    expect(world.settle().wakeAt).toBe(world.startTime + 5000);
    world.now += 5000;
    world.settle();
    expect(world.stops).toEqual(["main"]);
    world.end("main", 0);
    expect(world.settle().status).toMatchObject({ phase: "Failed", reason: "DeadlineExceeded" });
  });

  test("that ended in time succeeds, however late that is learnt", () => {
    const world = new Simulation(podOf({ activeDeadlineSeconds: 5 }));
    world.settle();
    world.run("main");
    world.now += 4000;
    world.end("main", 0);
    world.now += 100_000;
    expect(world.settle().status).toMatchObject({ phase: "Succeeded" });
  });

  test("that is deleted is killed when its grace is over, and deleted when nothing runs", () => {
    const world = new Simulation(podOf({ restartPolicy: "Always" }));
    world.settle();
    world.run("main");
    world.pod = { ...world.pod, metadata: { ...world.pod.metadata, deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 3 } };
    expect(world.settle().wakeAt).toBe(world.now + 3000);
    expect(world.isFinished).toBe(false);
    world.now += 3000;
    world.settle();
    expect(world.isFinished).toBe(true);
    expect(world.pod.status).toMatchObject({ phase: "Failed" });
  });

  test("whose image cannot be pulled backs off and tries again", () => {
    const world = new Simulation(podOf({}));
    world.setup = { state: "ready" };
    world.set("main", { blocked: { reason: "ErrImagePull", message: "no", since: world.now, retryAt: world.now + 10_000, failures: 1 } });
    const first = world.plan();
    expect(state(first, "main")).toEqual({ waiting: { reason: "ErrImagePull", message: "no" } });
    expect(first).toMatchObject({ actions: [], wakeAt: world.now + 1000 });
    world.now += 1000;
    expect(state(world.plan(), "main")).toEqual({ waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "x": no' } });
    expect(world.plan().wakeAt).toBe(world.now + 9000);
    world.now += 9000;
    expect(world.plan().actions).toEqual([{ type: "start", container: "main", restartCount: 0, crashes: 0 }]);
  });

  test("that failed to initialise fails, and says which container did", () => {
    const world = new Simulation(
      podOf({
        initContainers: [
          { name: "side", image: "x", restartPolicy: "Always" },
          { name: "init", image: "x" },
        ],
      }),
    );
    expect(state(world.plan(), "init")).toEqual({ waiting: { reason: "PodInitializing" } });
    world.settle();
    expect(world.starts).toEqual(["side"]);
    world.run("side");
    world.settle();
    world.run("init");
    world.end("init", 9);
    world.settle();
    expect(world.stops).toEqual(["side"]);
    world.end("side", 0);
    const { status } = world.settle();
    expect(status).toMatchObject({
      phase: "Failed",
      initContainerStatuses: [{ state: { terminated: { exitCode: 0 } } }, { state: { terminated: { exitCode: 9 } } }],
    });
    expect(status.conditions?.find(({ type }) => type === "Initialized")).toMatchObject({
      status: "False",
      message: "containers with incomplete status: [side init]",
    });
  });

  test("keeps conditions of others, and the time of transitions that are none", () => {
    const world = new Simulation(podOf({}));
    world.pod = {
      ...world.pod,
      status: {
        qosClass: "BestEffort",
        conditions: [
          { type: "PodScheduled", status: "True", lastTransitionTime: "t0" },
          { type: "DisruptionTarget", status: "True" },
        ],
      },
    };
    world.settle();
    world.now += 10_000;
    const before = world.pod.status?.conditions;
    world.settle();
    expect(world.pod.status?.conditions).toEqual(before);
    expect(before).toContainEqual({ type: "DisruptionTarget", status: "True" });
    expect(before).toContainEqual({ type: "PodScheduled", status: "True", lastTransitionTime: "t0" });
    expect(world.pod.status?.qosClass).toBe("BestEffort");
  });

  test("waits for its readiness gates", () => {
    const world = new Simulation(podOf({ readinessGates: [{ conditionType: "x/y" }] }));
    world.settle();
    world.run("main");
    world.settle();
    const ready = (): unknown => world.pod.status?.conditions?.find(({ type }) => type === "Ready");
    expect(ready()).toMatchObject({ status: "False", reason: "ReadinessGatesNotReady" });
    world.pod = {
      ...world.pod,
      status: { ...world.pod.status, conditions: [...(world.pod.status?.conditions ?? []), { type: "x/y", status: "True" }] },
    };
    world.settle();
    expect(ready()).toMatchObject({ status: "True" });
  });
});

const containers = (prefix: string, sidecars: boolean): fc.Arbitrary<Container[]> =>
  fc
    .array(fc.boolean(), { minLength: sidecars ? 0 : 1, maxLength: 3 })
    .map((list) =>
      list.map((isSide, i): Container => ({ name: `${prefix}${i}`, image: "x", ...(sidecars && isSide ? { restartPolicy: "Always" } : {}) })),
    );

test("whatever happens in whatever order, the rules hold", () => {
  const event = fc.record({
    what: fc.constantFrom("run", "run", "end", "tick", "delete", "unhealthy"),
    who: fc.nat(5),
    exitCode: fc.constantFrom(0, 0, 1, 137),
    ms: fc.integer({ min: 1, max: 400_000 }),
  });
  fc.assert(
    fc.property(
      containers("i", true),
      containers("m", false),
      fc.constantFrom("Never" as const, "OnFailure" as const, "Always" as const),
      fc.option(fc.integer({ min: 1, max: 2000 }), { nil: undefined }),
      fc.array(event, { maxLength: 60 }),
      (inits, mains, restartPolicy, activeDeadlineSeconds, events) => {
        const world = new Simulation(
          podOf({
            restartPolicy,
            initContainers: inits,
            containers: mains,
            ...(activeDeadlineSeconds === undefined ? {} : { activeDeadlineSeconds }),
          }),
        );
        const all = [...inits, ...mains];
        const isMain = (name: string): boolean => name.startsWith("m");
        const ranks = ["Pending", "Running", "Succeeded", "Failed"];
        let rank = 0;
        const check = (): void => {
          const startsBefore = world.starts.length;
          const stopsBefore = world.stops.length;
          const aliveBefore = new Set(world.alive);
          const { status } = world.settle();
          for (const name of world.starts.slice(startsBefore)) {
            if (!isMain(name) || world.starts.slice(0, startsBefore).some(isMain)) continue;
            for (const init of inits) {
              const { attempt } = world.at(init.name);
              if (isSidecar(init)) expect(attempt?.startedAt).toBeDefined();
              else expect(attempt?.exit?.exitCode).toBe(0);
            }
          }
          for (const name of world.stops.slice(stopsBefore)) {
            const isSide = inits.some((one) => one.name === name && isSidecar(one));
            if (isSide && world.at(name).unhealthy === undefined) {
              for (const other of [...aliveBefore].filter((one) => world.alive.includes(one))) {
                const position = inits.findIndex((one) => one.name === other);
                expect(isMain(other) || position > inits.findIndex((one) => one.name === name)).toBe(false);
              }
            }
          }
          const now = ranks.indexOf(status.phase ?? "");
          if (rank >= 2) expect(now).toBe(rank);
          else expect(now).toBeGreaterThanOrEqual(rank);
          rank = now;
          if (now >= 2) {
            expect(world.alive).toEqual([]);
            expect(world.setup.state === "ready").toBe(false);
          }
          if (status.phase === "Succeeded") for (const main of mains) expect(world.at(main.name).attempt?.exit?.exitCode).toBe(0);
          if (restartPolicy === "Never")
            for (const one of all) if (!isSidecar(one)) expect(world.starts.filter((name) => name === one.name).length).toBeLessThanOrEqual(1);
          expect(world.plan().actions.filter(({ type }) => type !== "finish")).toEqual([]);
        };
        check();
        for (const { what, who, exitCode, ms } of events) {
          const name = all[who % all.length]?.name ?? "";
          if (what === "run") world.run(name);
          else if (what === "end") world.end(name, exitCode);
          else if (what === "tick") world.now += ms;
          else if (what === "unhealthy" && world.at(name).attempt?.startedAt !== undefined && world.alive.includes(name))
            world.set(name, { unhealthy: { graceMs: 1000 } });
          else if (what === "delete")
            world.pod = {
              ...world.pod,
              metadata: { ...world.pod.metadata, deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 30 },
            };
          if (!world.isFinished) check();
        }
        // Left alone, and every container ending well, a pod that may end does.
        for (let i = 0; i < 60 && restartPolicy !== "Always" && rank < 2; i++) {
          for (const one of all) world.run(one.name);
          check();
          for (const one of all) if (!isSidecar(one) || world.at(one.name).stopping !== undefined) world.end(one.name, 0);
          world.now += 310_000;
          check();
        }
        if (restartPolicy !== "Always") expect(rank).toBeGreaterThanOrEqual(2);
      },
    ),
    { numRuns: 400 },
  );
});
