import { mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, expect, test } from "vitest";
import { PIXELS, readDigits, writeDigits, type Digits } from "./digits.ts";
import type { Candidate } from "./network.ts";
import { Steps, type StepArtifact } from "./steps.fixture.ts";

const steps = new Steps();
afterAll(() => steps[Symbol.dispose]());

const named = (artifact: StepArtifact | undefined): StepArtifact => {
  if (artifact === undefined) throw new Error("the step did not give it");
  return artifact;
};
const digitsAt = (artifact: StepArtifact | undefined): Digits => readDigits(steps.pathOf(named(artifact)));

test("every step of the pipeline does its part, each in a process of its own", () => {
  const loaded = steps.run("load-digits", { parameters: { samples: 2000 } }).artifacts;
  const checked = steps.run("check-digits", { artifacts: { digits: named(loaded["digits"]) } }).artifacts;
  expect(checked["checks"]?.metadata).toMatchObject({ samples: 2000, digit_0: 200, digit_9: 200 });

  const divide = (): Record<string, StepArtifact> =>
    steps.run("split-digits", { parameters: { validation: 0.15, test: 0.15, seed: 1 }, artifacts: { digits: named(checked["digits"]) } }).artifacts;
  const parts = divide();
  expect(["training", "validation", "test"].map((name) => digitsAt(parts[name]).labels.length)).toEqual([1400, 300, 300]);
  expect(digitsAt(divide()["test"])).toEqual(digitsAt(parts["test"]));

  const { training, validation, test: unseen } = parts;
  const train = (candidate: Candidate): ReturnType<Steps["run"]> =>
    steps.run("train", {
      parameters: { candidate: { ...candidate }, epochs: 4, seed: 1 },
      artifacts: { training: named(training), validation: named(validation) },
    });
  const trained = [train({ name: "none", hidden: [], rate: 0, shift: 0 }), train({ name: "32 units", hidden: [32], rate: 0.05, shift: 0 })];
  const chosen = steps.run("choose-best", {
    parameters: { accuracies: trained.map(({ parameters }) => parameters["accuracy"] ?? 0) },
    artifacts: { models: trained.map(({ artifacts }) => named(artifacts["model"])) },
  });
  expect(chosen.parameters).toMatchObject({ name: "32 units", accuracy: trained[1]?.parameters["accuracy"] });
  expect(chosen.artifacts["metrics"]?.metadata["32 units"]).toBeGreaterThan(0.8);

  const model = named(chosen.artifacts["model"]);
  const tested = steps.run("test-model", { artifacts: { model, test: named(unseen) } });
  expect(tested.parameters["accuracy"]).toBeGreaterThan(0.8);
  const { confusionMatrix, confidenceMetrics } = named(tested.artifacts["classification"]).metadata as unknown as {
    confusionMatrix: { annotationSpecs: object[]; rows: { row: number[] }[] };
    confidenceMetrics: object[];
  };
  expect(confusionMatrix.annotationSpecs[7]).toEqual({ displayName: "7" });
  expect(confusionMatrix.rows.flatMap(({ row }) => row).reduce((sum, count) => sum + count)).toBe(300);
  expect(confidenceMetrics.at(-1)).toMatchObject({ recall: 1, falsePositiveRate: 1 });

  const metrics = named(tested.artifacts["metrics"]);
  const published = steps.run("publish-model", { artifacts: { model, metrics } }).artifacts;
  expect(published["model"]?.metadata).toMatchObject({ name: "32 units", testAccuracy: tested.parameters["accuracy"] });
  const { candidates = [] } = chosen.parameters;
  const report = steps.run("write-report", {
    parameters: { best: "32 units", candidates },
    artifacts: {
      model: named(published["model"]),
      checks: named(checked["checks"]),
      metrics,
      classification: named(tested.artifacts["classification"]),
      mistakes: named(tested.artifacts["mistakes"]),
    },
  });
  const page = readFileSync(steps.pathOf(named(report.artifacts["page"])), "utf8");
  expect(page).toContain(`${(Number(tested.parameters["accuracy"]) * 100).toFixed(1)} %`);
  expect(page).not.toMatch(/undefined|NaN|(src|href)=|https?:/u);

  const refused = steps.run("explain-refusal", { parameters: { name: "32 units", accuracy: 0.9, threshold: 0.95, candidates } });
  expect(refused.parameters["reason"]).toBe("the best candidate, 32 units, got 90.00 % of the validation digits right, and 95.00 % are asked for");
});

test("more digits than there are cannot be asked for", () => {
  expect(() => steps.run("load-digits", { parameters: { samples: 10_001 } })).toThrow("mnist has 10000 digits, and 10001 were asked for");
});

test("data that is not fit is refused, with all that is wrong", () => {
  const bad = { name: "digits", uri: "minio://test/bad/digits", metadata: {} };
  mkdirSync(dirname(steps.pathOf(bad)), { recursive: true });
  const pixels = new Uint8Array(4 * PIXELS)
    .fill(0, 0, PIXELS)
    .fill(9, PIXELS, 3 * PIXELS)
    .fill(7, 3 * PIXELS);
  writeDigits(steps.pathOf(bad), { labels: Uint8Array.of(1, 2, 3, 11), pixels });
  expect(() => steps.run("check-digits", { artifacts: { digits: bad } })).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(
        /^Error: the digits are not fit to learn from:\n.*only 4 digits[^]*digit 0 is 0\.0 %[^]*1 labels are no digit[^]*1 images are blank[^]*two different labels/u,
      ) as string,
    }),
  );
});
