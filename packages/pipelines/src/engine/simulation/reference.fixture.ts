import type { ComponentSpec, JsonValue, PipelineSpec, TaskInputParameter, TaskSpec } from "../../domain/ir.ts";
import { artifactUri, cachedOutput, type Outcomes, outputOf } from "./outcome.fixture.ts";

/** How a task ended, as the reference has it. */
export interface Ended {
  readonly state: "SUCCEEDED" | "CACHED" | "SKIPPED" | "FAILED";
  readonly parameters: Readonly<Record<string, JsonValue>>;
  readonly artifacts: Readonly<Record<string, readonly string[]>>;
  /** Of a container: the attempt that decided. */
  readonly attempt: number;
}

interface Values {
  readonly parameters: Record<string, JsonValue>;
  readonly artifacts: Record<string, readonly string[]>;
}

/** What makes a task fail before it starts. */
class Fault extends Error {}

const NOTHING = { parameters: {}, artifacts: {}, attempt: 0 };

/** How every task of a run ends, by its path: a pipeline as a plain function of its tasks' outcomes, without time, events or stored state. */
export function interpret(spec: PipelineSpec, outcomes: Outcomes): ReadonlyMap<string, Ended> {
  const all = new Map<string, Ended>();
  const root = defaulted(spec.root, { parameters: {}, artifacts: {} });
  all.set("root", graph(spec.root, root, "root", 0));
  return all;

  function component(name: string): ComponentSpec {
    return spec.components?.[name] ?? {};
  }

  function graph(of: ComponentSpec, inputs: Values, path: string, retries: number): Ended {
    const tasks = of.dag?.tasks ?? {};
    const done = new Map<string, Ended>();
    const visit = (name: string): Ended => {
      const known = done.get(name);
      if (known !== undefined) return known;
      const task = tasks[name] as TaskSpec;
      for (const before of producers(task)) visit(before);
      const ended = run(name, task, inputs, `${path}.${name}`, done, retries);
      done.set(name, ended);
      all.set(`${path}.${name}`, ended);
      return ended;
    };
    for (const name of Object.keys(tasks)) visit(name);
    const parameters: Record<string, JsonValue> = {};
    for (const [name, { valueFromParameter, valueFromOneof }] of Object.entries(of.dag?.outputs?.parameters ?? {})) {
      const selectors = valueFromParameter === undefined ? (valueFromOneof?.parameterSelectors ?? []) : [valueFromParameter];
      const values = selectors.map((one) => done.get(one.producerSubtask)?.parameters[one.outputParameterKey]);
      const value = values.find((one) => one !== undefined);
      if (value !== undefined) parameters[name] = value;
    }
    const artifacts: Record<string, readonly string[]> = {};
    for (const [name, { artifactSelectors = [] }] of Object.entries(of.dag?.outputs?.artifacts ?? {})) {
      const lists = artifactSelectors.map((one) => done.get(one.producerSubtask)?.artifacts[one.outputArtifactKey]);
      const list = lists.find((one) => one !== undefined);
      if (list !== undefined) artifacts[name] = list;
    }
    const failed = [...done.values()].some(({ state }) => state === "FAILED");
    return { state: failed ? "FAILED" : "SUCCEEDED", parameters, artifacts, attempt: 0 };
  }

  function run(name: string, task: TaskSpec, around: Values, path: string, done: ReadonlyMap<string, Ended>, inherited: number): Ended {
    const isExit = task.triggerPolicy?.strategy === "ALL_UPSTREAM_TASKS_COMPLETED";
    const isBlocked = producers(task).some((one) => done.get(one)?.state === "SKIPPED" || done.get(one)?.state === "FAILED");
    if (isBlocked && !isExit) return { state: "SKIPPED", ...NOTHING };
    const of = component(task.componentRef.name);
    const retries = task.retryPolicy === undefined ? inherited : (task.retryPolicy.maxRetryCount ?? 0);
    try {
      const given = inputsOf(name, task, of, around, done);
      if (!holds(task.triggerPolicy?.condition ?? "", defaulted(of, given))) return { state: "SKIPPED", ...NOTHING };
      if (task.parameterIterator === undefined && task.artifactIterator === undefined) return once(of, given, path, { task, retries });
      return loop(task, of, given, path, retries);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return { state: "FAILED", ...NOTHING };
    }
  }

  function loop(task: TaskSpec, of: ComponentSpec, given: Values, path: string, retries: number): Ended {
    const values = of.dag === undefined ? given : defaulted(of, given);
    const iterations: Ended[] = [];
    itemsOf(task, values).forEach((item, index) => {
      const at = `${path}.${index}`;
      const inner: Values = { parameters: { ...values.parameters }, artifacts: { ...values.artifacts } };
      if (task.parameterIterator?.items.inputParameter !== undefined && of.dag === undefined) {
        delete inner.parameters[task.parameterIterator.items.inputParameter];
      }
      if (task.artifactIterator !== undefined && of.dag === undefined) delete inner.artifacts[task.artifactIterator.items.inputArtifact];
      if ("uri" in item) inner.artifacts[task.artifactIterator?.itemInput ?? ""] = [item.uri];
      else inner.parameters[task.parameterIterator?.itemInput ?? ""] = text(item.value);
      const ended = once(of, inner, at, { task, retries });
      all.set(at, ended);
      iterations.push(ended);
    });
    const parameters: Record<string, JsonValue> = {};
    for (const name of Object.keys(of.outputDefinitions?.parameters ?? {})) {
      parameters[name] = iterations.map((one) => one.parameters[name]).filter((value) => value !== undefined);
    }
    const artifacts: Record<string, readonly string[]> = {};
    for (const name of Object.keys(of.outputDefinitions?.artifacts ?? {})) artifacts[name] = iterations.flatMap((one) => one.artifacts[name] ?? []);
    const failed = iterations.some(({ state }) => state === "FAILED");
    return { state: failed ? "FAILED" : "SUCCEEDED", parameters, artifacts, attempt: 0 };
  }

  function once(of: ComponentSpec, given: Values, path: string, { task, retries }: { readonly task: TaskSpec; readonly retries: number }): Ended {
    if (of.dag !== undefined) return graph(of, defaulted(of, given), path, retries);
    if (of.executorLabel === "importer") {
      const uri = text(given.parameters["uri"] ?? null);
      if (uri === "") throw new Fault("no address");
      return { state: "SUCCEEDED", parameters: {}, artifacts: { art: [uri] }, attempt: 0 };
    }
    if (task.cachingOptions?.enableCache === true && outcomes.isCached(path)) {
      const { out, uri } = cachedOutput(path);
      return { state: "CACHED", parameters: { out }, artifacts: { art: [uri] }, attempt: 0 };
    }
    for (let attempt = 0; ; attempt++) {
      if (outcomes.succeeds(path, attempt)) {
        return { state: "SUCCEEDED", parameters: { out: outputOf(path, defaulted(of, given)) }, artifacts: { art: [artifactUri(path)] }, attempt };
      }
      if (attempt >= retries) return { state: "FAILED", parameters: {}, artifacts: {}, attempt };
    }
  }

  function inputsOf(name: string, task: TaskSpec, of: ComponentSpec, around: Values, done: ReadonlyMap<string, Ended>): Values {
    const sources: Record<string, JsonValue> = {};
    for (const [key, input] of Object.entries(task.inputs?.parameters ?? {})) sources[key] = sourceOf(input, around, done);
    const parameters: Record<string, JsonValue> = {};
    for (const [key, input] of Object.entries(task.inputs?.parameters ?? {})) {
      let value = sources[key] ?? null;
      if (value === null) continue;
      if (typeof input.runtimeValue?.constant === "string") {
        value = String(value)
          .replace("{{$.inputs.parameters['d']}}", text(sources["d"] ?? null))
          .replace("{{$.pipeline_task_name}}", name);
      }
      parameters[key] = conformed(value, of.inputDefinitions?.parameters?.[key]?.parameterType ?? "STRING");
    }
    const artifacts: Record<string, readonly string[]> = {};
    for (const [key, { taskOutputArtifact, componentInputArtifact }] of Object.entries(task.inputs?.artifacts ?? {})) {
      const list =
        taskOutputArtifact === undefined
          ? around.artifacts[componentInputArtifact ?? ""]
          : done.get(taskOutputArtifact.producerTask)?.artifacts[taskOutputArtifact.outputArtifactKey];
      if (list !== undefined) artifacts[key] = list;
    }
    for (const [key, { isOptional, defaultValue }] of Object.entries(of.inputDefinitions?.parameters ?? {})) {
      if (parameters[key] === undefined && isOptional !== true && defaultValue === undefined) throw new Fault(`${key} is missing`);
    }
    return { parameters, artifacts };
  }

  function sourceOf(input: TaskInputParameter, around: Values, done: ReadonlyMap<string, Ended>): JsonValue {
    let value: JsonValue = null;
    if (input.taskOutputParameter !== undefined) {
      const { producerTask, outputParameterKey } = input.taskOutputParameter;
      value = done.get(producerTask)?.parameters[outputParameterKey] ?? null;
    } else if (input.componentInputParameter !== undefined) value = around.parameters[input.componentInputParameter] ?? null;
    else if (input.runtimeValue !== undefined) value = input.runtimeValue.constant ?? null;
    else if (input.taskFinalStatus !== undefined) {
      const { producerTask } = input.taskFinalStatus;
      const state = done.get(producerTask)?.state ?? "SKIPPED";
      const words = { SUCCEEDED: "COMPLETE", CACHED: "CACHED", SKIPPED: "CANCELED", FAILED: "FAILED" };
      const codes = { SUCCEEDED: {}, CACHED: {}, SKIPPED: { code: 1 }, FAILED: { code: 2 } };
      return { state: words[state], pipelineTaskName: producerTask, error: codes[state] };
    }
    if (value === null || input.parameterExpressionSelector === undefined) return value;
    try {
      const parsed = JSON.parse(text(value)) as { readonly k?: JsonValue } | null;
      if (typeof parsed === "object" && parsed !== null && parsed.k !== undefined) return parsed.k;
    } catch {
      // Not JSON: there is nothing to select from.
    }
    throw new Fault("nothing is selected");
  }
}

