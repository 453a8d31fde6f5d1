import { component, markdown, metrics, model } from "@sluice/sdk";

/** Gives the model its name, and says in a card what it is and what it is not. */
export const publish = component({
  name: "publish-model",
  inputs: { model: model(), metrics: metrics() },
  outputs: { model: model(), card: markdown() },
  run: async ({ inputs, outputs }) => {
    const { createHash } = await import("node:crypto");
    const { readFileSync, writeFileSync } = await import("node:fs");
    const bytes = readFileSync(inputs.model.path);
    const { name, hidden, parameters, validationAccuracy } = inputs.model.metadata;
    const { test_accuracy: testAccuracy, test_samples: samples } = inputs.metrics.metadata;
    const version = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
    const percent = (value: unknown): string => `${(Number(value) * 100).toFixed(2)} %`;
    writeFileSync(outputs.model.path, bytes);
    Object.assign(outputs.model.metadata, { name, version, hidden, parameters, validationAccuracy, testAccuracy, classes: 10 });
    const card = [
      `# digits ${version}`,
      "",
      `Tells handwritten digits apart: 28 × 28 pixels, dark on light, one digit in the middle of each image.`,
      "",
      "| | |",
      "|---|---|",
      `| kind | ${String(name)}, ${String(parameters)} parameters |`,
      `| validation, by which it was chosen | ${percent(validationAccuracy)} |`,
      `| test, seen once | ${percent(testAccuracy)} of ${String(samples)} digits |`,
      "",
      "Not for anything else: it has no notion of what is no digit.",
      "",
    ];
    writeFileSync(outputs.card.path, card.join("\n"));
    console.log(`published digits ${version}`);
  },
});
