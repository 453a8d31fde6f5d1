import { component, dataset, metrics } from "@sluice/sdk";

/** Refuses data that nothing can be learnt from: too little of it, lopsided, blank, or contradicting itself. */
export const check = component({
  name: "check-digits",
  files: [new URL("./digits.ts", import.meta.url)],
  inputs: { digits: dataset() },
  outputs: { digits: dataset(), checks: metrics() },
  run: async ({ inputs, outputs }) => {
    const { copyFileSync } = await import("node:fs");
    const { CLASSES, countsOf, imageOf, readDigits } = await import("./digits.ts");
    const LEAST = 100;
    const digits = readDigits(inputs.digits.path);
    const { labels, pixels } = digits;
    const problems: string[] = [];

    const total = labels.length;
    if (total < LEAST * CLASSES) problems.push(`there are only ${total} digits, and at least ${LEAST * CLASSES} are needed`);
    const counts = countsOf(digits);
    counts.forEach((count, digit) => {
      const share = count / total;
      if (share < 0.5 / CLASSES || share > 2 / CLASSES)
        problems.push(`digit ${digit} is ${(share * 100).toFixed(1)} % of all, and should be about ${100 / CLASSES} %`);
    });
    const strange = labels.filter((label) => label >= CLASSES).length;
    if (strange > 0) problems.push(`${strange} labels are no digit`);

    const seen = new Map<string, number>();
    let blank = 0;
    let repeated = 0;
    let contradicting = 0;
    labels.forEach((label, index) => {
      const image = imageOf(digits, index);
      if (image.every((ink) => ink === 0)) blank++;
      const key = Buffer.from(image).toString("latin1");
      const other = seen.get(key);
      if (other !== undefined) repeated++;
      if (other !== undefined && other !== label) contradicting++;
      seen.set(key, label);
    });
    if (blank > 0) problems.push(`${blank} images are blank`);
    if (contradicting > 0) problems.push(`${contradicting} images have two different labels`);
    // The same image in two parts of a split would make the test an easy one.
    if (repeated > 0) problems.push(`${repeated} images are there more than once`);
    if (problems.length > 0) throw new Error(`the digits are not fit to learn from:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);

    copyFileSync(inputs.digits.path, outputs.digits.path);
    const ink = pixels.reduce((sum, value) => sum + value, 0) / pixels.length / 255;
    Object.assign(outputs.digits.metadata, inputs.digits.metadata, { checked: true });
    Object.assign(outputs.checks.metadata, { samples: total, ink, ...Object.fromEntries(counts.map((count, digit) => [`digit_${digit}`, count])) });
    console.log(`${total} digits, each different, ${Math.min(...counts)} to ${Math.max(...counts)} of each`);
  },
});