/** Whether the task at `path` belongs to one that cleans up: it runs however an exit handler before it, or what it is told of, has ended. */
export function isInExitTask(spec: PipelineSpec, path: string): boolean {
  let of: ComponentSpec | undefined = spec.root;
  for (const name of path.split(".").slice(1)) {
    const task: TaskSpec | undefined = of?.dag?.tasks?.[name];
    if (task === undefined) continue;
    const handlers = producers(task).filter((one) => of?.dag?.tasks?.[one]?.componentRef.name.startsWith("comp-exit-handler") === true);
    const isTold = task.inputs?.parameters?.["status"]?.taskFinalStatus !== undefined;
    if (task.triggerPolicy?.strategy === "ALL_UPSTREAM_TASKS_COMPLETED" && (isTold || handlers.length > 0)) return true;
    of = spec.components?.[task.componentRef.name];
  }
  return false;
}

/** Whether a pipeline has a task at `path`, and graphs above it. */
export function isPlaceOf(spec: PipelineSpec, path: string): boolean {
  let of: ComponentSpec | undefined = spec.root;
  for (const name of path.split(".").slice(1)) {
    if (/^\d+$/u.test(name)) continue;
    const task: TaskSpec | undefined = of?.dag?.tasks?.[name];
    if (task === undefined) return false;
    of = spec.components?.[task.componentRef.name];
  }
  return true;
}

