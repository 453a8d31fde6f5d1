/**
 * Pipelines written in TypeScript.
 *
 * A pipeline function runs once, on the author's machine, and what it leaves behind is a graph: calling a component
 * adds a task and returns references to what the task will produce. The references are typed, so a model cannot be
 * passed where a dataset is expected, and `compile` turns the graph into the same YAML the Python SDK writes.
 *
 * Blocks nest as functions do. A value that crosses a block's edge becomes an input or an output of that block's
 * component; the compiler finds the crossings, so authors use a reference wherever it is in scope. Only leaving a
 * loop is explicit, with `collect`, because there one value becomes many; a condition's values cannot leave it.
 *
 * A function component carries its own source in its command and needs nothing but Node in its image: nothing is
 * installed when it starts. The price is that the function must be self-contained.
 */
export * from "./types.ts";
export * from "./component.ts";
export * from "./control.ts";
export { compile, pipeline, type Pipeline } from "./compile.ts";
export type {
  Arguments,
  Condition,
  Operator,
  Reference,
  References,
  Resources,
  Retry,
  Task,
  TaskOptions,
} from "./graph.ts";
export * from "./client.ts";
export { isPipeline, type PipelineSource } from "./client-spec.ts";
