import { component, html, list, number, string, struct } from "@sluice/sdk";
import type { Trained } from "./report-page.ts";

/** Says why no model is published. */
export const explain = component({
  name: "explain-refusal",
  files: ["report-page.ts", "charts.ts"].map((file) => new URL(file, import.meta.url)),
  inputs: { name: string(), accuracy: number(), threshold: number(), candidates: list(struct<Trained>()) },
  outputs: { page: html(), reason: string() },
  run: async ({ inputs, outputs }) => {
    const { writeFileSync } = await import("node:fs");
    const { refusalPage } = await import("./report-page.ts");
    const percent = (value: number): string => `${(value * 100).toFixed(2)} %`;
    const reason = `the best candidate, ${inputs.name}, got ${percent(inputs.accuracy)} of the validation digits right, and ${percent(inputs.threshold)} are asked for`;
    writeFileSync(outputs.page.path, refusalPage({ reason, candidates: inputs.candidates, best: inputs.name, threshold: inputs.threshold }));
    console.log(`no model is published: ${reason}`);
    return { reason };
  },
});