function producers(task: TaskSpec): readonly string[] {
  const parameters = Object.values(task.inputs?.parameters ?? {});
  const artifacts = Object.values(task.inputs?.artifacts ?? {});
  const names = [
    ...(task.dependentTasks ?? []),
    ...parameters.map((one) => one.taskOutputParameter?.producerTask ?? one.taskFinalStatus?.producerTask),
    ...artifacts.map((one) => one.taskOutputArtifact?.producerTask),
  ];
  return names.filter((name) => name !== undefined);
}

function itemsOf({ parameterIterator, artifactIterator }: TaskSpec, values: Values): readonly ({ value: JsonValue } | { uri: string })[] {
  if (artifactIterator !== undefined) {
    const list = values.artifacts[artifactIterator.items.inputArtifact];
    if (list === undefined) throw new Fault("no items");
    return list.map((uri) => ({ uri }));
  }
  const { raw, inputParameter = "" } = parameterIterator?.items ?? {};
  const list = raw === undefined ? values.parameters[inputParameter] : (JSON.parse(raw) as JsonValue);
  if (!Array.isArray(list)) throw new Fault("no items");
  return (list as JsonValue[]).map((value) => ({ value }));
}

function defaulted(of: ComponentSpec, { parameters, artifacts }: Values): Values {
  const defaults: Record<string, JsonValue> = {};
  for (const [name, { defaultValue }] of Object.entries(of.inputDefinitions?.parameters ?? {})) {
    if (defaultValue !== undefined) defaults[name] = defaultValue;
  }
  return { parameters: { ...defaults, ...parameters }, artifacts };
}

function conformed(value: JsonValue, type: string): JsonValue {
  if (type === "STRING") return text(value);
  const fits =
    type === "LIST" ? Array.isArray(value) : type === "NUMBER_INTEGER" ? typeof value === "number" : typeof value === "object" && value !== null;
  if (!fits) throw new Fault(`not a ${type}`);
  return value;
}

function text(value: JsonValue): string {
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The conditions that `randomPipeline` writes. */
function holds(condition: string, { parameters }: Values): boolean {
  if (condition === "" || condition === "true") return true;
  if (condition === "false") return false;
  const isNot = condition.startsWith("!(");
  const s = parameters["s"];
  if (typeof s !== "string") throw new Fault("s has no value");
  const [, operator, limit = ""] = /(<|>=) '(.)'/u.exec(condition) ?? [];
  const isBefore = s < limit;
  return (operator === "<" ? isBefore : !isBefore) !== isNot;
}
