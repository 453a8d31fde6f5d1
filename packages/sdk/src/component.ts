import { UserError } from "@sluice/kubernetes";
import { addTask } from "./add-task.ts";
import type { Arguments, ComponentDefinition, Executor, Passthrough, Task } from "./graph.ts";
import { functionCommand } from "./program.ts";
import type { TaskOptions } from "./task-options.ts";
import { checkName, checkPorts, type ArtifactType, type ParameterType, type Ports } from "./types.ts";

/** An artifact inside a running function. */
export interface RuntimeArtifact {
  readonly name: string;
  readonly uri: string;
  /** The file, or directory, that holds its content. */
  readonly path: string;
  readonly metadata: Record<string, unknown>;
}
/** An artifact that a running function makes. */
export interface OutputArtifact extends Omit<RuntimeArtifact, "uri"> {
  /** Set it to tell that the content is somewhere else already. */
  uri: string;
}
type RuntimeValue<P> =
  P extends ParameterType<infer T>
    ? T
    : P extends ArtifactType<infer L, infer Optional>
      ? (L extends true ? readonly RuntimeArtifact[] : RuntimeArtifact) | (Optional extends true ? undefined : never)
      : never;
type ParameterKeys<O> = { [K in keyof O]: O[K] extends ParameterType ? K : never }[keyof O];
type ArtifactKeys<O> = Exclude<keyof O, ParameterKeys<O>>;
type Result<O> = [ParameterKeys<O>] extends [never] ? unknown : { readonly [K in ParameterKeys<O>]: RuntimeValue<O[K]> };
/** What a run function is called with: input values and artifacts, and the artifacts to write. */
export interface RunContext<I, O> {
  readonly inputs: { readonly [K in keyof I]: RuntimeValue<I[K]> };
  readonly outputs: { readonly [K in ArtifactKeys<O>]: OutputArtifact };
}
/** A component: calling it inside a pipeline adds a task. */
export interface Component<I, O> {
  (inputs: Arguments<I>, options?: TaskOptions): Task<O>;
  readonly definition: ComponentDefinition & { readonly executor: Executor & { readonly kind: "container" } };
}

/** A component that adds a task of this definition wherever it is called. */
export function callable<I extends Ports, O extends Ports>(definition: Component<I, O>["definition"], outputs: O): Component<I, O> {
  checkName("component", definition.name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u);
  checkPorts(definition.name, definition.inputs);
  checkPorts(definition.name, definition.outputs);
  for (const [key, type] of Object.entries(outputs)) {
    if (type.optional || (type.kind === "artifact" && type.list)) throw new UserError(`${definition.name}: output "${key}" cannot have that type`);
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
  /** Settings of a task that its `taskConfig()` input gets, to hand them on. */
  readonly passthrough?: readonly (Passthrough["field"] | Passthrough)[];
  readonly run: (context: RunContext<I, O>) => Promise<Result<O>> | Result<O>;
}): Component<I, O> {
  const { name, image = "node:24", inputs, outputs, files = [], packages = [], passthrough, run } = options;
  const lists = Object.entries(inputs).flatMap(([key, type]) => (type.kind === "artifact" && type.list ? [key] : []));
  const command = functionCommand(name, {
    run,
    lists,
    packages,
    files: Object.fromEntries(files.map((url) => [fileName(url), readFile(name, url)])),
  });
  const executor = { kind: "container", image, command, args: ["{{$}}"] } as const;
  return callable({ name, inputs, outputs, executor, ...passed(passthrough) }, outputs);
}

/** Which settings a component hands on. */
export function passed(given: readonly (Passthrough["field"] | Passthrough)[] | undefined): Pick<ComponentDefinition, "passthrough"> {
  return given === undefined ? {} : { passthrough: given.map((one) => (typeof one === "string" ? { field: one } : one)) };
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
