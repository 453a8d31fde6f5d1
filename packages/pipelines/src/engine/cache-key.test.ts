import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { ComponentSpec, ContainerSpec, TaskSpec } from "../domain/ir.ts";
import { cacheKeyOf } from "./cache-key.ts";
import { differencesOf, nearestOf } from "./cache-parts.ts";
import type { ArtifactRecord, TaskValues } from "./types.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

interface Case {
  readonly name?: string;
  readonly task?: Partial<TaskSpec>;
  readonly component?: Partial<ComponentSpec>;
  readonly container?: Partial<ContainerSpec>;
  readonly inputs?: Partial<TaskValues>;
  readonly pvcNames?: readonly string[];
}

const artifact = (id: string, change: Partial<ArtifactRecord> = {}): ArtifactRecord => ({
  ...{ id, name: "data", type: { schemaTitle: "system.Dataset" }, uri: `minio://b/${id}`, metadata: {} },
  ...change,
});

function keyOf({ name = "t", task, component, container, inputs, pvcNames = [] }: Case) {
  const spec: TaskSpec = { componentRef: { name: "comp-x" }, cachingOptions: { enableCache: true }, ...task };
  const outputDefinitions = { parameters: { Output: { parameterType: "STRING" as const } } };
  const planned = {
    name,
    spec,
    component: { executorLabel: "exec-x", outputDefinitions, ...component },
    dependencies: [],
    dependents: [],
    isExit: false,
  };
  const values = { parameters: { a: 1, b: "x" }, artifacts: { data: [artifact("1")] }, ...inputs };
  return cacheKeyOf(planned, { image: "python:3.11", command: ["sh"], args: ["-c", "run"], ...container }, values, { sha256, pvcNames });
}

const key = (one: Case): string | undefined => keyOf(one)?.fingerprint;

test.each<[string, Case, Case]>([
  ["the task's name", { name: "a" }, { name: "b" }],
  ["the component's name", { task: { componentRef: { name: "comp-x" } } }, { task: { componentRef: { name: "comp-x-2" } } }],
  ["environment variables", {}, { container: { env: [{ name: "A", value: "1" }] } }],
  ["resources", {}, { container: { resources: { resourceCpuLimit: "2" } } }],
  ["retries", {}, { task: { retryPolicy: { maxRetryCount: 3 } } }],
  ["defaults of inputs", {}, { component: { inputDefinitions: { parameters: { c: { parameterType: "STRING", defaultValue: "d" } } } } }],
  [
    "where command ends and arguments begin",
    { container: { command: ["a", "b"], args: ["c"] } },
    { container: { command: ["a"], args: ["b", "c"] } },
  ],
  ["the order of inputs", { inputs: { parameters: { a: 1, b: "x" } } }, { inputs: { parameters: { b: "x", a: 1 } } }],
  ["an artifact's address and metadata", {}, { inputs: { artifacts: { data: [artifact("1", { uri: "s3://c/1", metadata: { k: 1 } })] } } }],
  ["claims named twice", { pvcNames: ["p", "q"] }, { pvcNames: ["q", "p", "q"] }],
  ["an empty list of claims", { pvcNames: [] }, {}],
  [
    "inputs, where the author chose a key",
    { task: { cachingOptions: { enableCache: true, cacheKey: "k" } } },
    { task: { cachingOptions: { enableCache: true, cacheKey: "k" } }, inputs: { parameters: { a: 2 } }, container: { image: "other" } },
  ],
])("%s does not matter", (_what, one, other) => {
  expect(key(one)).toBe(key(other));
});

test.each<[string, Case, Case, string[]]>([
  ["an input's value", {}, { inputs: { parameters: { a: 2, b: "x" } } }, ["parameter a"]],
  ["an input's type", {}, { inputs: { parameters: { a: "1", b: "x" } } }, ["parameter a"]],
  ["an input more", {}, { inputs: { parameters: { a: 1, b: "x", c: null } } }, ["parameter c"]],
  ["the image", {}, { container: { image: "python:3.12" } }, ["image"]],
  [
    "the image's pinned digest",
    { container: { image: `i@sha256:${"0".repeat(64)}` } },
    { container: { image: `i@sha256:${"1".repeat(64)}` } },
    ["image"],
  ],
  ["the command", {}, { container: { args: ["-c", "other"] } }, ["command"]],
  ["the end of a long command", { container: { args: ["x".repeat(1000)] } }, { container: { args: [`${"x".repeat(999)}y`] } }, ["command"]],
  ["an artifact", {}, { inputs: { artifacts: { data: [artifact("2")] } } }, ["artifact data"]],
  [
    "the order of artifacts",
    { inputs: { artifacts: { data: [artifact("1"), artifact("2")] } } },
    { inputs: { artifacts: { data: [artifact("2"), artifact("1")] } } },
    ["artifact data"],
  ],
  ["a volume claim", {}, { pvcNames: ["p"] }, ["claims"]],
  ["an output's type", {}, { component: { outputDefinitions: { parameters: { Output: { parameterType: "NUMBER_INTEGER" } } } } }, ["outputs"]],
  [
    "the key that the author chose",
    { task: { cachingOptions: { enableCache: true, cacheKey: "k" } } },
    { task: { cachingOptions: { enableCache: true, cacheKey: "l" } } },
    ["key"],
  ],
])("%s matters, and is named", (_what, one, other, parts) => {
  expect(key(one)).not.toBe(key(other));
  expect(differencesOf(keyOf(one)?.parts ?? {}, keyOf(other)?.parts ?? {}).map(({ part }) => part)).toEqual(parts);
});

test("the component's name matters beside a key that the author chose", () => {
  const cachingOptions = { enableCache: true, cacheKey: "k" };
  expect(key({ task: { cachingOptions } })).not.toBe(key({ task: { cachingOptions, componentRef: { name: "comp-y" } } }));
});

test("without leave there is no key", () => {
  expect(key({ task: { cachingOptions: {} } })).toBeUndefined();
  expect(key({ task: { cachingOptions: { enableCache: false, cacheKey: "k" } } })).toBeUndefined();
});

test("the nearest of several keys is the one with the fewest differences, and of those the first", () => {
  const now = { image: "i", "parameter a": "1", "parameter b": "2" };
  const candidates = [
    { ...now, image: "j", "parameter a": "9" },
    { ...now, "parameter a": "3" },
    { ...now, "parameter a": "4" },
  ];
  expect(nearestOf(candidates, now, (one) => one)).toEqual({
    candidate: candidates[1],
    differences: [{ part: "parameter a", before: "3", now: "1" }],
  });
  expect(nearestOf([], now, (one) => one)).toBeUndefined();
});
