import type { ComponentDefinition, TaskNode, Value } from "./graph.ts";
import type { Names } from "./names.ts";
import { definitions, resourcesOf } from "./spec.ts";
import type { Tree } from "./wiring.ts";

/** What a task's executor depends on beside its component: how values are written into it, and its part of the platform. */
export interface TaskSettings {
  readonly write: (value: Value) => string;
  readonly kubernetes: Tree;
}

/** The components that are no blocks, each written once for all tasks that are alike. */
export class Executors {
  readonly components: Tree = {};
  readonly executors: Tree = {};
  /** The platform's part, by executor. */
  readonly kubernetes: Tree = {};
  /** The names of components. */
  readonly taken: Map<string, number> = new Map();
  readonly #labels = new Map<ComponentDefinition, Map<string, string>>();

  /** The label of a task's component; `graph` writes the component of a task that is a pipeline. */
  labelOf({ definition, options }: TaskNode, { write, kubernetes }: TaskSettings, names: Names, graph: () => Tree): string {
    const executor = executorOf(definition, options, write);
    const variants = this.#labels.get(definition) ?? new Map<string, string>();
    this.#labels.set(definition, variants);
    const variant = JSON.stringify([executor, kubernetes]);
    const known = variants.get(variant);
    if (known !== undefined) return known;
    const { name, inputs, outputs, passthrough } = definition;
    const label = names.label(name);
    variants.set(variant, label);
    this.components[`comp-${label}`] = {
      ...(executor === undefined ? graph() : { executorLabel: `exec-${label}` }),
      ...definitions("inputDefinitions", Object.entries(inputs), true),
      ...definitions("outputDefinitions", Object.entries(outputs), false),
      ...(passthrough === undefined ? {} : { taskConfigPassthroughs: passthrough }),
    };
    if (executor !== undefined) this.executors[`exec-${label}`] = executor;
    if (Object.keys(kubernetes).length > 0) this.kubernetes[`exec-${label}`] = kubernetes;
    return label;
  }
}

/** How a container or an importer runs; undefined for a pipeline. */
function executorOf({ executor }: ComponentDefinition, options: TaskNode["options"], write: (value: Value) => string): Tree | undefined {
  if (executor.kind === "pipeline") return undefined;
  if (executor.kind === "importer") return { importer: executor.spec };
  const { command, args } = executor;
  const { image = executor.image, resources = {}, debugPause = [] } = options;
  const pauses = debugPause.map((when) => [`ARGO_DEBUG_PAUSE_${when === "onError" ? "ON_ERROR" : when.toUpperCase()}`, "true"] as const);
  const env = [...Object.entries(options.env ?? {}), ...pauses].map(([name, value]) => ({ name, value }));
  const asked = resourcesOf(resources, write);
  return {
    container: {
      image: write(image),
      ...(command.length > 0 ? { command } : {}),
      ...(args.length > 0 ? { args } : {}),
      ...(env.length > 0 ? { env } : {}),
      ...(Object.keys(asked).length > 0 ? { resources: asked } : {}),
    },
  };
}
