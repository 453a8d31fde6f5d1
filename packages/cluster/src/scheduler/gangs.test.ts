import type { Pod } from "@sluice/kubernetes";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { nodeObject } from "../controllers/control-plane.fixture.ts";
import { ClusterState } from "./cluster-state.ts";
import { EquivalenceCache } from "./equivalence-cache.ts";
import { placeGang } from "./gangs.ts";
import { pendingPod, type PendingPod } from "./pending-pod.ts";

const member = (uid: string, cpu: number): PendingPod => {
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: uid, uid, namespace: "n" },
    spec: { containers: [{ name: "main", image: "x", resources: { requests: { cpu: String(cpu) } } }] },
  };
  return pendingPod(pod);
};
const sizes = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 130 });
const step = fc.oneof(
  fc.record({ do: fc.constant("gang" as const), cpus: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 }), spare: fc.nat(2) }),
  fc.record({ do: fc.constant("end" as const), nth: fc.nat(10) }),
  fc.record({ do: fc.constant("resize" as const), nth: fc.nat(200), cpu: fc.integer({ min: 0, max: 6 }) }),
);

test("no node is ever overcommitted, no group is placed in part, and what was refused left no trace", () => {
  fc.assert(
    fc.property(sizes, fc.array(step, { maxLength: 40 }), (initial, steps) => {
      const state = new ClusterState();
      const cache = new EquivalenceCache(state);
      const capacity = [...initial];
      const put = (index: number): void => state.setNode(`n${index}`, nodeObject(`n${index}`, { cpu: String(capacity[index] ?? 0), pods: "9" }));
      for (const index of capacity.keys()) put(index);
      const running: PendingPod[][] = [];
      const taken = (): number[] => state.nodes.map(({ usage }) => usage.requested("cpu"));
      let serial = 0;
      for (const one of steps) {
        if (one.do === "end") {
          for (const { uid } of running.splice(one.nth, 1).flat()) state.release(uid);
          continue;
        }
        if (one.do === "resize") {
          const index = one.nth % capacity.length;
          const used = (state.node(`n${index}`)?.usage.requested("cpu") ?? 0) / 1000;
          capacity[index] = Math.max(one.cpu, used);
          put(index);
          continue;
        }
        const pods = one.cpus.map((cpu) => member(`p${serial++}`, cpu));
        const needed = Math.max(1, pods.length - one.spare);
        const before = taken();
        const placement = placeGang(pods, {
          needed,
          place: ({ signature, demand }) => cache.place(signature, demand),
          assign: ({ uid, demand }, node) => state.assign(uid, node, demand),
          release: ({ uid }) => state.release(uid),
        });
        if ("refused" in placement) {
          expect(placement.fitting).toBeLessThan(pods.length);
          expect(taken()).toEqual(before);
          continue;
        }
        expect(placement.placed.length).toBeGreaterThanOrEqual(needed);
        running.push(placement.placed.map(({ pending }) => pending));
        for (const { node, usage, allocatable } of state.nodes) {
          expect(usage.requested("cpu"), node.metadata.name).toBeLessThanOrEqual(allocatable.get("cpu") ?? 0);
          expect(usage.pods.size).toBeLessThanOrEqual(9);
        }
      }
    }),
    { numRuns: 150 },
  );
});

test("pods of one kind find every place that there is", () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 4 }), fc.array(fc.nat(500), { maxLength: 20 }), (capacity, cpu, ends) => {
      const state = new ClusterState();
      const cache = new EquivalenceCache(state);
      for (const [i, size] of capacity.entries()) state.setNode(`n${i}`, nodeObject(`n${i}`, { cpu: String(size), pods: "99" }));
      let serial = 0;
      const running: string[] = [];
      const fill = (): void => {
        for (;;) {
          const { uid, signature, demand } = member(`p${serial++}`, cpu);
          const placement = cache.place(signature, demand);
          if (!("node" in placement)) return;
          state.assign(uid, placement.node, demand);
          running.push(uid);
        }
      };
      const room = capacity.reduce((sum, size) => sum + Math.floor(size / cpu), 0);
      fill();
      expect(running.length).toBe(room);
      for (const nth of ends) for (const uid of running.splice(nth, 1)) state.release(uid);
      fill();
      expect(running.length).toBe(room);
    }),
    { numRuns: 50 },
  );
});
