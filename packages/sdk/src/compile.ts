import { UserError } from "@sluice/kubernetes";
import { stringify } from "yaml";
import {
  isReference,
  within,
  type Condition,
  type Reference,
  type Resources,
  type Retry,
  type Scope,
  type TaskNode,
} from "./graph.ts";
import { checkName, checkPorts, type PortType, type Ports } from "./types.ts";

/** A pipeline's graph and its declaration. */
export interface Pipeline {
  readonly name: string;
  readonly description?: string;
  readonly inputs: Ports;
  readonly root: Scope;
}

/** A pipeline: the function is called once, with references to the inputs, to build the graph. */
export function pipeline<const I extends Ports>(
  options: { readonly name: string; readonly description?: string; readonly inputs: I },
  body: (inputs: { readonly [K in keyof I]: Reference<I[K]> }) => void,
): Pipeline {
  checkName("pipeline", options.name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u);
  checkPorts(options.name, options.inputs);
  const root: Scope = { kind: "root", parent: undefined, nodes: [] };
  const references: Record<string, Reference> = {};
  for (const [key, type] of Object.entries(options.inputs))
    references[key] = {
      kind: "reference",
      type,
      source: { kind: "input", root, key },
      collected: false,
    };
  within(root, () => body(references as { readonly [K in keyof I]: Reference<I[K]> }));
  if (root.nodes.length === 0) throw new UserError(`pipeline ${options.name} has no tasks`);
  return { ...options, root };
}

type Tree = { [key: string]: unknown };
interface Level {
  readonly name: string;
  readonly inputs: Map<string, { readonly type: PortType; readonly wiring: Tree | undefined }>;
  readonly outputs: Map<
    string,
    { readonly type: PortType; readonly producer: string; readonly key: string }
  >;
  readonly dependencies: Set<string>;
}
const prefixes = {
  root: "root",
  condition: "condition",
  branches: "condition-branches",
  loop: "for-loop",
  exit: "exit-handler",
} as const;

function path(scope: Scope | undefined): Scope[] {
  return scope === undefined ? [] : [...path(scope.parent), scope];
}

function schema(type: PortType, input: boolean): Tree {
  if (type.kind === "artifact")
    return {
      artifactType: { schemaTitle: type.schemaTitle, schemaVersion: "0.0.1" },
      ...(type.list ? { isArtifactList: true } : {}),
    };
  return {
    parameterType: type.parameterType,
    ...(input && type.defaultValue !== undefined ? { defaultValue: type.defaultValue } : {}),
    ...(input && type.optional ? { isOptional: true } : {}),
  };
}

function definitions(
  ports: Iterable<readonly [string, PortType]>,
  input: boolean,
): Tree | undefined {
  const found: Record<string, Tree> = {};
  for (const [key, type] of ports)
    (found[type.kind === "artifact" ? "artifacts" : "parameters"] ??= {})[key] = schema(
      type,
      input,
    );
  return Object.keys(found).length === 0 ? undefined : found;
}

function resourcesOf(resources: Resources): Tree {
  const { cpu, memory, cpuRequest, memoryRequest, accelerator } = resources;
  return {
    ...(cpu === undefined ? {} : { resourceCpuLimit: cpu }),
    ...(memory === undefined ? {} : { resourceMemoryLimit: memory }),
    ...(cpuRequest === undefined ? {} : { resourceCpuRequest: cpuRequest }),
    ...(memoryRequest === undefined ? {} : { resourceMemoryRequest: memoryRequest }),
    ...(accelerator === undefined
      ? {}
      : {
          accelerator: { resourceType: accelerator.type, resourceCount: String(accelerator.count) },
        }),
  };
}

function retryOf(retry: number | Retry): Tree {
  const {
    limit,
    backoffSeconds = 0,
    factor = 2,
    maxBackoffSeconds = 3600,
  } = typeof retry === "number" ? { limit: retry } : retry;
  return {
    maxRetryCount: limit,
    backoffDuration: `${backoffSeconds}s`,
    backoffFactor: factor,
    backoffMaxDuration: `${maxBackoffSeconds}s`,
  };
}

