import { UserError } from "@sluice/kubernetes";
import { stringify } from "yaml";
import { conditionText } from "./condition-text.ts";
import { Executors } from "./executors.ts";
import { isReference, type Scope, type TaskNode } from "./graph.ts";
import { Names } from "./names.ts";
import type { Pipeline } from "./pipeline.ts";
import { definitions, dependencies, inputsOf, outputsOf, retryPolicy, type Wired } from "./spec.ts";
import { nodesOf, Wiring, type Tree } from "./wiring.ts";

/** The pipeline as intermediate-representation YAML, which any Kubeflow Pipelines v2 backend accepts. */
export function compile({ name, description, inputs, outputs, root }: Pipeline): string {
  const names = new Names(root);
  const wiring = new Wiring(names);
  const executors = new Executors(names);

  // First every value is wired, which tells what crosses the blocks' edges; then the blocks are written out.
  const written = new Map<TaskNode | Scope, Tree>();
  for (const node of nodesOf(root)) written.set(node, node.kind === "task" ? taskOf(node) : blockOf(node));
  const given = new Map(
    Object.entries(outputs).map(([key, reference]) => [key, { type: reference.type, selectors: [wiring.surface(reference, root)] }]),
  );

  function taskOf(node: TaskNode): Tree {
    const { definition, options, exitOf, scope } = node;
    const waits = new Set<string>();
    const wired: Wired[] = [];
    for (const [key, type] of Object.entries(definition.inputs)) {
      const value = node.args.get(key);
      if (isReference(value)) wired.push([key, type, wiring.source(value, scope, waits)]);
      else if (value !== undefined) wired.push([key, type, { runtimeValue: { constant: value } }]);
      else if (type.kind === "parameter" && type.parameterType === "TASK_FINAL_STATUS") {
        if (exitOf === undefined) throw new UserError(`${names.of(node)}: input "${key}" is a final status, which only an exit task gets`);
        wired.push([key, type, { taskFinalStatus: { producerTask: names.of(exitOf) } }]);
      }
    }
    for (const other of options.after ?? []) {
      if (other.node.scope !== scope) throw new UserError(`${names.of(node)}: \`after\` names ${names.of(other.node)}, which is in another block`);
      waits.add(names.of(other.node));
    }
    if (exitOf !== undefined) waits.add(names.of(exitOf));
    return {
      taskInfo: { name: options.displayName ?? names.of(node) },
      componentRef: { name: `comp-${executors.labelOf(node)}` },
      cachingOptions: options.cache === false ? {} : { enableCache: true },
      ...dependencies(waits),
      ...inputsOf(wired),
      ...(options.retry === undefined ? {} : { retryPolicy: retryPolicy(options.retry) }),
      ...(exitOf === undefined ? {} : { triggerPolicy: { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" } }),
    };
  }

  /** What only the block itself says; its inputs and dependencies are complete once all values are wired. */
  function blockOf(node: Scope): Tree {
    if (node.nodes.length === 0) throw new UserError(`${names.of(node)} has no tasks`, { fix: "make at least one task in the block" });
    const condition = conditionText(node, wiring);
    if (condition !== undefined) return { triggerPolicy: { condition } };
    const { kind, items, itemType, parallelism } = node;
    if (kind !== "loop" || itemType === undefined) return {};
    const itemInput = names.item(node);
    const from = isReference(items) ? { inputParameter: wiring.input(items, node) } : { raw: JSON.stringify(items) };
    wiring.edge(node).inputs.set(itemInput, { type: itemType, wiring: undefined });
    return {
      parameterIterator: { itemInput, items: from },
      ...(parallelism === undefined ? {} : { iteratorPolicy: { parallelismLimit: parallelism } }),
    };
  }

  const components: Tree = executors.components;
  const dagOf = (scope: Scope, leaving = wiring.edge(scope).outputs): Tree => {
    const tasks = scope.nodes.map((node) => [names.of(node), node.kind === "task" ? written.get(node) : block(node)] as const);
    return { ...outputsOf(leaving), tasks: Object.fromEntries(tasks) };
  };
  const block = (node: Scope): Tree => {
    const name = names.of(node);
    const edge = wiring.edge(node);
    const entering = [...edge.inputs];
    components[`comp-${name}`] = {
      dag: dagOf(node),
      ...definitions(
        "inputDefinitions",
        entering.map(([key, { type }]) => [key, type]),
        false,
      ),
      ...definitions(
        "outputDefinitions",
        [...edge.outputs].map(([key, { type }]) => [key, type]),
        false,
      ),
    };
    const wired = entering.flatMap(([key, { type, wiring: source }]): Wired[] => (source === undefined ? [] : [[key, type, source]]));
    return {
      taskInfo: { name: node.name ?? name },
      componentRef: { name: `comp-${name}` },
      ...dependencies(edge.dependencies),
      ...inputsOf(wired),
      ...written.get(node),
    };
  };

  const spec = {
    components,
    deploymentSpec: { executors: executors.executors },
    pipelineInfo: { name, ...(description === undefined ? {} : { description }) },
    root: {
      dag: dagOf(root, given),
      ...definitions("inputDefinitions", Object.entries(inputs), true),
      ...definitions(
        "outputDefinitions",
        [...given].map(([key, { type }]) => [key, type]),
        false,
      ),
    },
    schemaVersion: "2.1.0",
    sdkVersion: "sluice-0.1.0",
  };
  return stringify(spec, { lineWidth: 0, aliasDuplicateObjects: false });
}
