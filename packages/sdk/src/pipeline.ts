import { UserError } from "@sluice/kubernetes";
import { isReference, within, type Reference, type Scope } from "./graph.ts";
import { checkName, checkPorts, type Ports } from "./types.ts";

/** What a pipeline gives: its outputs by name. */
export type PipelineOutputs = Readonly<Record<string, Reference>>;

/** A pipeline's graph and its declaration. */
export interface Pipeline<I extends Ports = Ports> {
  readonly name: string;
  readonly description?: string;
  readonly inputs: I;
  readonly outputs: PipelineOutputs;
  readonly root: Scope;
}

/** A pipeline: the function is called once, with references to the inputs, to build the graph; what it returns are the outputs. */
export function pipeline<const I extends Ports>(
  options: { readonly name: string; readonly description?: string; readonly inputs: I },
  body: (inputs: { readonly [K in keyof I]: Reference<I[K]> }) => PipelineOutputs | void,
): Pipeline<I> {
  const { name, description, inputs } = options;
  checkName("pipeline", name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u);
  checkPorts(name, inputs);
  const root: Scope = { kind: "root", parent: undefined, nodes: [] };
  const references: Record<string, Reference> = {};
  for (const [key, type] of Object.entries(inputs)) {
    references[key] = { kind: "reference", type, source: { kind: "input", root, key }, collected: false };
  }
  const outputs = within(root, () => body(references as { readonly [K in keyof I]: Reference<I[K]> })) ?? {};
  if (root.nodes.length === 0) throw new UserError(`pipeline ${name} has no tasks`);
  for (const [key, value] of Object.entries(outputs)) {
    checkName(`${name}: output`, key, /^[A-Za-z_][A-Za-z0-9_]*$/u);
    const isMade = isReference(value) && (value.source.kind === "task" || value.source.kind === "oneOf") && value.field === undefined;
    if (!isMade) throw new UserError(`${name}: output "${key}" is no output of a task`, { fix: "return references such as task.outputs.model" });
  }
  return { name, ...(description === undefined ? {} : { description }), inputs, outputs, root };
}
