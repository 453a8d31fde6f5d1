import type { DagSpec, JsonObject, PipelineSpec, TaskInputArtifact, TaskInputParameter, TaskSpec } from "../domain/ir.ts";
import { componentOf, isLoop, own } from "./plan.ts";
import type { TaskRecord } from "./types.ts";

/** Where a task's input comes from, and how an output is given on; the words are KFP's. */
export type IoType =
  | "COMPONENT_DEFAULT_INPUT"
  | "TASK_OUTPUT_INPUT"
  | "COMPONENT_INPUT"
  | "RUNTIME_VALUE_INPUT"
  | "COLLECTED_INPUTS"
  | "ITERATOR_INPUT"
  | "ITERATOR_INPUT_RAW"
  | "ITERATOR_OUTPUT"
  | "OUTPUT"
  | "ONE_OF_OUTPUT"
  | "TASK_FINAL_STATUS_OUTPUT";

/** Where one value comes from. */
export interface Provenance {
  readonly type: IoType;
  /** The task that gave it, if one did. */
  readonly producer?: { readonly name: string; readonly iteration?: number };
}

/** As much of a task as its provenance depends on. */
export type Relative = Pick<TaskRecord, "name" | "kind" | "component" | "iteration">;

/** A task among those that contain it. */
export interface Lineage {
  readonly task: Relative;
  readonly parent?: Relative | undefined;
  readonly grandparent?: Relative | undefined;
}

/** What a pipeline says about where its tasks' values come from. */
export class ProvenanceReader {
  readonly #spec: PipelineSpec;
  readonly #given: JsonObject;

  /** `given` are the run's own parameters. */
  constructor(spec: PipelineSpec, given: JsonObject) {
    this.#spec = spec;
    this.#given = given;
  }

  inputParameter(lineage: Lineage, key: string): Provenance {
    if (lineage.task.kind === "ROOT") return { type: Object.hasOwn(this.#given, key) ? "RUNTIME_VALUE_INPUT" : "COMPONENT_DEFAULT_INPUT" };
    const spec = this.#taskSpec(lineage);
    const { parameterIterator } = spec ?? {};
    if (lineage.task.iteration !== undefined && parameterIterator?.itemInput === key) {
      return { type: parameterIterator.items.raw === undefined ? "ITERATOR_INPUT" : "ITERATOR_INPUT_RAW", producer: itself(lineage) };
    }
    return this.#source(lineage, own(spec?.inputs?.parameters, key));
  }

  inputArtifact(lineage: Lineage, key: string): Provenance {
    const spec = this.#taskSpec(lineage);
    if (lineage.task.iteration !== undefined && spec?.artifactIterator?.itemInput === key)
      return { type: "ITERATOR_INPUT", producer: itself(lineage) };
    return this.#source(lineage, own(spec?.inputs?.artifacts, key));
  }

  outputParameter(lineage: Lineage, key: string): Provenance {
    const output = own(this.#dag(lineage.task)?.outputs?.parameters, key);
    const chosen = output?.valueFromOneof?.parameterSelectors ?? (output?.valueFromParameter === undefined ? [] : [output.valueFromParameter]);
    return given(
      lineage,
      chosen.map(({ producerSubtask }) => producerSubtask),
      output?.valueFromOneof !== undefined,
    );
  }

  outputArtifact(lineage: Lineage, key: string): Provenance {
    const chosen = own(this.#dag(lineage.task)?.outputs?.artifacts, key)?.artifactSelectors ?? [];
    return given(
      lineage,
      chosen.map(({ producerSubtask }) => producerSubtask),
      chosen.length > 1,
    );
  }

  #dag({ component }: Relative): DagSpec | undefined {
    return componentOf(this.#spec, component).dag;
  }

  /** The task as its graph has it; an iteration is its loop's task. */
  #taskSpec({ task, parent, grandparent }: Lineage): TaskSpec | undefined {
    const graph = task.iteration === undefined ? parent : grandparent;
    return graph === undefined ? undefined : own(this.#dag(graph)?.tasks, task.name);
  }

  #source(lineage: Lineage, input: (TaskInputParameter & TaskInputArtifact) | undefined): Provenance {
    const graph = lineage.task.iteration === undefined ? lineage.parent : lineage.grandparent;
    const output = input?.taskOutputParameter ?? input?.taskOutputArtifact;
    const within = graph?.iteration === undefined ? {} : { iteration: graph.iteration };
    if (output !== undefined) {
      const producer = graph === undefined ? undefined : own(this.#dag(graph)?.tasks, output.producerTask);
      const isCollected = producer !== undefined && isLoop(producer);
      return { type: isCollected ? "COLLECTED_INPUTS" : "TASK_OUTPUT_INPUT", producer: { name: output.producerTask, ...within } };
    }
    if (input?.componentInputParameter !== undefined || input?.componentInputArtifact !== undefined) {
      return { type: "COMPONENT_INPUT", ...(graph === undefined ? {} : { producer: { name: graph.name, ...within } }) };
    }
    if (input?.taskFinalStatus !== undefined) {
      return { type: "TASK_FINAL_STATUS_OUTPUT", producer: { name: input.taskFinalStatus.producerTask, ...within } };
    }
    return { type: input?.runtimeValue === undefined ? "COMPONENT_DEFAULT_INPUT" : "RUNTIME_VALUE_INPUT" };
  }
}

function itself({ task }: Lineage): NonNullable<Provenance["producer"]> {
  return { name: task.name, ...(task.iteration === undefined ? {} : { iteration: task.iteration }) };
}

/** How an output is given on: by a graph from one of its tasks, by all else from itself. */
function given({ task, parent }: Lineage, subtasks: readonly string[], isChoice: boolean): Provenance {
  const [first] = subtasks;
  if (first !== undefined) {
    const type = task.kind === "LOOP" ? "ITERATOR_OUTPUT" : isChoice ? "ONE_OF_OUTPUT" : "OUTPUT";
    return { type, ...(subtasks.length === 1 ? { producer: { name: first } } : {}) };
  }
  const iteration = task.iteration ?? parent?.iteration;
  if (iteration === undefined) return { type: task.kind === "LOOP" ? "ITERATOR_OUTPUT" : "OUTPUT", producer: { name: task.name } };
  return { type: "ITERATOR_OUTPUT", producer: { name: task.name, iteration } };
}
