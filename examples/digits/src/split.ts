import { component, dataset, integer, number } from "@sluice/sdk";

/** Divides the digits at random into those to learn from, those to choose by, and those to test with once. */
export const split = component({
  name: "split-digits",
  files: [new URL("./digits.ts", import.meta.url), new URL("./random.ts", import.meta.url)],
  inputs: { digits: dataset(), validation: number({ default: 0.15 }), test: number({ default: 0.15 }), seed: integer() },
  outputs: { training: dataset(), validation: dataset(), test: dataset() },
  run: async ({ inputs, outputs }) => {
    const { countsOf, readDigits, selectDigits, writeDigits } = await import("./digits.ts");
    const { randomFrom, shuffled } = await import("./random.ts");
    const digits = readDigits(inputs.digits.path);
    const total = digits.labels.length;
    const order = shuffled(total, randomFrom(inputs.seed));
    const test = Math.round(total * inputs.test);
    const chosen = test + Math.round(total * inputs.validation);
    const parts = { test: order.subarray(0, test), validation: order.subarray(test, chosen), training: order.subarray(chosen) };
    for (const name of ["training", "validation", "test"] as const) {
      const part = selectDigits(digits, parts[name]);
      if (part.labels.length === 0) throw new Error(`no digits are left for ${name}: lower the other shares`);
      writeDigits(outputs[name].path, part);
      Object.assign(outputs[name].metadata, { samples: part.labels.length, counts: countsOf(part) });
      console.log(`${part.labels.length} for ${name}`);
    }
  },
});
