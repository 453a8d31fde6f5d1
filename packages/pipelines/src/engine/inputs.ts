import { UserError } from "@sluice/kubernetes";
import { selectParameter } from "../domain/condition.ts";
import type { JsonObject, JsonValue, TaskInputArtifact, TaskInputParameter, TaskSpec } from "../domain/ir.ts";
import { isJsonObject } from "../domain/executor-input.ts";
import { type PipelineValues, resolveConstant } from "../domain/placeholders.ts";
import { conform, typeOf } from "./parameter-type.ts";
import { componentOf, own, type PlannedTask } from "./plan.ts";
import type { LoopItem, RunState } from "./run-state.ts";
import { runResourceName } from "./task-id.ts";
import { type ArtifactRecord, hasSucceeded, type TaskId, type TaskRecord, type TaskState, type TaskValues } from "./types.ts";

const WORKSPACE_PATH = "/kfp-workspace";

/** What the pipeline's own placeholders stand for in one task. */
export function pipelineValues(run: RunState, task: { readonly name: string; readonly id: TaskId }): PipelineValues {
  const { info } = run;
  const utc = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
  return {
    pipeline_job_name: info.displayName,
    pipeline_job_resource_name: runResourceName(info.spec.pipelineInfo.name, info.id),
    pipeline_job_uuid: info.id,
    pipeline_task_name: task.name,
    pipeline_task_uuid: task.id,
    get pipeline_job_create_time_utc() {
      return utc(info.createdAt);
    },
    get pipeline_job_schedule_time_utc() {
      return utc(info.scheduledAt ?? info.createdAt);
    },
    pipeline_root: info.pipelineRoot,
    workspace_path: WORKSPACE_PATH,
  };
}

/**
 * An input of a graph. An iteration holds only its item and finds the rest in its loop. What a graph does not declare is
 * looked for around it: the SDK forgets to hand down the items of loops that texts name.
 */
function graphParameter(run: RunState, graph: TaskRecord, name: string): JsonValue | undefined {
  const value = own(graph.inputs.parameters, name);
  if (value !== undefined || graph.parentId === undefined) return value;
  const isDeclared = own(componentOf(run.info.spec, graph.component).inputDefinitions?.parameters, name) !== undefined;
  if (graph.iteration !== undefined || !isDeclared) {
    const outer = graphParameter(run, run.get(graph.parentId), name);
    if (outer !== undefined) return outer;
  }
  return graph.iteration === undefined ? undefined : itemField(graph, name);
}

const ITEM_FIELD = /^(.+)-subvar-(.+)$/su;

/** A field of an iteration's item, by the name that the SDK gives it. */
function itemField({ inputs }: TaskRecord, name: string): JsonValue | undefined {
  const [, item = "", field = ""] = ITEM_FIELD.exec(name) ?? [];
  const value = own(inputs.parameters, item);
  return isJsonObject(value) ? own(value, field) : undefined;
}

/** Whether a graph task's input comes from nowhere: the SDK writes such inputs for items that the loop itself brings. */
function isDangling(run: RunState, graph: TaskRecord, task: PlannedTask, name: string): boolean {
  const source = own(task.spec.inputs?.parameters, name)?.componentInputParameter;
  if (task.component.dag === undefined || source === undefined) return false;
  return own(componentOf(run.info.spec, graph.component).inputDefinitions?.parameters, source) === undefined;
}

function graphArtifacts(run: RunState, graph: TaskRecord, name: string): readonly ArtifactRecord[] | undefined {
  const value = own(graph.inputs.artifacts, name);
  if (value !== undefined || graph.iteration === undefined || graph.parentId === undefined) return value;
  return own(run.get(graph.parentId).inputs.artifacts, name);
}

const FINAL_STATES: Readonly<Record<TaskState, string>> = {
  PENDING: "RUNNING",
  RUNNING: "RUNNING",
  SUCCEEDED: "COMPLETE",
  CACHED: "CACHED",
  SKIPPED: "CANCELED",
  FAILED: "FAILED",
  CANCELED: "CANCELED",
};

/** Of google.rpc.Code. */
const [CANCELLED, UNKNOWN] = [1, 2];

