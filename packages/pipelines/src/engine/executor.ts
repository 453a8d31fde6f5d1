import { type ExecutorInput, localPathOfUri, type RuntimeArtifact } from "../domain/executor-input.ts";
import type { Sha256 } from "../domain/fingerprint.ts";
import { splitRoot } from "../domain/pipeline-root.ts";
import type { ComponentSpec } from "../domain/ir.ts";
import { withDefaults } from "./parameter-type.ts";
import type { RunState } from "./run-state.ts";
import { derivedUuid } from "./task-id.ts";
import type { ArtifactRecord, RunInfo, TaskRecord, TaskValues } from "./types.ts";

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

/** The same of a run that goes on. */
export function homeOfRun({ id, pipelineRoot, spec }: Pick<RunInfo, "id" | "pipelineRoot" | "spec">): RunHome {
  return { id, pipelineRoot, pipeline: spec.pipelineInfo.name };
}

/** Where all artifacts of a run lie that its tasks make and do not put elsewhere themselves. */
export function runHomeOf({ id, pipelineRoot, pipeline }: RunHome): string {
  return [splitRoot(pipelineRoot).uri.replace(/\/+$/, ""), segment(pipeline), id].join("/");
}

/** The address below which an attempt of a task stores; no other attempt's is the same. */
export function attemptHome(run: RunHome, task: Pick<TaskRecord, "id" | "name" | "attempt">, sha256: Sha256): string {
  return [runHomeOf(run), segment(task.name), derivedUuid(sha256, "attempt", task.id, String(task.attempt))].join("/");
}

/** A name as one part of an address, whatever its author called it. */
function segment(name: string): string {
  return name.replace(/[/\\%\p{Cc}]/gu, "-").replace(/^\.{1,2}$/u, "-");
}

/** What the container of a task's attempt is told. Each attempt has output addresses of its own. */
export function executorInputOf(run: RunState, task: TaskRecord, component: ComponentSpec, sha256: Sha256): ExecutorInput {
  const home = attemptHome(homeOfRun(run.info), task, sha256);
  const path = localPathOfUri(home);
  const { parameters = {}, artifacts = {} } = component.outputDefinitions ?? {};
  return {
    inputs: executorInputsOf(component, task.inputs),
    outputs: {
      parameters: Object.fromEntries(Object.keys(parameters).map((name) => [name, { outputFile: `${OUTPUT_DIRECTORY}/${name}` }])),
      artifacts: Object.fromEntries(
        Object.entries(artifacts).map(([name, { artifactType = {}, metadata = {} }]) => [
          name,
          { artifacts: [{ name, type: { ...artifactType }, uri: `${home}/${segment(name)}`, metadata }] },
        ]),
      ),
      outputFile: `${path === home ? OUTPUT_DIRECTORY : path}/output_metadata.json`,
    },
  };
}
