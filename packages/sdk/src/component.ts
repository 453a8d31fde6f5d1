import { UserError } from "@sluice/kubernetes";
import { bootstrap } from "./bootstrap.ts";
import {
  addTask,
  type Arguments,
  type ComponentDefinition,
  type Task,
  type TaskOptions,
} from "./graph.ts";
import {
  checkName,
  checkPorts,
  type ArtifactType,
  type ParameterType,
  type Ports,
} from "./types.ts";

/** An artifact inside a running function. */
export interface RuntimeArtifact {
  readonly name: string;
  readonly uri: string;
  readonly path: string;
  readonly metadata: Record<string, unknown>;
}
type RuntimeValue<P> =
  P extends ParameterType<infer T>
    ? T
    : P extends ArtifactType<infer L>
      ? L extends true
        ? readonly RuntimeArtifact[]
        : RuntimeArtifact
      : never;
type ParameterKeys<O> = { [K in keyof O]: O[K] extends ParameterType ? K : never }[keyof O];
type ArtifactKeys<O> = Exclude<keyof O, ParameterKeys<O>>;
type Result<O> = [ParameterKeys<O>] extends [never]
  ? unknown
  : { readonly [K in ParameterKeys<O>]: RuntimeValue<O[K]> };
/** What a run function is called with: input values and artifacts, and the artifacts to write. */
export interface RunContext<I, O> {
  readonly inputs: { readonly [K in keyof I]: RuntimeValue<I[K]> };
  readonly outputs: { readonly [K in ArtifactKeys<O>]: RuntimeArtifact };
}
/** A component: calling it inside a pipeline adds a task. */
export interface Component<I, O> {
  (inputs: Arguments<I>, options?: TaskOptions): Task<O>;
  readonly definition: ComponentDefinition;
}

function callable<I extends Ports, O extends Ports>(
  definition: ComponentDefinition,
  outputs: O,
): Component<I, O> {
  checkName("component", definition.name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u);
  checkPorts(definition.name, definition.inputs);
  checkPorts(definition.name, definition.outputs);
  for (const [key, type] of Object.entries(outputs)) {
    if (type.kind === "artifact" ? type.list : type.parameterType === "TASK_FINAL_STATUS")
      throw new UserError(`${definition.name}: output "${key}" cannot have that type`);
  }
  const call = (inputs: Arguments<I>, options: TaskOptions = {}): Task<O> =>
    addTask(definition, outputs, inputs, options);
  return Object.assign(call, { definition });
}

/** A component from a self-contained function that Node runs; it returns its parameter outputs. */
export function component<const I extends Ports, const O extends Ports>(options: {
  readonly name: string;
  readonly image?: string;
  readonly inputs: I;
  readonly outputs: O;
  readonly run: (context: RunContext<I, O>) => Promise<Result<O>> | Result<O>;
}): Component<I, O> {
  const { name, image = "node:24", inputs, outputs, run } = options;
  return callable(
    {
      name,
      image,
      inputs,
      outputs,
      command: [
        "node",
        "--input-type=module",
        "-e",
        bootstrap(
          name,
          run,
          Object.keys(inputs).filter((key) => isList(inputs[key])),
        ),
      ],
      args: ["{{$}}"],
    },
    outputs,
  );
}

/** A component from any container image. */
export function container<const I extends Ports, const O extends Ports>(options: {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly inputs: I;
  readonly outputs: O;
}): Component<I, O> {
  const { name, image, command = [], args = [], inputs, outputs } = options;
  for (const text of [...command, ...args]) {
    for (const [whole, side, kind, key = ""] of text.matchAll(
      /\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\['([^']*)'\]/gu,
    )) {
      const type = (side === "inputs" ? inputs : outputs)[key];
      if (type === undefined || type.kind !== (kind === "parameters" ? "parameter" : "artifact")) {
        throw new UserError(
          `${name}: ${whole}… names no declared ${kind === "parameters" ? "parameter" : "artifact"}`,
          { fix: `declare "${key}" in ${side ?? "inputs"}` },
        );
      }
    }
  }
  return callable({ name, image, command, args, inputs, outputs }, outputs);
}

/** The whole executor input as JSON. */
export const executorInput: string = "{{$}}";
/** An input parameter's value. */
export function inputValue(name: string): string {
  return `{{$.inputs.parameters['${name}']}}`;
}
/** The path of an input artifact. */
export function inputPath(name: string): string {
  return `{{$.inputs.artifacts['${name}'].path}}`;
}
/** The URI of an input artifact. */
export function inputUri(name: string): string {
  return `{{$.inputs.artifacts['${name}'].uri}}`;
}
/** The path an output artifact is written to. */
export function outputPath(name: string): string {
  return `{{$.outputs.artifacts['${name}'].path}}`;
}
/** The URI of an output artifact. */
export function outputUri(name: string): string {
  return `{{$.outputs.artifacts['${name}'].uri}}`;
}
/** The file an output parameter is written to. */
export function outputFile(name: string): string {
  return `{{$.outputs.parameters['${name}'].output_file}}`;
}

function isList(type: Ports[string] | undefined): boolean {
  return type?.kind === "artifact" && type.list;
}
