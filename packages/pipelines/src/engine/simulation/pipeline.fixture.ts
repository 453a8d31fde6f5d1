import type { ComponentSpec, DagOutputs, InputDefinitions, PipelineSpec, TaskInputArtifact, TaskInputParameter, TaskSpec } from "../../domain/ir.ts";
import type { Random } from "./random.fixture.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Kind = "leaf" | "importer" | "graph" | "condition" | "branches" | "exitHandler" | "loop" | "leafLoop" | "artifactLoop";

const ARTIFACT = { artifactType: { schemaTitle: "system.Dataset" } };
const INPUTS: InputDefinitions = {
  parameters: {
    s: { parameterType: "STRING", isOptional: true },
    l: { parameterType: "LIST", isOptional: true },
    d: { parameterType: "NUMBER_INTEGER", isOptional: true, defaultValue: 7 },
    item: { parameterType: "STRING", isOptional: true },
  },
  artifacts: { x: { ...ARTIFACT, isOptional: true, isArtifactList: true }, one: { ...ARTIFACT, isOptional: true } },
};
const OUTPUTS = { parameters: { out: { parameterType: "STRING" as const } }, artifacts: { art: ARTIFACT } };

/** A valid pipeline by chance: graphs in graphs, loops, branches, exit handlers, importers, retries and caches. */
export function randomPipeline(random: Random, size: number): PipelineSpec {
  const components: Record<string, ComponentSpec> = {
    "comp-leaf": { executorLabel: "leaf", inputDefinitions: INPUTS, outputDefinitions: OUTPUTS },
    "comp-needy": {
      executorLabel: "needy",
      inputDefinitions: { ...INPUTS, parameters: { ...INPUTS.parameters, r: { parameterType: "STRING" } } },
      outputDefinitions: OUTPUTS,
    },
    "comp-notify": {
      executorLabel: "leaf",
      inputDefinitions: { ...INPUTS, parameters: { ...INPUTS.parameters, status: { parameterType: "TASK_FINAL_STATUS" } } },
      outputDefinitions: OUTPUTS,
    },
    "comp-importer": {
      executorLabel: "importer",
      inputDefinitions: { parameters: { uri: { parameterType: "STRING" } } },
      outputDefinitions: { artifacts: { art: ARTIFACT } },
    },
  };
  const root = new Graph(random, components, { budget: size }).build(3, "");
  const { inputDefinitions: _inputs, ...rest } = root;
  return {
    schemaVersion: "2.1.0",
    pipelineInfo: { name: "random" },
    root: {
      ...rest,
      inputDefinitions: {
        parameters: {
          s: { parameterType: "STRING", defaultValue: "root" },
          l: { parameterType: "LIST", defaultValue: ["p", "q"] },
          item: { parameterType: "STRING", isOptional: true },
        },
      },
    },
    components,
    deploymentSpec: {
      executors: {
        leaf: { container: { image: "i", args: ["{{$}}"] } },
        needy: { container: { image: "i", args: ["{{$}}", "{{$.inputs.parameters['r']}}"] } },
        importer: {
          importer: { artifactUri: { runtimeParameter: "uri" }, typeSchema: { schemaTitle: "system.Dataset" }, reimport: true },
        },
      },
    },
  };
}

class Graph {
  readonly #random: Random;
  readonly #components: Record<string, ComponentSpec>;
  readonly #shared: { budget: number };
  readonly #tasks: Record<string, TaskSpec> = {};
  /** Which tasks give what: a text or a list, an artifact or more. */
  readonly #givesOut: string[] = [];
  readonly #givesArt: string[] = [];

  constructor(random: Random, components: Record<string, ComponentSpec>, shared: { budget: number }) {
    this.#random = random;
    this.#components = components;
    this.#shared = shared;
  }

