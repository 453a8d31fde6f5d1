import { UserError } from "@sluice/kubernetes";
import { stringify } from "yaml";
import { conditionText } from "./condition-text.ts";
import { Executors } from "./executors.ts";
import { isReference, isText, type Executor, type Reference, type Scope, type TaskNode, type Text, type Value } from "./graph.ts";
import { kubernetesConfig } from "./kubernetes-config.ts";
import { Names } from "./names.ts";
import { pipelineConfig } from "./pipeline-config.ts";
import type { Pipeline } from "./pipeline.ts";
import { definitions, dependencies, inputsOf, outputsOf, retryPolicy, type Wired } from "./spec.ts";
import type { PortType } from "./types.ts";
import { nodesOf, Wiring, type Tree } from "./wiring.ts";

/** The pipeline as intermediate-representation YAML, which any Kubeflow Pipelines v2 backend accepts. */
export function compile({ name, displayName, description, pipelineRoot, inputs, outputs, root, ...config }: Pipeline): string {
  const executors = new Executors();
  const graph = graphOf({ kind: "pipeline", root, results: outputs }, executors);
  const results = Object.entries(outputs).map(([key, { type }]) => [key, type] as const);
  const spec = {
    components: executors.components,
    ...(pipelineRoot === undefined ? {} : { defaultPipelineRoot: pipelineRoot }),
    deploymentSpec: { executors: executors.executors },
    pipelineInfo: { name, ...(displayName === undefined ? {} : { displayName }), ...(description === undefined ? {} : { description }) },
    root: { ...graph, ...definitions("inputDefinitions", Object.entries(inputs), true), ...definitions("outputDefinitions", results, false) },
    schemaVersion: "2.1.0",
    sdkVersion: "sluice-0.1.0",
  };
  const runs = pipelineConfig(config);
  const kubernetes = {
    ...(Object.keys(executors.kubernetes).length === 0 ? {} : { deploymentSpec: { executors: executors.kubernetes } }),
    ...(runs === undefined ? {} : { pipelineConfig: runs }),
  };
  const documents = Object.keys(kubernetes).length === 0 ? [spec] : [spec, { platforms: { kubernetes } }];
  return documents.map((document) => stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n");
}

/** A pipeline's graph; the components in it are written beside it. */
function graphOf({ root, results }: Executor & { readonly kind: "pipeline" }, executors: Executors): Tree {
  const names = new Names(root, executors.taken);
  const wiring = new Wiring(names);

  // First every value is wired, which tells what crosses the blocks' edges; then the blocks are written out.
  const written = new Map<TaskNode | Scope, Tree>();
  for (const node of nodesOf(root)) written.set(node, node.kind === "task" ? taskOf(node) : blockOf(node));
  const given = new Map(
    Object.entries(results).map(([key, reference]) => [key, { type: reference.type, selectors: [wiring.surface(reference, root)] }]),
  );

  function taskOf(node: TaskNode): Tree {
    const { definition, options, exitOf, scope } = node;
    const { executor } = definition;
    const waits = new Set<string>();
    const wired = new Map<string, readonly [type: PortType, source: Tree]>();
    // What is written into a string travels as an input beside the declared ones.
    const write = (value: Value | Reference | Text): string => {
      if (isText(value)) return value.parts.map(write).join("");
      if (!isReference(value)) return value;
      const name = names.channel(value);
      wired.set(name, [value.type, wiring.source(value, scope, waits)]);
      return `{{$.inputs.parameters['${name}']}}`;
    };
    const constant = (value: unknown): Tree => ({ runtimeValue: { constant: value } });
    const resolve = (value: unknown): Tree =>
      isReference(value) ? wiring.source(value, scope, waits) : constant(isText(value) ? write(value) : value);
    for (const [key, type] of Object.entries(definition.inputs)) {
      const value = node.args.get(key);
      if (value !== undefined) wired.set(key, [type, resolve(value)]);
      else if (type.kind === "parameter" && type.parameterType === "TASK_FINAL_STATUS") {
        if (exitOf === undefined) throw new UserError(`${names.of(node)}: input "${key}" is a final status, which only an exit task gets`);
        wired.set(key, [type, { taskFinalStatus: { producerTask: names.of(exitOf) } }]);
      }
    }
    for (const { node: other } of options.after ?? []) wiring.waitFor(other, node, waits);
    if (exitOf !== undefined) waits.add(names.of(exitOf));
    const kubernetes = kubernetesConfig(options.kubernetes ?? {}, options.timeoutSeconds, resolve);
    const graph = (): Tree => (executor.kind === "pipeline" ? graphOf(executor, executors) : {});
    const label = executors.labelOf(node, { write, kubernetes }, names, graph);
    const waitsForAnyEnd = exitOf !== undefined || options.ignoreUpstreamFailure === true;
    return {
      taskInfo: { name: options.displayName ?? names.of(node) },
      componentRef: { name: `comp-${label}` },
      cachingOptions: cachingOf(options.cache),
      ...dependencies(waits),
      ...inputsOf([...wired].map(([key, [type, source]]): Wired => [key, type, source])),
      ...(options.retry === undefined ? {} : { retryPolicy: retryPolicy(options.retry) }),
      ...(waitsForAnyEnd ? { triggerPolicy: { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" } } : {}),
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
    const from = isReference(items) ? wiring.input(items, node) : undefined;
    wiring.edge(node).inputs.set(itemInput, { type: itemType, wiring: undefined });
    const iterator =
      itemType.kind === "artifact"
        ? { artifactIterator: { itemInput, items: { inputArtifact: from } } }
        : { parameterIterator: { itemInput, items: from === undefined ? { raw: JSON.stringify(items) } : { inputParameter: from } } };
    return { ...iterator, ...(parallelism === undefined ? {} : { iteratorPolicy: { parallelismLimit: parallelism } }) };
  }

  const dagOf = (scope: Scope, leaving = wiring.edge(scope).outputs): Tree => {
    const tasks = scope.nodes.map((node) => [names.of(node), node.kind === "task" ? written.get(node) : block(node)] as const);
    return { ...outputsOf(leaving), tasks: Object.fromEntries(tasks) };
  };
  const block = (node: Scope): Tree => {
    const component = `comp-${names.labelOf(node)}`;
    const edge = wiring.edge(node);
    const entering = [...edge.inputs];
    const portsOf = (ports: readonly (readonly [string, { readonly type: PortType }])[]): readonly (readonly [string, PortType])[] =>
      ports.map(([key, { type }]) => [key, type]);
    executors.components[component] = {
      dag: dagOf(node),
      ...definitions("inputDefinitions", portsOf(entering), false),
      ...definitions("outputDefinitions", portsOf([...edge.outputs]), false),
    };
    const wired = entering.flatMap(([key, { type, wiring: source }]): Wired[] => (source === undefined ? [] : [[key, type, source]]));
    return {
      taskInfo: { name: node.name ?? names.of(node) },
      componentRef: { name: component },
      ...dependencies(edge.dependencies),
      ...inputsOf(wired),
      ...written.get(node),
    };
  };
  return { dag: dagOf(root, given) };
}

function cachingOf(cache: TaskNode["options"]["cache"] = true): Tree {
  if (cache === false) return {};
  return { enableCache: true, ...(cache === true ? {} : { cacheKey: cache.key }) };
}
