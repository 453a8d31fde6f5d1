import fc from "fast-check";
import { parse } from "yaml";
import { expect, test } from "vitest";
import { compile, type JsonValue, type RunTask } from "@sluice/sdk";
import { DIGITS, WIDE } from "../browser/pipelines.fixture.ts";
import { conditionText, detailOf } from "./kinds.ts";
import { layOut, pathOf, type Box } from "./graph-layout.ts";
import { graphOf, scopeShowing, shapeOf, type GraphNode, type Shape } from "./graph-model.ts";
import { readPipelineSpec } from "./pipeline-spec.ts";
import { countStates, indexTasks } from "./task-tree.ts";

const digits = readPipelineSpec(parse(compile(DIGITS)) as JsonValue);
const task = (id: string, parent: string | undefined, more: Partial<RunTask> = {}): RunTask => ({
  ...{ task_id: id, run_id: "r", name: id, type: "RUNTIME", state: "SUCCEEDED" },
  ...(parent === undefined ? {} : { parent_task_id: parent }),
  ...more,
});
const root = task("root", undefined, { type: "ROOT", state: "RUNNING", display_name: "digits" });
const loop = (count: number): RunTask[] => [
  task("for-loop-1", "root", { type: "LOOP", state: "RUNNING", type_attributes: { iteration_count: count } }),
  ...Array.from({ length: count }, (_, index) =>
    task(`i${index}`, "for-loop-1", { name: "for-loop-1", type: "DAG", type_attributes: { iteration_index: index } }),
  ),
];
const labels = (nodes: readonly GraphNode[]): string[] => nodes.map(({ place }) => place.label);

test("a pipeline that nothing has begun of is known from its specification", () => {
  const index = indexTasks(digits, []);
  const nodes = graphOf(index, index.root);
  expect(labels(nodes).sort()).toEqual(["choose", "condition-branches-1", "evaluate", "for-loop-1", "prepare"]);
  expect(nodes.every(({ place }) => place.state === "NONE")).toBe(true);
  expect(index.find("root.evaluate")?.after.toSorted()).toEqual(["root.choose", "root.prepare"]);
  expect(index.find("root.condition-branches-1.condition-1.publish")?.component.image).toBe("python:3.12");
  expect(index.find("root.nowhere.at-all")).toBeUndefined();
});

test("records fill the places, and few iterations are drawn open", () => {
  const index = indexTasks(digits, [root, task("prepare", "root"), ...loop(2), task("t", "i1", { name: "train", state: "FAILED" })]);
  const drawn = graphOf(index, index.root).find(({ place }) => place.key === "for-loop-1");
  expect(drawn?.inside?.map(({ place }) => [place.path, place.state])).toEqual([
    ["root.for-loop-1.0", "SUCCEEDED"],
    ["root.for-loop-1.1", "SUCCEEDED"],
  ]);
  expect(index.find("root.for-loop-1.1.train")).toMatchObject({ state: "FAILED", label: "train" });
});

test("many iterations are one box that counts them", () => {
  const index = indexTasks(digits, [root, ...loop(500)]);
  const drawn = graphOf(index, index.root).find(({ place }) => place.key === "for-loop-1");
  expect(drawn?.inside).toBeUndefined();
  expect([...(drawn?.counts ?? [])]).toEqual([["SUCCEEDED", 500]]);
  expect(scopeShowing(index, "root.for-loop-1.7.train")).toBe("root.for-loop-1.7");
  expect(scopeShowing(index, "root.for-loop-1.7")).toBeUndefined();
  expect(scopeShowing(index, "root.prepare")).toBeUndefined();
});

test("the shape stays when only states change", () => {
  const shape = (state: RunTask["state"]): readonly Shape[] => {
    const index = indexTasks(digits, [root, task("prepare", "root", { state })]);
    return shapeOf(graphOf(index, index.root));
  };
  expect(shape("RUNNING")).toEqual(shape("SUCCEEDED"));
});

test("conditions are told by names", () => {
  expect(conditionText("inputs.parameter_values['pipelinechannel--choose-best'] > 0.9")).toBe("choose-best > 0.9");
});

const overlaps = (one: Box, other: Box): boolean =>
  one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height;

test("boxes of one parent never overlap and stay in it; arrows point downwards", () => {
  const shape = (key: number, after: readonly number[]): Shape => ({
    path: `root.${key}`,
    isClosed: false,
    after: after.map((other) => `root.${other}`),
  });
  const graphs = fc.array(fc.array(fc.nat(11), { maxLength: 3 }), { maxLength: 12 }).map((lists) =>
    lists.map((after, key) =>
      shape(
        key,
        after.filter((other) => other < key),
      ),
    ),
  );
  fc.assert(
    fc.property(graphs, (shapes) => {
      const { boxes, arrows, width, height } = layOut(shapes);
      expect(boxes).toHaveLength(shapes.length);
      boxes.forEach((box, index) => {
        expect(box.x >= -0.01 && box.y >= -0.01 && box.x + box.width <= width + 0.01 && box.y + box.height <= height + 0.01).toBe(true);
        expect(boxes.slice(index + 1).some((other) => overlaps(box, other))).toBe(false);
      });
      for (const { points } of arrows) {
        points.forEach(({ y }, index) => expect(y).toBeGreaterThanOrEqual((points[index - 1]?.y ?? -Infinity) - 0.01));
        expect(pathOf(points)).toMatch(/^M/u);
      }
    }),
    { numRuns: 60 },
  );
});

test("what is inside a box is within it, and wide graphs are folded", () => {
  const index = indexTasks(digits, [root, ...loop(3)]);
  const { boxes } = layOut(shapeOf(graphOf(index, index.root)));
  const byPath = new Map(boxes.map((box) => [box.path, box]));
  for (const { parent, x, y, width, height } of boxes) {
    const around = parent === undefined ? undefined : byPath.get(parent);
    if (around !== undefined) expect(x >= 0 && y >= 0 && x + width <= around.width && y + height <= around.height).toBe(true);
  }
  const chains = Array.from({ length: 60 }, (_, chain) =>
    [0, 1, 2].map((depth): Shape => ({ path: `${chain}.${depth}`, isClosed: false, after: depth === 0 ? [] : [`${chain}.${depth - 1}`] })),
  );
  const layout = layOut(chains.flat());
  expect(layout.width / layout.height).toBeLessThan(3);
});

test("states are counted", () => {
  const wide = indexTasks(readPipelineSpec(parse(compile(WIDE)) as JsonValue), [root, ...loop(3).slice(0, 3)]);
  const place = wide.find("root.for-loop-1");
  expect([...countStates(place === undefined ? [] : wide.children(place))]).toEqual([
    ["SUCCEEDED", 2],
    ["NONE", 1],
  ]);
});

test.each<[JsonValue, string]>([
  [0.1, "0.1"],
  [{ name: "32 units", hidden: [32] }, "32 units"],
  [{ rate: 0.1 }, '{"rate":0.1}'],
  [[1, 2], "[1,2]"],
])("the item %j of an iteration is said in brief", (value, brief) => {
  const item = task("i0", "for-loop-1", { inputs: { parameters: [{ parameter_key: "pipelinechannel--loop-item-param-1", value }] } });
  expect(detailOf({ kind: "DAG", iteration: 0, task: item })).toBe(brief);
});
