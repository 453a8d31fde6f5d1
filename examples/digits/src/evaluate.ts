import { classificationMetrics, component, dataset, metrics, model, number } from "@sluice/sdk";

/** Tests the chosen model on digits that nothing has seen so far. */
export const evaluate = component({
  name: "test-model",
  files: ["network.ts", "digits.ts", "random.ts", "scores.ts"].map((file) => new URL(file, import.meta.url)),
  inputs: { model: model(), test: dataset() },
  outputs: { accuracy: number(), metrics: metrics(), classification: classificationMetrics(), mistakes: dataset() },
  run: async ({ inputs, outputs }) => {
    const { readFileSync, writeFileSync } = await import("node:fs");
    const { bestOf, classify, decodeNetwork } = await import("./network.ts");
    const { CLASSES, imageOf, readDigits } = await import("./digits.ts");
    const { confusionOf, rocOf } = await import("./scores.ts");
    const network = decodeNetwork(readFileSync(inputs.model.path, "utf8"));
    const digits = readDigits(inputs.test.path);
    const images = Array.from(digits.labels, (label, index) => ({ label, pixels: imageOf(digits, index) }));
    const probabilities = images.map(({ pixels }) => classify(network, pixels));
    const guesses = probabilities.map(bestOf);
    const rows = confusionOf(digits.labels, guesses, CLASSES);
    const right = rows.reduce((sum, row, digit) => sum + (row[digit] ?? 0), 0);
    const accuracy = right / images.length;
    const { curve, area } = rocOf(digits.labels, probabilities);
    const mistakes = images.flatMap(({ label, pixels }, index) => {
      const guess = guesses[index] ?? 0;
      return guess === label
        ? []
        : [{ label, guess, confidence: probabilities[index]?.[guess] ?? 0, pixels: Buffer.from(pixels).toString("base64") }];
    });
    mistakes.sort((a, b) => b.confidence - a.confidence);
    writeFileSync(outputs.mistakes.path, JSON.stringify(mistakes));
    Object.assign(outputs.mistakes.metadata, { count: mistakes.length });
    Object.assign(outputs.metrics.metadata, {
      test_accuracy: accuracy,
      area_under_roc: area,
      test_samples: images.length,
      mistakes: mistakes.length,
    });
    Object.assign(outputs.classification.metadata, {
      confusionMatrix: { annotationSpecs: rows.map((_, digit) => ({ displayName: String(digit) })), rows: rows.map((row) => ({ row })) },
      confidenceMetrics: curve,
    });
    console.log(`${right} of ${images.length} right: ${(accuracy * 100).toFixed(2)} %, area under ROC ${area.toFixed(4)}`);
    return { accuracy };
  },
});
