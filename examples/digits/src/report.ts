import { classificationMetrics, component, dataset, html, list, metrics, model, string, struct } from "@sluice/sdk";
import type { Mistake, Trained } from "./report-page.ts";

/** Makes one page of all that came out. */
export const report = component({
  name: "write-report",
  files: ["report-page.ts", "charts.ts"].map((file) => new URL(file, import.meta.url)),
  inputs: {
    best: string(),
    candidates: list(struct<Trained>()),
    model: model(),
    checks: metrics(),
    metrics: metrics(),
    classification: classificationMetrics(),
    mistakes: dataset(),
  },
  outputs: { page: html() },
  run: async ({ inputs, outputs }) => {
    const { readFileSync, writeFileSync } = await import("node:fs");
    const { reportPage } = await import("./report-page.ts");
    const { confusionMatrix, confidenceMetrics } = inputs.classification.metadata as {
      confusionMatrix: { rows: { row: number[] }[] };
      confidenceMetrics: { recall: number; falsePositiveRate: number }[];
    };
    const number = (facts: Record<string, unknown>, key: string): number => Number(facts[key]);
    const page = reportPage({
      best: inputs.best,
      version: String(inputs.model.metadata["version"]),
      candidates: inputs.candidates,
      counts: Array.from({ length: 10 }, (_, digit) => number(inputs.checks.metadata, `digit_${digit}`)),
      accuracy: number(inputs.metrics.metadata, "test_accuracy"),
      samples: number(inputs.metrics.metadata, "test_samples"),
      area: number(inputs.metrics.metadata, "area_under_roc"),
      confusion: confusionMatrix.rows.map(({ row }) => row),
      roc: confidenceMetrics,
      mistakes: JSON.parse(readFileSync(inputs.mistakes.path, "utf8")) as Mistake[],
    });
    writeFileSync(outputs.page.path, page);
    console.log(`a page of ${page.length} characters`);
  },
});