/** How a task ended, as an exit task is told; the words are those that upstream's components test for. */
function finalStatus(run: RunState, graph: TaskRecord, producer: string): JsonObject {
  const { state, message = "it did not run" } = run.child(graph.id, producer) ?? { state: "CANCELED" };
  return {
    state: FINAL_STATES[state],
    pipelineJobResourceName: runResourceName(run.info.spec.pipelineInfo.name, run.info.id),
    pipelineTaskName: producer,
    error: hasSucceeded(state) ? {} : { code: state === "FAILED" ? UNKNOWN : CANCELLED, message },
  };
}

/** The value that a task input takes from its graph, constants as they are written; undefined if there is none. */
function sourceValue(run: RunState, graph: TaskRecord, input: TaskInputParameter): JsonValue | undefined {
  let value: JsonValue | undefined;
  if (input.taskOutputParameter !== undefined) {
    const { producerTask, outputParameterKey } = input.taskOutputParameter;
    value = own(run.child(graph.id, producerTask)?.outputs.parameters, outputParameterKey);
  } else if (input.componentInputParameter !== undefined) {
    value = graphParameter(run, graph, input.componentInputParameter);
  } else if (input.taskFinalStatus !== undefined) {
    value = finalStatus(run, graph, input.taskFinalStatus.producerTask);
  } else if (input.runtimeValue !== undefined) {
    const { constant, constantValue, runtimeParameter } = input.runtimeValue;
    if (constant !== undefined) value = constant;
    else if (constantValue !== undefined) value = Object.values(constantValue)[0];
    else if (runtimeParameter !== undefined) value = own(run.info.parameters, runtimeParameter);
  }
  if (value === undefined || value === null || input.parameterExpressionSelector === undefined) return value;
  return selectParameter(input.parameterExpressionSelector, value);
}

/** A parameter outside a task's inputs, such as the name of a secret; undefined if there is none. */
export function resolveParameter(run: RunState, graph: TaskRecord, task: TaskRecord, input: TaskInputParameter): JsonValue | undefined {
  const value = sourceValue(run, graph, input);
  return isConstant(input) && value !== undefined ? resolveConstant(value, task.inputs.parameters, pipelineValues(run, task)) : value;
}

function isConstant(input: TaskInputParameter): boolean {
  return input.runtimeValue?.constant !== undefined || input.runtimeValue?.constantValue !== undefined;
}

function whence(run: RunState, graph: TaskRecord, input: TaskInputParameter & TaskInputArtifact): string {
  const output = input.taskOutputParameter ?? input.taskOutputArtifact;
  if (output !== undefined) {
    const key = "outputParameterKey" in output ? output.outputParameterKey : output.outputArtifactKey;
    const state = run.child(graph.id, output.producerTask)?.state;
    const how = state === undefined || hasSucceeded(state) ? "" : `, which is ${state},`;
    return `task ${JSON.stringify(output.producerTask)}${how} gave no output ${JSON.stringify(key)}`;
  }
  const from = input.componentInputParameter ?? input.componentInputArtifact ?? input.runtimeValue?.runtimeParameter;
  return from === undefined ? "its value is null" : `${JSON.stringify(from)} has no value in ${graph.path}`;
}

function about(kind: string, name: string, error: unknown): unknown {
  return error instanceof UserError ? new UserError(`input ${kind} ${JSON.stringify(name)}: ${error.message}`, { cause: error }) : error;
}

/** The inputs that a graph gives one of its tasks; a `UserError` names an input that is missing or of a wrong type. */
export function resolveInputs(run: RunState, graph: TaskRecord, task: PlannedTask, id: TaskId): TaskValues {
  const given = Object.entries(task.spec.inputs?.parameters ?? {});
  const sources: Record<string, JsonValue> = {};
  for (const [name, input] of given) {
    try {
      sources[name] = sourceValue(run, graph, input) ?? null;
    } catch (error) {
      throw about("parameter", name, error);
    }
  }
  const declared = task.component.inputDefinitions?.parameters ?? {};
  const values = pipelineValues(run, { name: task.name, id });
  const parameters: Record<string, JsonValue> = {};
  for (const [name, input] of given) {
    let value = sources[name] ?? null;
    if (value === null) continue;
    if (isConstant(input)) {
      try {
        value = resolveConstant(value, sources, values);
      } catch (error) {
        throw about("parameter", name, error);
      }
    }
    // The SDK guesses the types of items' fields where it hands them down; the container that takes one knows better.
    const isGuess = task.component.dag !== undefined && ITEM_FIELD.test(name);
    const spec = isGuess ? undefined : own(declared, name);
    parameters[name] = spec === undefined ? value : conform(name, value, spec);
  }
  const item = itemInput(task.spec);
  for (const [name, spec] of Object.entries(declared)) {
    if (name === item || Object.hasOwn(parameters, name) || spec.isOptional === true || (spec.defaultValue ?? null) !== null) continue;
    // Its value is the task's own settings, which the pod is made with.
    if (typeOf(spec) === "TASK_CONFIG" || isDangling(run, graph, task, name)) continue;
    const input = own(task.spec.inputs?.parameters, name);
    const why = input === undefined ? "the pipeline gives it no value" : whence(run, graph, input);
    throw new UserError(`input parameter ${JSON.stringify(name)} is missing: ${why}, and it has no default`);
  }
  return { parameters, artifacts: resolveArtifacts(run, graph, task) };
}

