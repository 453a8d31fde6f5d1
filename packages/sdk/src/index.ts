/**
 * Pipelines written in TypeScript.
 *
 * A pipeline function runs once, on the author's machine, and what it leaves behind is a graph: calling a component
 * adds a task and returns references to what the task will produce. The references are typed, so a model cannot be
 * passed where a dataset is expected, and `compile` turns the graph into the same YAML the Python SDK writes.
 *
 * Blocks nest as functions do, and give back what they return. A value that crosses a block's edge becomes an input or
 * an output of that block's component; the compiler finds the crossings, so authors use a reference wherever it is in
 * scope. Only leaving where one value may be many, or none, is explicit: a loop by `collect`, branches by `oneOf`.
 *
 * How a task runs is said where it is called; what only Kubernetes knows of becomes the document's second part.
 *
 * A function component carries its own source, and the files it names, in its command. It needs nothing but Node in its
 * image; npm packages it names are taken from the image, or installed when it starts.
 */
export * from "./types.ts";
export * from "./text.ts";
export * from "./placeholders.ts";
export * from "./component.ts";
export * from "./container.ts";
export * from "./importer.ts";
export * from "./control.ts";
export { compile } from "./compile.ts";
export * from "./pipeline.ts";
export type { PipelineConfig } from "./pipeline-config.ts";
export type { Arguments, Condition, Operator, Passthrough, Reference, References, Task, Text, Value } from "./graph.ts";
export type { PipelineTaskOptions, Resources, Retry, TaskOptions } from "./task-options.ts";
export type * from "./kubernetes-options.ts";
export * from "./volume-claims.ts";
export * from "./client.ts";
export { isPipeline, pipelineSpecOf, type PipelineSource } from "./client-spec.ts";
