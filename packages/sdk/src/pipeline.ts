import { UserError } from "@sluice/kubernetes";
import { addTask } from "./add-task.ts";
import { isReference, within, type Arguments, type Reference, type Scope, type Task } from "./graph.ts";
import { checkPipelineConfig, type PipelineConfig } from "./pipeline-config.ts";
import type { PipelineTaskOptions } from "./task-options.ts";
import { checkName, checkPorts, type Ports } from "./types.ts";

/** What a pipeline gives: its outputs by name. */
export type PipelineOutputs = Readonly<Record<string, Reference>>;

/** What a pipeline says of itself. */
export interface PipelineOptions<I extends Ports> extends PipelineConfig {
  readonly name: string;
  /** What it is called where pipelines are shown. */
  readonly displayName?: string;
  readonly description?: string;
  readonly inputs: I;
  /** Where its runs keep their artifacts, unless a run says otherwise. */
  readonly pipelineRoot?: string;
}

/** A pipeline's graph and its declaration. */
export interface Pipeline<I extends Ports = Ports> extends PipelineOptions<I> {
  readonly outputs: PipelineOutputs;
  readonly root: Scope;
}

type PortsOf<R> = R extends PipelineOutputs
  ? { readonly [K in keyof R]: R[K] extends Reference<infer P> ? P : never }
  : Readonly<Record<never, never>>;
/** A pipeline is a component, too: calling it inside another pipeline adds it as one task. */
export interface PipelineComponent<I extends Ports, R> extends Pipeline<I> {
  (inputs: Arguments<I>, options?: PipelineTaskOptions): Task<PortsOf<R>>;
}

/** A pipeline: the function is called once, with references to the inputs, to build the graph; what it returns are the outputs. */
export function pipeline<const I extends Ports, R extends PipelineOutputs | void>(
  options: PipelineOptions<I>,
  body: (inputs: { readonly [K in keyof I]: Reference<I[K]> }) => R,
): PipelineComponent<I, R> {
  const { name, inputs } = options;
  checkName("pipeline", name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u);
  checkPorts(name, inputs);
  checkPipelineConfig(name, options);
  const root: Scope = { kind: "root", parent: undefined, nodes: [] };
  const references: Record<string, Reference> = {};
  for (const [key, type] of Object.entries(inputs)) {
    references[key] = { kind: "reference", type, source: { kind: "input", root, key }, collected: false };
  }
  const results: PipelineOutputs = within(root, () => body(references as { readonly [K in keyof I]: Reference<I[K]> })) ?? {};
  if (root.nodes.length === 0) throw new UserError(`pipeline ${name} has no tasks`);
  for (const [key, value] of Object.entries(results)) {
    checkName(`${name}: output`, key, /^[A-Za-z_][A-Za-z0-9_]*$/u);
    const isMade = isReference(value) && (value.source.kind === "task" || value.source.kind === "oneOf") && value.field === undefined;
    if (!isMade) throw new UserError(`${name}: output "${key}" is no output of a task`, { fix: "return references such as task.outputs.model" });
  }
  const outputs = Object.fromEntries(Object.entries(results).map(([key, { type }]) => [key, type])) as PortsOf<R> & Ports;
  const definition = { name, inputs, outputs, executor: { kind: "pipeline", root, results } } as const;
  const call = (given: Arguments<I>, taskOptions: PipelineTaskOptions = {}): Task<PortsOf<R>> => addTask(definition, outputs, given, taskOptions);
  // A function has a name of its own, which must give way.
  const made = Object.defineProperty(call, "name", { value: name, enumerable: true }) as typeof call & { readonly name: string };
  const { name: _, ...rest } = options;
  return Object.assign(made, rest, { inputs, outputs: results, root });
}
