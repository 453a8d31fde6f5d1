import type { JsonValue, Run, RunTask } from "@sluice/sdk";

/** What came out of a run of the digits pipeline. */
export interface Outcome {
  /** The steps that a container ran for, or would have. */
  readonly steps: number;
  readonly cached: number;
  readonly failed: readonly RunTask[];
  /** The report's artifact. */
  readonly page: string | undefined;
  readonly best: string | undefined;
  /** Of the chosen model on test digits; absent if it was refused. */
  readonly testAccuracy: number | undefined;
  /** Why no model is published. */
  readonly refusal: string | undefined;
}

/** Reads the outcome from a run's tasks. */
export function outcomeOf(run: Run): Outcome {
  const steps = (run.tasks ?? []).filter(({ type, state }) => type === "RUNTIME" && state !== "SKIPPED");
  const made = (name: string, key: string): JsonValue | undefined =>
    steps.find((step) => step.name === name)?.outputs?.parameters?.find(({ parameter_key: each }) => each === key)?.value;
  const text = (value: JsonValue | undefined): string | undefined => (typeof value === "string" ? value : undefined);
  const accuracy = made("test-model", "accuracy");
  return {
    steps: steps.length,
    cached: steps.filter(({ state }) => state === "CACHED").length,
    failed: steps.filter(({ state }) => state === "FAILED"),
    page: steps.flatMap(({ outputs }) => outputs?.artifacts ?? []).find(({ artifact_key: key }) => key === "page")?.artifacts?.[0]?.artifact_id,
    best: text(made("choose-best", "name")),
    testAccuracy: typeof accuracy === "number" ? accuracy : undefined,
    refusal: text(made("explain-refusal", "reason")),
  };
}
