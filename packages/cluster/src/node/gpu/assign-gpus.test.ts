import type { Container, Pod } from "@sluice/kubernetes";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { assignGpus, GPU, gpuVariables } from "./assign-gpus.ts";

const container = (name: string, gpus: number, more: Partial<Container> = {}): Container => ({
  name,
  image: "x",
  ...(gpus === 0 ? {} : { resources: { limits: { [GPU]: String(gpus) } } }),
  ...more,
});
const podOf = (containers: readonly number[], inits: readonly number[] = [], sidecars: readonly number[] = []): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p" },
  spec: {
    initContainers: [
      ...inits.map((gpus, i) => container(`i${i}`, gpus)),
      ...sidecars.map((gpus, i) => container(`s${i}`, gpus, { restartPolicy: "Always" })),
    ],
    containers: containers.map((gpus, i) => container(`c${i}`, gpus)),
  },
});

test("containers and sidecars have theirs for themselves, init containers use what comes free", () => {
  expect(assignGpus(podOf([1, 2], [2], [1]), ["0", "3", "4", "7", "9"])).toEqual({ s0: ["0"], c0: ["3"], c1: ["4", "7"], i0: ["3", "4"] });
  expect(assignGpus(podOf([1, 2]), ["0", "3"])).toBeUndefined();
  expect(assignGpus(podOf([0]), [])).toEqual({});
});

test("no device is given twice, and nothing is refused that fits", () => {
  const few = fc.array(fc.nat(3), { maxLength: 3 });
  fc.assert(
    fc.property(few, few, few, fc.nat(8), (containers, inits, sidecars, size) => {
      const free = Array.from({ length: size }, (_, index) => String(index));
      const given = assignGpus(podOf(containers, inits, sidecars), free);
      const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
      const needed = sum(sidecars) + Math.max(sum(containers), ...inits);
      expect(given !== undefined).toBe(needed <= size);
      if (given === undefined) return;
      const lasting = Object.entries(given).flatMap(([name, devices]) => (name.startsWith("i") ? [] : devices));
      expect(new Set(lasting).size).toBe(lasting.length);
      for (const [i, gpus] of containers.entries()) expect(given[`c${i}`]?.length ?? 0).toBe(gpus);
    }),
  );
});

test("what a program is told", () => {
  expect(gpuVariables(["1", "2"], true)).toEqual({ NVIDIA_VISIBLE_DEVICES: "1,2", CUDA_VISIBLE_DEVICES: "1,2" });
  expect(gpuVariables(undefined, true)).toEqual({ NVIDIA_VISIBLE_DEVICES: "void", CUDA_VISIBLE_DEVICES: "" });
  expect(gpuVariables(undefined, false)).toEqual({});
});
