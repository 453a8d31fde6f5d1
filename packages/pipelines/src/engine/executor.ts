import { type ExecutorInput, localPathOfUri, type RuntimeArtifact } from "../domain/executor-input.ts";
import type { Sha256 } from "../domain/fingerprint.ts";
import type { ComponentSpec } from "../domain/ir.ts";
import { withDefaults } from "./parameter-type.ts";
import type { RunState } from "./run-state.ts";
import { derivedUuid } from "./task-id.ts";
import type { ArtifactRecord, TaskRecord, TaskValues } from "./types.ts";

/** The directory of the files that containers write their output parameters to. */
export const OUTPUT_DIRECTORY = "/tmp/kfp/outputs";

function runtimeArtifact({ name, type, uri, metadata }: ArtifactRecord): RuntimeArtifact {
  return { name, type, uri, metadata };
}

/** A task's inputs as conditions and containers see them, with its component's defaults. */
export function executorInputsOf(component: ComponentSpec, inputs: TaskValues): NonNullable<ExecutorInput["inputs"]> {
  const artifacts = Object.entries(inputs.artifacts).map(([name, list]) => [name, { artifacts: list.map(runtimeArtifact) }] as const);
  return { parameterValues: withDefaults(component, inputs.parameters), artifacts: Object.fromEntries(artifacts) };
}

/** What the addresses of a run's artifacts depend on. */
export interface RunHome {
  readonly id: string;
  readonly pipelineRoot: string;
  /** The name in its specification. */
  readonly pipeline: string;
}

/** Where an attempt's artifacts go. */
export function attemptHome(run: RunHome, task: Pick<TaskRecord, "id" | "name" | "attempt">, sha256: Sha256): string {
  const root = run.pipelineRoot.replace(/\?.*$/s, "").replace(/\/+$/, "");
  return `${root}/${run.pipeline}/${run.id}/${task.name}/${derivedUuid(sha256, "attempt", task.id, String(task.attempt))}`;
}

/** What the container of a task's attempt is told. Each attempt has output addresses of its own. */
export function executorInputOf(run: RunState, task: TaskRecord, component: ComponentSpec, sha256: Sha256): ExecutorInput {
  const { id, pipelineRoot, spec } = run.info;
  const home = attemptHome({ id, pipelineRoot, pipeline: spec.pipelineInfo.name }, task, sha256);
  const path = localPathOfUri(home);
  const { parameters = {}, artifacts = {} } = component.outputDefinitions ?? {};
  return {
    inputs: executorInputsOf(component, task.inputs),
    outputs: {
      parameters: Object.fromEntries(Object.keys(parameters).map((name) => [name, { outputFile: `${OUTPUT_DIRECTORY}/${name}` }])),
      artifacts: Object.fromEntries(
        Object.entries(artifacts).map(([name, { artifactType = {}, metadata = {} }]) => [
          name,
          { artifacts: [{ name, type: { ...artifactType }, uri: `${home}/${name}`, metadata }] },
        ]),
      ),
      outputFile: `${path === home ? OUTPUT_DIRECTORY : path}/output_metadata.json`,
    },
  };
}