/** The pipeline as intermediate-representation YAML, which any Kubeflow Pipelines v2 backend accepts. */
export function compile(source: Pipeline): string {
  const levels = new Map<Scope, Level>();
  const taskNames = new Map<TaskNode, string>();
  const counters = new Map<string, number>();
  const unique = (base: string): string => {
    const count = (counters.get(base) ?? 0) + 1;
    counters.set(base, count);
    return count === 1 ? base : unique(`${base}-${count}`);
  };
  const number = (kind: Scope["kind"]): number => {
    const count = (counters.get(`#${kind}`) ?? 0) + 1;
    counters.set(`#${kind}`, count);
    return count;
  };
  const assign = (scope: Scope): void => {
    const name =
      scope.kind === "root" ? "root" : unique(`${prefixes[scope.kind]}-${number(scope.kind)}`);
    levels.set(scope, { name, inputs: new Map(), outputs: new Map(), dependencies: new Set() });
    for (const node of scope.nodes) {
      if (node.kind === "task") taskNames.set(node, unique(node.definition.name));
      else assign(node);
    }
  };
  assign(source.root);
  const level = (scope: Scope): Level => {
    const found = levels.get(scope);
    if (found === undefined)
      throw new UserError("a reference belongs to another pipeline", {
        fix: "use a reference only in the pipeline that made it",
      });
    return found;
  };
  const taskName = (node: TaskNode): string => {
    const found = taskNames.get(node);
    if (found === undefined)
      throw new UserError(`task ${node.definition.name} belongs to another pipeline`);
    return found;
  };
  const itemName = (loop: Scope): string =>
    isReference(loop.items)
      ? `${channel(loop.items)}-loop-item`
      : `pipelinechannel--loop-item-param-${level(loop).name.slice("for-loop-".length)}`;
  const channel = (reference: Reference): string => {
    const { source: from } = reference;
    const base =
      from.kind === "input"
        ? `pipelinechannel--${from.key}`
        : from.kind === "task"
          ? `pipelinechannel--${taskName(from.task)}-${from.key}`
          : itemName(from.loop);
    return reference.field === undefined ? base : `${base}-subvar-${reference.field}`;
  };

  /** Wires a reference into one level, surfacing it through the levels between, and says which sibling produces it. */
  const resolve = (reference: Reference, scope: Scope, dependencies: Set<string>): Tree => {
    const { source: from, type } = reference;
    const isArtifact = type.kind === "artifact";
    const home =
      from.kind === "task" ? from.task.scope : from.kind === "item" ? from.loop : from.root;
    level(home);
    const here = path(scope);
    const there = path(home);
    const base = { ...reference };
    delete base.field;
    const selector =
      reference.field === undefined
        ? {}
        : {
            parameterExpressionSelector: `parseJson(string_value)[${JSON.stringify(reference.field)}]`,
          };
    const input = (key: string): Tree =>
      isArtifact ? { componentInputArtifact: key } : { componentInputParameter: key, ...selector };
    if (from.kind !== "task" && home === scope)
      return input(from.kind === "input" ? from.key : itemName(scope));
    let shared = 0;
    while (shared < here.length && here[shared] === there[shared]) shared++;
    if (reference.collected) {
      const outer = there.findIndex((one, index) => one.kind === "loop" && index >= shared);
      if (outer === -1)
        throw new UserError(`${channel(reference)} is collected inside its own loop`, {
          fix: "call collect() for a task outside the forEach()",
        });
    }
    if (from.kind === "task" && shared === here.length) {
      let producer = taskName(from.task);
      let key = from.key;
      const original = from.task.definition.outputs[from.key];
      for (const crossed of there.slice(shared).reverse()) {
        if (crossed.kind === "condition" || crossed.kind === "branches")
          throw new UserError(
            `${producer}: its output "${key}" is used outside the condition it is in`,
            { fix: "move the task that uses it into the same block" },
          );
        if (crossed.kind === "loop" && !reference.collected)
          throw new UserError(
            `${producer}: its output "${key}" is used outside the loop it is in`,
            { fix: "wrap the reference in collect()" },
          );
        const surfaced = level(crossed);
        const name = channel(base);
        if (original !== undefined) surfaced.outputs.set(name, { type: original, producer, key });
        producer = surfaced.name;
        key = name;
      }
      dependencies.add(producer);
      return isArtifact
        ? { taskOutputArtifact: { producerTask: producer, outputArtifactKey: key } }
        : { taskOutputParameter: { producerTask: producer, outputParameterKey: key }, ...selector };
    }
    if (scope.parent === undefined)
      throw new UserError(`${channel(reference)} is used outside the loop it belongs to`);
    const own = level(scope);
    const key = channel(base);
    // A collected value and a single one of the same name may meet in one block.
    const name = reference.collected ? `${key}-collected` : key;
    if (!own.inputs.has(name))
      own.inputs.set(name, {
        type:
          type.kind === "parameter" && reference.field !== undefined
            ? { kind: "parameter", parameterType: "STRUCT", optional: false }
            : type,
        wiring: resolve(base, scope.parent, own.dependencies),
      });
    return input(name);
  };

  const operand = (reference: Reference, scope: Scope): string => {
    if (scope.parent === undefined) throw new UserError("a pipeline has no condition");
    const own = level(scope);
    const name = channel(reference);
    if (!own.inputs.has(name))
      own.inputs.set(name, {
        type: reference.type,
        wiring: resolve(reference, scope.parent, own.dependencies),
      });
    const text = `inputs.parameter_values['${name}']`;
    return reference.type.kind === "parameter" && reference.type.parameterType === "NUMBER_INTEGER"
      ? `int(${text})`
      : text;
  };
  const cel = (condition: Condition, scope: Scope): string => {
    if (condition.kind === "not") return `!(${cel(condition.condition, scope)})`;
    if (condition.kind === "all")
      return condition.conditions.map((one) => cel(one, scope)).join(" && ");
    const { right } = condition;
    const escape = (text: string): string =>
      `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n")}'`;
    const double =
      condition.left.type.kind === "parameter" &&
      condition.left.type.parameterType === "NUMBER_DOUBLE";
    const literal =
      typeof right === "string"
        ? escape(right)
        : typeof right === "number" && double && Number.isInteger(right)
          ? right.toFixed(1)
          : String(right);
    return `${operand(condition.left, scope)} ${condition.operator} ${isReference(right) ? operand(right, scope) : literal}`;
  };

  const components: Tree = {};
  const executors: Tree = {};
  const labels = new Map<string, string>();
  const labelNames = new Map<string, number>();
  const seen = new Map<object, number>();
  const executorLabel = (node: TaskNode): string => {
    const {
      definition,
      options: { resources },
    } = node;
    if (!seen.has(definition)) seen.set(definition, seen.size);
    const identity = `${seen.get(definition)} ${JSON.stringify(resources ?? null)}`;
    const known = labels.get(identity);
    if (known !== undefined) return known;
    const count = (labelNames.get(definition.name) ?? 0) + 1;
    labelNames.set(definition.name, count);
    let label = count === 1 ? definition.name : `${definition.name}-${count}`;
    while (`comp-${label}` in components || [...levels.values()].some(({ name }) => name === label))
      label += "-x";
    labels.set(identity, label);
    const inputs = definitions(Object.entries(definition.inputs), true);
    const outputs = definitions(Object.entries(definition.outputs), false);
    components[`comp-${label}`] = {
      executorLabel: `exec-${label}`,
      ...(inputs ? { inputDefinitions: inputs } : {}),
      ...(outputs ? { outputDefinitions: outputs } : {}),
    };
    const { image, command, args } = definition;
    executors[`exec-${label}`] = {
      container: {
        image,
        ...(command.length > 0 ? { command } : {}),
        ...(args.length > 0 ? { args } : {}),
        ...(resources === undefined ? {} : { resources: resourcesOf(resources) }),
      },
    };
    return label;
  };

  const wired = (inputs: Iterable<readonly [string, PortType, Tree]>): Tree => {
    const found: Record<string, Tree> = {};
    for (const [key, type, wiring] of inputs)
      (found[type.kind === "artifact" ? "artifacts" : "parameters"] ??= {})[key] = wiring;
    return Object.keys(found).length === 0 ? {} : { inputs: found };
  };
  const dependent = (names: Set<string>): Tree =>
    names.size === 0 ? {} : { dependentTasks: [...names].toSorted() };

  const task = (node: TaskNode): Tree => {
    const { definition, options } = node;
    const dependencies = new Set<string>();
    const inputs: [string, PortType, Tree][] = [];
    for (const [key, value] of node.args) {
      const type = definition.inputs[key];
      if (type !== undefined)
        inputs.push([
          key,
          type,
          isReference(value)
            ? resolve(value, node.scope, dependencies)
            : { runtimeValue: { constant: value } },
        ]);
    }
    for (const other of options.after ?? []) {
      if (other.node.scope !== node.scope)
        throw new UserError(
          `${taskName(node)}: \`after\` names ${taskName(other.node)}, which is in another block`,
        );
      dependencies.add(taskName(other.node));
    }
    if (node.exitOf !== undefined) dependencies.add(level(node.exitOf).name);
    for (const [key, type] of Object.entries(definition.inputs)) {
      if (type.kind !== "parameter" || type.parameterType !== "TASK_FINAL_STATUS") continue;
      if (node.exitOf === undefined)
        throw new UserError(
          `${taskName(node)}: input "${key}" is a final status, which only an exit task gets`,
        );
      inputs.push([key, type, { taskFinalStatus: { producerTask: level(node.exitOf).name } }]);
    }
    return {
      taskInfo: { name: options.displayName ?? taskName(node) },
      componentRef: { name: `comp-${executorLabel(node)}` },
      cachingOptions: options.cache === false ? {} : { enableCache: true },
      ...dependent(dependencies),
      ...wired(inputs),
      ...(options.retry === undefined ? {} : { retryPolicy: retryOf(options.retry) }),
      ...(node.exitOf === undefined
        ? {}
        : { triggerPolicy: { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" } }),
    };
  };

  // First every reference is wired, which fills the levels; then the levels are written out.
  const built = new Map<TaskNode, Tree>();
  const conditions = new Map<Scope, string>();
  const wire = (scope: Scope): void => {
    if (scope.nodes.length === 0)
      throw new UserError(`${level(scope).name} has no tasks`, {
        fix: "make at least one task in the block",
      });
    if (scope.condition !== undefined) conditions.set(scope, cel(scope.condition, scope));
    if (scope.kind === "loop" && scope.parent !== undefined) {
      const own = level(scope);
      const { items, itemType } = scope;
      if (isReference(items))
        own.inputs.set(items.collected ? `${channel(items)}-collected` : channel(items), {
          type: items.type,
          wiring: resolve(items, scope.parent, own.dependencies),
        });
      if (itemType !== undefined)
        own.inputs.set(itemName(scope), { type: itemType, wiring: undefined });
    }
    for (const node of scope.nodes) {
      if (node.kind === "task") built.set(node, task(node));
      else wire(node);
    }
  };
  wire(source.root);

  const dagOf = (scope: Scope): Tree => {
    const tasks: Tree = {};
    for (const node of scope.nodes) {
      if (node.kind === "task") {
        tasks[taskName(node)] = built.get(node);
        continue;
      }
      const own = level(node);
      const inputs = [...own.inputs];
      const component = `comp-${own.name}`;
      const inputDefinitions = definitions(
        inputs.map(([key, { type }]) => [key, type]),
        false,
      );
      const outputDefinitions = definitions(
        [...own.outputs].map(([key, { type }]) => [key, type]),
        false,
      );
      components[component] = {
        dag: dagOf(node),
        ...(inputDefinitions ? { inputDefinitions } : {}),
        ...(outputDefinitions ? { outputDefinitions } : {}),
      };
      const condition = conditions.get(node);
      const items = isReference(node.items)
        ? {
            inputParameter: node.items.collected
              ? `${channel(node.items)}-collected`
              : channel(node.items),
          }
        : { raw: JSON.stringify(node.items) };
      tasks[own.name] = {
        taskInfo: { name: own.name },
        componentRef: { name: component },
        ...dependent(own.dependencies),
        ...wired(
          inputs.flatMap(([key, { type, wiring }]) =>
            wiring === undefined ? [] : [[key, type, wiring] as const],
          ),
        ),
        ...(condition === undefined ? {} : { triggerPolicy: { condition } }),
        ...(node.kind === "loop"
          ? { parameterIterator: { itemInput: itemName(node), items } }
          : {}),
        ...(node.parallelism === undefined
          ? {}
          : { iteratorPolicy: { parallelismLimit: node.parallelism } }),
      };
    }
    const parameters: Tree = {};
    const artifacts: Tree = {};
    for (const [name, { type, producer, key }] of level(scope).outputs) {
      if (type.kind === "artifact")
        artifacts[name] = {
          artifactSelectors: [{ outputArtifactKey: key, producerSubtask: producer }],
        };
      else
        parameters[name] = {
          valueFromParameter: { outputParameterKey: key, producerSubtask: producer },
        };
    }
    const outputs = {
      ...(Object.keys(artifacts).length > 0 ? { artifacts } : {}),
      ...(Object.keys(parameters).length > 0 ? { parameters } : {}),
    };
    return { ...(Object.keys(outputs).length > 0 ? { outputs } : {}), tasks };
  };
  const dag = dagOf(source.root);
  const inputDefinitions = definitions(Object.entries(source.inputs), true);
  return stringify(
    {
      components,
      deploymentSpec: { executors },
      pipelineInfo: {
        name: source.name,
        ...(source.description === undefined ? {} : { description: source.description }),
      },
      root: { dag, ...(inputDefinitions ? { inputDefinitions } : {}) },
      schemaVersion: "2.1.0",
      sdkVersion: "sluice-0.1.0",
    },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
}
