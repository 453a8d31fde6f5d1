import { UserError } from "@sluice/kubernetes";
import { addTask, type Arguments, type ComponentDefinition, type Task, type TaskOptions } from "./graph.ts";
import { functionCommand } from "./program.ts";
import { checkName, checkPorts, type ArtifactType, type ParameterType, type Ports } from "./types.ts";

/** An artifact inside a running function. */
export interface RuntimeArtifact {
  readonly name: string;
  readonly uri: string;
  /** The file, or directory, that holds its content. */
  readonly path: string;
  readonly metadata: Record<string, unknown>;
}
type RuntimeValue<P> =
  P extends ParameterType<infer T> ? T : P extends ArtifactType<infer L> ? (L extends true ? readonly RuntimeArtifact[] : RuntimeArtifact) : never;
type ParameterKeys<O> = { [K in keyof O]: O[K] extends ParameterType ? K : never }[keyof O];
type ArtifactKeys<O> = Exclude<keyof O, ParameterKeys<O>>;
type Result<O> = [ParameterKeys<O>] extends [never] ? unknown : { readonly [K in ParameterKeys<O>]: RuntimeValue<O[K]> };
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

function callable<I extends Ports, O extends Ports>(definition: ComponentDefinition, outputs: O): Component<I, O> {
  checkName("component", definition.name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u);
  checkPorts(definition.name, definition.inputs);
  checkPorts(definition.name, definition.outputs);
  for (const [key, type] of Object.entries(outputs)) {
    if (type.kind === "artifact" ? type.list : type.parameterType === "TASK_FINAL_STATUS")
      throw new UserError(`${definition.name}: output "${key}" cannot have that type`);
  }
  const call = (inputs: Arguments<I>, options: TaskOptions = {}): Task<O> => addTask(definition, outputs, inputs, options);
  return Object.assign(call, { definition });
}

/**
 * A component from a function that Node runs; it returns its parameter outputs. The function's source travels in the
 * container's command, so it sees nothing of the module around it: what it needs it imports itself, with `await import()`.
 */
export function component<const I extends Ports, const O extends Ports>(options: {
  readonly name: string;
  readonly image?: string;
  readonly inputs: I;
  readonly outputs: O;
  /** Modules and other files beside the component that travel with it: `import("./network.ts")` is the same there. */
  readonly files?: readonly URL[];
  /** npm packages, as `name@1.2.3`: npm installs what the image does not have. */
  readonly packages?: readonly string[];
  readonly run: (context: RunContext<I, O>) => Promise<Result<O>> | Result<O>;
}): Component<I, O> {
  const { name, image = "node:24", inputs, outputs, files = [], packages = [], run } = options;
  const lists = Object.entries(inputs).flatMap(([key, type]) => (type.kind === "artifact" && type.list ? [key] : []));
  const command = functionCommand(name, {
    run,
    lists,
    packages,
    files: Object.fromEntries(files.map((url) => [fileName(url), readFile(name, url)])),
  });
  return callable({ name, image, inputs, outputs, command, args: ["{{$}}"] }, outputs);
}

function fileName(url: URL): string {
  return decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf("/") + 1));
}

function readFile(name: string, url: URL): string {
  try {
    // Not an import: the module is also for browsers, where nobody makes such components.
    return process.getBuiltinModule("node:fs").readFileSync(url, "utf8");
  } catch (cause) {
    throw new UserError(`${name}: cannot read ${url.href}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** What stands in a command for a value that is known once the task runs. */
type PlaceholderOf<P, Side> = P extends ParameterType
  ? Side extends "inputs"
    ? string
    : { readonly file: string }
  : { readonly path: string; readonly uri: string };
/** Placeholders by input and output: a parameter's value, the file for a parameter's output, an artifact's path or URI. */
export interface CommandContext<I, O> {
  readonly inputs: { readonly [K in keyof I]: PlaceholderOf<I[K], "inputs"> };
  readonly outputs: { readonly [K in keyof O]: PlaceholderOf<O[K], "outputs"> };
  /** All of it, as JSON. */
  readonly executorInput: string;
}
/** Words of a command line. */
export type Words<I, O> = readonly string[] | ((context: CommandContext<I, O>) => readonly string[]);

/** A component from any container image. */
export function container<const I extends Ports, const O extends Ports>(options: {
  readonly name: string;
  readonly image: string;
  readonly command?: Words<I, O>;
  readonly args?: Words<I, O>;
  readonly inputs: I;
  readonly outputs: O;
}): Component<I, O> {
  const { name, image, command = [], args = [], inputs, outputs } = options;
  const context = { inputs: placeholders("inputs", inputs), outputs: placeholders("outputs", outputs), executorInput: "{{$}}" } as CommandContext<
    I,
    O
  >;
  const words = (given: Words<I, O>): readonly string[] => (typeof given === "function" ? given(context) : given);
  return callable({ name, image, command: words(command), args: words(args), inputs, outputs }, outputs);
}

function placeholders(side: "inputs" | "outputs", ports: Ports): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(ports).map(([key, { kind }]) => {
      const at = `$.${side}.${kind}s['${key}']`;
      if (kind === "artifact") return [key, { path: `{{${at}.path}}`, uri: `{{${at}.uri}}` }];
      return [key, side === "inputs" ? `{{${at}}}` : { file: `{{${at}.output_file}}` }];
    }),
  );
}
