import { expect, test } from "vitest";
import { CLASSES, imageOf, PIXELS, type Digits } from "./digits.ts";
import { accuracyOf, classify, createNetwork, decodeNetwork, encodeNetwork, parametersOf, train } from "./network.ts";
import { randomFrom } from "./random.ts";
import { confusionOf, rocOf } from "./scores.ts";

/** Ten easy patterns with noise: a lit row for each digit. */
function patterns(count: number, seed: number): Digits {
  const random = randomFrom(seed);
  const labels = Uint8Array.from({ length: count }, (_, index) => index % CLASSES);
  const pixels = Uint8Array.from({ length: count * PIXELS }, (_, at) => {
    const row = Math.floor((at % PIXELS) / 28);
    const isLit = row === 6 + (labels[Math.floor(at / PIXELS)] ?? 0);
    return isLit ? 255 * random() : random() < 0.05 ? 200 : 0;
  });
  return { labels, pixels };
}

test("learning lowers the loss, is the same for the same seed, and is kept by the file", () => {
  const [known, unseen] = [patterns(400, 1), patterns(100, 2)];
  const learn = (): ReturnType<typeof createNetwork> => {
    const random = randomFrom(3);
    const network = createNetwork([16], random);
    const losses = [...train(network, known, { epochs: 6, rate: 0.05, shift: 0, random })];
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 4);
    return network;
  };
  const network = learn();
  expect(accuracyOf(network, unseen)).toBeGreaterThan(0.95);
  expect(encodeNetwork(learn())).toBe(encodeNetwork(network));
  expect(decodeNetwork(encodeNetwork(network))).toEqual(network);
  expect(parametersOf(network)).toBe(PIXELS * 16 + 16 + 16 * CLASSES + CLASSES);
  const probabilities = classify(network, imageOf(unseen, 0));
  expect(probabilities.reduce((sum, value) => sum + value)).toBeCloseTo(1, 5);
});

test("scores count what they say", () => {
  const rows = [
    [0.9, 0.1],
    [0.4, 0.6],
    [0.7, 0.3],
    [0.2, 0.8],
  ].map((row) => Float32Array.from(row));
  expect(confusionOf([0, 1, 1, 1], [0, 1, 0, 1], 2)).toEqual([
    [1, 0],
    [1, 2],
  ]);
  const { area, curve } = rocOf([0, 1, 1, 1], rows);
  // 16 pairs of a right and a wrong score; the right one is higher in 13.
  expect(area).toBeCloseTo(13 / 16, 6);
  expect(curve[0]).toEqual({ confidenceThreshold: 1, recall: 0, falsePositiveRate: 0 });
  expect(curve.at(-1)).toMatchObject({ recall: 1, falsePositiveRate: 1 });
  expect(
    rocOf(
      [0, 1, 0, 1],
      rows.map(() => Float32Array.of(0.5, 0.5)),
    ).area,
  ).toBeCloseTo(0.5, 6);
});
