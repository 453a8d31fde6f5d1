import type { ComponentDefinition, TaskNode } from "./graph.ts";
import type { Names } from "./names.ts";
import { definitions, resourcesOf } from "./spec.ts";
import type { Tree } from "./wiring.ts";

/** The components that containers run, each written once for all tasks that are alike. */
export class Executors {
  readonly components: Tree = {};
  readonly executors: Tree = {};
  readonly #names: Names;
  readonly #labels = new Map<ComponentDefinition, Map<string, string>>();

  constructor(names: Names) {
    this.#names = names;
  }

  /** The label of a task's component and executor. */
  labelOf({ definition, options: { resources } }: TaskNode): string {
    const labels = this.#labels.get(definition) ?? new Map<string, string>();
    this.#labels.set(definition, labels);
    const variant = JSON.stringify(resources ?? null);
    const label = labels.get(variant) ?? this.#write(definition, resources === undefined ? {} : { resources: resourcesOf(resources) });
    labels.set(variant, label);
    return label;
  }

  #write({ name, inputs, outputs, image, command, args }: ComponentDefinition, resources: Tree): string {
    const label = this.#names.label(name);
    this.components[`comp-${label}`] = {
      executorLabel: `exec-${label}`,
      ...definitions("inputDefinitions", Object.entries(inputs), true),
      ...definitions("outputDefinitions", Object.entries(outputs), false),
    };
    this.executors[`exec-${label}`] = {
      container: { image, ...(command.length > 0 ? { command } : {}), ...(args.length > 0 ? { args } : {}), ...resources },
    };
    return label;
  }
}
