/**
 * Kubeflow Pipelines v2. `domain` is its meaning: what a task gets, what its placeholders become, when its condition holds, and
 * when two tasks are the same for the cache. `engine` decides what happens next in a run, without I/O or clock. `runner` does it:
 * it turns pods into events, stores what the engine decided in one transaction, and then acts. `agent` moves artifacts into and out
 * of pods, `store` keeps everything, `routes` is the REST API, and `component` puts all of it together for the platform.
 */
export * from "./domain/condition.ts";
export * from "./domain/executor-input.ts";
export * from "./domain/fingerprint.ts";
export * from "./domain/placeholders.ts";
export * from "./domain/ir-parse.ts";
export type * from "./domain/ir.ts";
export { pipelinesComponent, type PipelinesOptions } from "./component.ts";
export * from "./engine/index.ts";
export * from "./agent/artifact-agent.ts";
export * from "./agent/agent-task.ts";