  /** A component that holds tasks, at most `depth` deep. */
  build(depth: number, prefix: string): ComponentSpec {
    const random = this.#random;
    const count = 1 + random.below(depth > 2 ? 5 : 3);
    for (let index = 0; index < count && this.#shared.budget > 0; index++) this.#add(depth, `${prefix}t${index}`);
    if (Object.keys(this.#tasks).length === 0) this.#leaf("t0");
    return { inputDefinitions: INPUTS, ...this.#outputs(), dag: { tasks: this.#tasks, outputs: this.#dagOutputs() } };
  }

  /** A component whose tasks are branches, of which at most one is taken. */
  buildBranches(depth: number): ComponentSpec {
    const condition = "inputs.parameter_values['s'] < '8'";
    for (const [name, text] of [
      ["yes", condition],
      ["no", `!(${condition})`],
    ] as const) {
      const task = this.#task(this.#nested(depth), { inherits: true });
      task.triggerPolicy = { condition: text };
      this.#put(name, task, true);
    }
    return { inputDefinitions: INPUTS, ...this.#outputs(), dag: { tasks: this.#tasks, outputs: this.#dagOutputs() } };
  }

  #outputs(): Pick<ComponentSpec, "outputDefinitions"> {
    return {
      outputDefinitions: {
        parameters: this.#givesOut.length > 0 ? { out: { parameterType: "STRING" } } : {},
        artifacts: this.#givesArt.length > 0 ? { art: ARTIFACT } : {},
      },
    };
  }

  #dagOutputs(): DagOutputs {
    const some = (all: readonly string[]): readonly string[] => (this.#random.oneIn(2) ? all : all.slice(-1));
    const parameters = some(this.#givesOut).map((producerSubtask) => ({ producerSubtask, outputParameterKey: "out" }));
    const [first] = parameters;
    return {
      parameters:
        first === undefined
          ? {}
          : { out: parameters.length === 1 ? { valueFromParameter: first } : { valueFromOneof: { parameterSelectors: parameters } } },
      artifacts:
        this.#givesArt.length === 0
          ? {}
          : { art: { artifactSelectors: some(this.#givesArt).map((producerSubtask) => ({ producerSubtask, outputArtifactKey: "art" })) } },
    };
  }

  #add(depth: number, name: string): void {
    const random = this.#random;
    const simple: readonly Kind[] = ["leaf", "leaf", "leaf", "importer", "leafLoop", "artifactLoop"];
    const kind = random.pick(depth > 1 ? [...simple, "graph", "condition", "branches", "exitHandler", "loop", "loop"] : simple);
    this.#shared.budget--;
    switch (kind) {
      case "leaf":
        return this.#leaf(name);
      case "importer":
        return this.#importer(name);
      case "graph":
        return this.#put(name, this.#task(this.#nested(depth), {}), true);
      case "condition": {
        const task = this.#task(this.#nested(depth), {});
        const conditions = ["true", "false", "inputs.parameter_values['s'] < '8'", "inputs.parameter_values['s'] >= '4'"];
        task.triggerPolicy = { condition: random.pick(conditions) };
        return this.#put(name, task, true);
      }
      case "branches": {
        const component = this.#component("comp-condition-branches", (graph) => graph.buildBranches(depth - 1));
        return this.#put(name, this.#task(component, {}), true);
      }
      case "exitHandler": {
        this.#put(
          name,
          this.#task(
            this.#component("comp-exit-handler", (graph) => graph.build(depth - 1, "")),
            {},
          ),
          true,
        );
        for (const exit of random.oneIn(3) ? ["exit", "exit2"] : ["exit"]) this.#exitTask(`${name}-${exit}`, name);
        return;
      }
      case "loop":
      case "leafLoop":
        return this.#loop(name, kind === "loop" ? this.#nested(depth) : "comp-leaf");
      case "artifactLoop": {
        if (this.#givesArt.length === 0) return this.#leaf(name);
        const task = this.#task(depth > 1 && random.oneIn(2) ? this.#nested(depth) : "comp-leaf", {});
        const x: TaskInputArtifact = { taskOutputArtifact: { producerTask: random.pick(this.#givesArt), outputArtifactKey: "art" } };
        task.inputs = { ...task.inputs, artifacts: { ...task.inputs?.artifacts, x } };
        task.artifactIterator = { items: { inputArtifact: "x" }, itemInput: "one" };
        task.iteratorPolicy = { parallelismLimit: random.below(3) };
        return this.#put(name, task, this.#gives(task));
      }
    }
  }

  #gives(task: TaskSpec): boolean {
    return this.#components[task.componentRef.name]?.outputDefinitions?.parameters?.["out"] !== undefined;
  }

  #nested(depth: number): string {
    return this.#component("comp-graph", (graph) => graph.build(depth - 1, ""));
  }

  #component(name: string, build: (graph: Graph) => ComponentSpec): string {
    const full = `${name}-${Object.keys(this.#components).length}`;
    this.#components[full] = {};
    this.#components[full] = build(new Graph(this.#random, this.#components, this.#shared));
    return full;
  }

  #leaf(name: string): void {
    const isNeedy = this.#random.oneIn(6);
    const task = this.#task(isNeedy ? "comp-needy" : "comp-leaf", {});
    if (isNeedy && !this.#random.oneIn(4)) {
      task.inputs = { ...task.inputs, parameters: { ...task.inputs?.parameters, r: this.#parameter() } };
    }
    this.#put(name, task, true);
  }

  #importer(name: string): void {
    const producer = this.#givesOut.length > 0 && this.#random.oneIn(2) ? this.#random.pick(this.#givesOut) : undefined;
    const uri: TaskInputParameter =
      producer === undefined
        ? { runtimeValue: { constant: `s3://given/{{$.pipeline_task_name}}` } }
        : { taskOutputParameter: { producerTask: producer, outputParameterKey: "out" } };
    const task: TaskSpec = { componentRef: { name: "comp-importer" }, inputs: { parameters: { uri } } };
    this.#tasks[name] = this.#random.oneIn(5) ? { ...task, triggerPolicy: { condition: this.#random.pick(["true", "false"]) } } : task;
    this.#givesArt.push(name);
  }

  #exitTask(name: string, handler: string): void {
    const task = this.#task("comp-notify", {});
    task.dependentTasks = [handler];
    task.triggerPolicy = { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" };
    const [inherited, status]: TaskInputParameter[] = [{ componentInputParameter: "s" }, { taskFinalStatus: { producerTask: handler } }];
    task.inputs = { parameters: { s: inherited as TaskInputParameter, status: status as TaskInputParameter } };
    this.#tasks[name] = task;
  }

  #loop(name: string, component: string): void {
    const random = this.#random;
    const task = this.#task(component, {});
    const isRaw = random.oneIn(2);
    const items = random.pick(["[]", '["a"]', '["a","b","c"]', "[1,2]", '[{"k":"v"},{"k":2}]']);
    const source = random.oneIn(2) ? this.#list() : undefined;
    task.parameterIterator = { items: isRaw || source === undefined ? { raw: items } : { inputParameter: "l" }, itemInput: "item" };
    if (!isRaw && source !== undefined) task.inputs = { ...task.inputs, parameters: { ...task.inputs?.parameters, l: source } };
    task.iteratorPolicy = { parallelismLimit: random.below(4) };
    this.#put(name, task, this.#gives(task));
  }

  #list(): TaskInputParameter {
    const loops = this.#givesOut.filter((one) => this.#tasks[one]?.parameterIterator !== undefined);
    if (loops.length === 0 || this.#random.oneIn(3)) return { componentInputParameter: "l" };
    return { taskOutputParameter: { producerTask: this.#random.pick(loops), outputParameterKey: "out" } };
  }

  #parameter(): TaskInputParameter {
    const random = this.#random;
    if (this.#givesOut.length > 0 && random.oneIn(2)) {
      return { taskOutputParameter: { producerTask: random.pick(this.#givesOut), outputParameterKey: "out" } };
    }
    return random.pick<TaskInputParameter>([
      { componentInputParameter: "s" },
      { componentInputParameter: "item" },
      { componentInputParameter: "item", parameterExpressionSelector: 'parseJson(string_value)["k"]' },
      { runtimeValue: { constant: "constant" } },
      { runtimeValue: { constant: "{{$.inputs.parameters['d']}} in {{$.pipeline_task_name}}" } },
    ]);
  }

  #task(component: string, { inherits = false }: { readonly inherits?: boolean }): Mutable<TaskSpec> {
    const random = this.#random;
    const earlier = Object.keys(this.#tasks);
    const parameters: Record<string, TaskInputParameter> = {};
    if (inherits) parameters["s"] = { componentInputParameter: "s" };
    else if (random.oneIn(2)) parameters["s"] = this.#parameter();
    if (random.oneIn(3)) parameters["item"] = { componentInputParameter: "item" };
    if (random.oneIn(3)) parameters["l"] = this.#list();
    const artifacts: Record<string, TaskInputArtifact> = {};
    if (this.#givesArt.length > 0 && random.oneIn(3)) {
      artifacts["x"] = { taskOutputArtifact: { producerTask: random.pick(this.#givesArt), outputArtifactKey: "art" } };
    } else if (random.oneIn(4)) artifacts["x"] = { componentInputArtifact: random.pick(["x", "one"]) };
    const needsNumber = Object.values(parameters).some(({ runtimeValue }) => String(runtimeValue?.constant).includes("'d'"));
    if (needsNumber) parameters["d"] = { runtimeValue: { constant: 5 } };
    return {
      componentRef: { name: component },
      inputs: { parameters, artifacts },
      ...(earlier.length > 0 && random.oneIn(4) ? { dependentTasks: [random.pick(earlier)] } : {}),
      ...(random.oneIn(3) ? { cachingOptions: { enableCache: true } } : {}),
      ...(random.oneIn(4) ? { retryPolicy: { maxRetryCount: random.below(3), backoffDuration: random.pick(["0s", "3s"]) } } : {}),
      ...(random.oneIn(7) ? { triggerPolicy: { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" as const } } : {}),
    };
  }

  #put(name: string, task: TaskSpec, isGiving: boolean): void {
    // A needy task may have got an input that only some branches have.
    const needy = task.inputs?.parameters?.["r"]?.runtimeValue?.constant;
    const isConstant = typeof needy === "string" && needy.includes("'d'");
    const inputs = isConstant ? { ...task.inputs, parameters: { ...task.inputs?.parameters, d: { runtimeValue: { constant: 5 } } } } : task.inputs;
    this.#tasks[name] = inputs === undefined ? task : { ...task, inputs };
    const outputs = this.#components[task.componentRef.name]?.outputDefinitions;
    if (isGiving && outputs?.parameters?.["out"] !== undefined) this.#givesOut.push(name);
    if (outputs?.artifacts?.["art"] !== undefined) this.#givesArt.push(name);
  }
}
