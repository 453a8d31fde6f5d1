/**
 * Kubeflow Pipelines v2. So far its meaning, without I/O or clock: what a task gets, what its placeholders become,
 * when its condition holds, and when two tasks are the same for the cache.
 */
export * from "./domain/condition.ts";
export * from "./domain/executor-input.ts";
export * from "./domain/fingerprint.ts";
export * from "./domain/placeholders.ts";
export * from "./domain/ir-parse.ts";
export type * from "./domain/ir.ts";