function resolveArtifacts(run: RunState, graph: TaskRecord, task: PlannedTask): TaskValues["artifacts"] {
  const artifacts: Record<string, readonly ArtifactRecord[]> = {};
  for (const [name, input] of Object.entries(task.spec.inputs?.artifacts ?? {})) {
    const output = input.taskOutputArtifact;
    const found =
      output === undefined
        ? graphArtifacts(run, graph, input.componentInputArtifact ?? "")
        : own(run.child(graph.id, output.producerTask)?.outputs.artifacts, output.outputArtifactKey);
    if (found !== undefined) artifacts[name] = found;
  }
  const item = itemInput(task.spec);
  for (const [name, spec] of Object.entries(task.component.inputDefinitions?.artifacts ?? {})) {
    if (name === item || Object.hasOwn(artifacts, name) || spec.isOptional === true) continue;
    const input = own(task.spec.inputs?.artifacts, name);
    const why = input === undefined ? "the pipeline does not give it" : whence(run, graph, input);
    throw new UserError(`input artifact ${JSON.stringify(name)} is missing: ${why}`);
  }
  return artifacts;
}

/** The input that an iteration gets its item in, if the task is a loop. */
function itemInput(spec: TaskSpec): string | undefined {
  return spec.parameterIterator?.itemInput ?? spec.artifactIterator?.itemInput;
}

/** What a loop loops over, by its own inputs. */
export function loopItems(spec: TaskSpec, inputs: TaskValues): readonly LoopItem[] {
  if (spec.artifactIterator !== undefined) {
    const name = spec.artifactIterator.items.inputArtifact;
    const artifacts = own(inputs.artifacts, name);
    if (artifacts === undefined) throw new UserError(`the loop's items, input artifact ${JSON.stringify(name)}, are missing`);
    return artifacts.map((artifact) => ({ artifact }));
  }
  const { raw, inputParameter } = spec.parameterIterator?.items ?? {};
  const source = raw ?? own(inputs.parameters, inputParameter ?? "");
  const where = raw === undefined ? `input parameter ${JSON.stringify(inputParameter)}` : "the items of its iterator";
  if (source === undefined) throw new UserError(`the loop's items, ${where}, are missing`);
  let list: JsonValue = source;
  if (typeof source === "string") {
    try {
      list = JSON.parse(source) as JsonValue;
    } catch {
      throw new UserError(`the loop's items, ${where}, are neither a list nor the JSON text of one`);
    }
  }
  if (!Array.isArray(list)) throw new UserError(`the loop's items, ${where}, are not a list`);
  const items: readonly JsonValue[] = list;
  return items.map((value) => ({ value }));
}

/** What one iteration is given: its item alone for a graph, which finds the rest in the loop, and everything for a container. */
export function iterationInputs(task: PlannedTask, loop: TaskValues, item: LoopItem): TaskValues {
  const name = itemInput(task.spec) ?? "";
  const isGraph = task.component.dag !== undefined;
  const parameters = isGraph ? {} : { ...loop.parameters };
  const artifacts = isGraph ? {} : { ...loop.artifacts };
  if (!isGraph) {
    const { parameterIterator, artifactIterator } = task.spec;
    if (parameterIterator?.items.inputParameter !== undefined) delete parameters[parameterIterator.items.inputParameter];
    if (artifactIterator !== undefined) delete artifacts[artifactIterator.items.inputArtifact];
  }
  if ("artifact" in item) return { parameters, artifacts: { ...artifacts, [name]: [item.artifact] } };
  const spec = own(task.component.inputDefinitions?.parameters, name);
  return { parameters: { ...parameters, [name]: spec === undefined ? item.value : conform(name, item.value, spec) }, artifacts };
}
