import { artifacts, component, list, metrics, model, number, string, struct } from "@sluice/sdk";
import type { Trained } from "./report-page.ts";

/** Chooses the model that does best on validation digits; of equals, the smaller one. */
export const choose = component({
  name: "choose-best",
  inputs: { models: artifacts(model()), accuracies: list(number()) },
  outputs: { model: model(), metrics: metrics(), name: string(), accuracy: number(), candidates: list(struct<Trained>()) },
  run: async ({ inputs, outputs }) => {
    const { copyFileSync } = await import("node:fs");
    const candidates = inputs.models.map(({ metadata }) => metadata as unknown as Trained);
    const ranking = candidates.map((candidate, index) => ({ ...candidate, index, accuracy: inputs.accuracies[index] ?? 0 }));
    ranking.sort((a, b) => b.accuracy - a.accuracy || a.parameters - b.parameters);
    for (const { name, accuracy, parameters } of ranking) console.log(`${(accuracy * 100).toFixed(2)} %  ${name} (${parameters} parameters)`);
    const [best] = ranking;
    const chosen = best === undefined ? undefined : inputs.models[best.index];
    if (best === undefined || chosen === undefined) throw new Error("there are no models to choose from: give at least one candidate");
    copyFileSync(chosen.path, outputs.model.path);
    Object.assign(outputs.model.metadata, chosen.metadata);
    for (const { name, accuracy } of ranking) outputs.metrics.metadata[name] = accuracy;
    return { name: best.name, accuracy: best.accuracy, candidates };
  },
});
