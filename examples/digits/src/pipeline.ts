import { collect, compare, forEach, integer, list, number, oneOf, otherwise, pipeline, struct, when } from "@sluice/sdk";
import { check } from "./check.ts";
import { choose } from "./choose.ts";
import { evaluate } from "./evaluate.ts";
import { explain } from "./explain.ts";
import { load } from "./load.ts";
import type { Candidate } from "./network.ts";
import { publish } from "./publish.ts";
import { report } from "./report.ts";
import { split } from "./split.ts";
import { train } from "./train.ts";

/** What is tried unless a run says otherwise. */
const CANDIDATES: readonly Candidate[] = [
  { name: "softmax regression", hidden: [], rate: 0.1, shift: 0 },
  { name: "32 units", hidden: [32], rate: 0.1, shift: 0 },
  { name: "96 units", hidden: [96], rate: 0.1, shift: 0 },
  { name: "96 units, shifted images", hidden: [96], rate: 0.1, shift: 1 },
  { name: "96 + 48 units, shifted images", hidden: [96, 48], rate: 0.1, shift: 1 },
];

/** Handwritten digits, from raw images to a model that is published only if it is good enough. */
export default pipeline(
  {
    name: "digits",
    description: "Trains several networks on handwritten digits, and publishes the best one if it is good enough.",
    inputs: {
      samples: integer({ default: 10_000 }),
      candidates: list(struct<Candidate>(), { default: CANDIDATES }),
      epochs: integer({ default: 10 }),
      threshold: number({ default: 0.95 }),
      seed: integer({ default: 1 }),
    },
  },
  ({ samples, candidates, epochs, threshold, seed }) => {
    const loaded = load({ samples });
    const checked = check({ digits: loaded.outputs.digits });
    const { training, validation, test } = split({ digits: checked.outputs.digits, seed }).outputs;

    const trained = forEach(candidates, (candidate) => train({ candidate, training, validation, epochs, seed }), { name: "candidates" });
    const best = choose({ models: collect(trained.outputs.model), accuracies: collect(trained.outputs.accuracy) }).outputs;

    const isGoodEnough = compare(best.accuracy, ">=", threshold);
    const published = when(
      isGoodEnough,
      () => {
        const { metrics, classification, mistakes } = evaluate({ model: best.model, test }).outputs;
        const { model } = publish({ model: best.model, metrics }).outputs;
        const { checks } = checked.outputs;
        return report({ best: best.name, candidates: best.candidates, model, checks, metrics, classification, mistakes }).outputs.page;
      },
      { name: "good enough" },
    );
    const refused = otherwise(() => explain({ name: best.name, accuracy: best.accuracy, threshold, candidates: best.candidates }).outputs.page, {
      name: "not good enough",
    });
    return { report: oneOf(published, refused) };
  },
);
