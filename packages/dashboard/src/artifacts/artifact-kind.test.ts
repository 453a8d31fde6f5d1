import { expect, test } from "vitest";
import { areaUnder, renderingOf, textIn, viewsOf } from "./artifact-kind.ts";

const matrix = { annotationSpecs: [{ displayName: "a" }, { displayName: "b" }], rows: [{ row: [3, 1] }, { row: [0, 4] }] };
const curve = [
  { confidenceThreshold: 0.2, falsePositiveRate: 0.5, recall: 1 },
  { confidenceThreshold: 0.8, falsePositiveRate: 0, recall: 0.5 },
];

test.each([
  ["as it is", matrix, curve],
  ["as older stores wrapped it", { struct: matrix }, { list: curve }],
])("classification metrics, %s", (_name, confusionMatrix, confidenceMetrics) => {
  const views = viewsOf({ schema_title: "system.ClassificationMetrics", metadata: { confusionMatrix, confidenceMetrics, note: "x" } });
  expect(views.confusion).toEqual({
    labels: ["a", "b"],
    rows: [
      [3, 1],
      [0, 4],
    ],
  });
  expect(views.roc?.map(({ falsePositiveRate }) => falsePositiveRate)).toEqual([0, 0.5]);
  expect(views.rest).toEqual([["note", "x"]]);
});

test("metadata that only looks like metrics stays metadata", () => {
  const metadata = { confusionMatrix: { annotationSpecs: [{ displayName: "a" }], rows: [] }, confidenceMetrics: "none" };
  expect(viewsOf({ schema_title: "system.Artifact", metadata }).rest).toHaveLength(2);
  expect(viewsOf({ schema_title: "system.Dataset", metadata: { rows: 3 } }).metrics).toEqual([]);
  expect(viewsOf({ schema_title: "system.Metrics", metadata: { accuracy: 0.5, of: "all" } })).toMatchObject({
    metrics: [["accuracy", 0.5]],
    rest: [["of", "all"]],
  });
});

test("the area under a curve", () => {
  expect(areaUnder([])).toBe(0.5);
  expect(areaUnder([{ falsePositiveRate: 0, recall: 1, threshold: 0.5 }])).toBe(1);
});

test("what is shown how", () => {
  expect(renderingOf("system.HTML", "application/octet-stream")).toBe("html");
  expect(renderingOf(undefined, "text/csv; charset=utf-8")).toBe("text");
  expect(renderingOf("system.Model", "application/octet-stream")).toBeUndefined();
  expect(textIn(new TextEncoder().encode("é"), false)).toBe("é");
  expect(textIn(new TextEncoder().encode("aé").subarray(0, 2), true)).toBe("a");
  expect(textIn(new Uint8Array([0, 159, 1]), false)).toBeUndefined();
});
