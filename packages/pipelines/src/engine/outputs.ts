import type { ComponentSpec, DagOutputArtifact, DagOutputParameter, JsonValue } from "../domain/ir.ts";
import { own } from "./plan.ts";
import type { RunState } from "./run-state.ts";
import type { ArtifactRecord, TaskRecord, TaskValues } from "./types.ts";

interface Selector {
  readonly producer: string;
  readonly key: string;
}

function parameterSelectors(output: DagOutputParameter): readonly Selector[] {
  const chosen = output.valueFromParameter === undefined ? (output.valueFromOneof?.parameterSelectors ?? []) : [output.valueFromParameter];
  return chosen.map((one) => ({ producer: one.producerSubtask, key: one.outputParameterKey }));
}

function artifactSelectors(output: DagOutputArtifact): readonly Selector[] {
  return (output.artifactSelectors ?? []).map((one) => ({ producer: one.producerSubtask, key: one.outputArtifactKey }));
}

/** What a graph gives: for each output, the first of its producers that gave it. */
export function graphOutputs(run: RunState, graph: TaskRecord, component: ComponentSpec): TaskValues {
  const parameters: Record<string, JsonValue> = {};
  for (const [name, output] of Object.entries(component.dag?.outputs?.parameters ?? {})) {
    for (const { producer, key } of parameterSelectors(output)) {
      const value = own(run.child(graph.id, producer)?.outputs.parameters, key);
      if (value === undefined) continue;
      parameters[name] = value;
      break;
    }
  }
  const artifacts: Record<string, readonly ArtifactRecord[]> = {};
  for (const [name, output] of Object.entries(component.dag?.outputs?.artifacts ?? {})) {
    for (const { producer, key } of artifactSelectors(output)) {
      const list = own(run.child(graph.id, producer)?.outputs.artifacts, key);
      if (list === undefined) continue;
      artifacts[name] = list;
      break;
    }
  }
  return { parameters, artifacts };
}

/**
 * What a loop gives: each output of its iterations as a list in their order; an iteration without it adds nothing. A loop in a loop
 * gives a list of lists of parameters, as the SDK's authors and its local runner have it, and one flat list of artifacts.
 */
export function loopOutputs(run: RunState, loop: TaskRecord, component: ComponentSpec): TaskValues {
  const iterations: TaskRecord[] = [];
  for (let index = 0; index < (loop.iterationCount ?? 0); index++) {
    const iteration = run.child(loop.id, String(index));
    if (iteration !== undefined) iterations.push(iteration);
  }
  const names = (kind: "parameters" | "artifacts"): string[] => [
    ...new Set([...Object.keys(component.outputDefinitions?.[kind] ?? {}), ...Object.keys(component.dag?.outputs?.[kind] ?? {})]),
  ];
  const parameters: Record<string, JsonValue> = {};
  for (const name of names("parameters")) {
    parameters[name] = iterations.flatMap((iteration) => {
      const value = own(iteration.outputs.parameters, name);
      return value === undefined ? [] : [value];
    });
  }
  const artifacts: Record<string, readonly ArtifactRecord[]> = {};
  for (const name of names("artifacts")) {
    artifacts[name] = iterations.flatMap((iteration) => own(iteration.outputs.artifacts, name) ?? []);
  }
  return { parameters, artifacts };
}
