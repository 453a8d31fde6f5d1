import { component, dataset, integer, metrics, model, number, struct } from "@sluice/sdk";
import type { Candidate } from "./network.ts";

/** Trains one candidate, and measures after every epoch how well it does on digits it does not learn from. */
export const train = component({
  name: "train",
  files: ["network.ts", "digits.ts", "random.ts"].map((file) => new URL(file, import.meta.url)),
  inputs: { candidate: struct<Candidate>(), training: dataset(), validation: dataset(), epochs: integer(), seed: integer() },
  outputs: { model: model(), metrics: metrics(), accuracy: number() },
  run: async ({ inputs, outputs }) => {
    const { writeFileSync } = await import("node:fs");
    const { accuracyOf, createNetwork, encodeNetwork, parametersOf, train: epochsOf } = await import("./network.ts");
    const { readDigits } = await import("./digits.ts");
    const { randomFrom } = await import("./random.ts");
    const { candidate, epochs, seed } = inputs;
    const [training, validation] = [readDigits(inputs.training.path), readDigits(inputs.validation.path)];
    const random = randomFrom(seed);
    const network = createNetwork(candidate.hidden, random);
    const parameters = parametersOf(network);
    console.log(`${candidate.name}: ${network.sizes.join(" → ")}, ${parameters} parameters, ${training.labels.length} digits`);

    const curve: { loss: number; accuracy: number }[] = [];
    let accuracy = 0;
    for (const loss of epochsOf(network, training, { ...candidate, epochs, random })) {
      accuracy = accuracyOf(network, validation);
      curve.push({ loss, accuracy });
      console.log(
        `epoch ${String(curve.length).padStart(2)} of ${epochs}: loss ${loss.toFixed(3)}, ${(accuracy * 100).toFixed(1)} % of validation right`,
      );
    }
    writeFileSync(outputs.model.path, encodeNetwork(network));
    Object.assign(outputs.model.metadata, { ...candidate, parameters, validationAccuracy: accuracy, curve });
    Object.assign(outputs.metrics.metadata, { validation_accuracy: accuracy, training_loss: curve.at(-1)?.loss ?? 0, parameters });
    return { accuracy };
  },
});
