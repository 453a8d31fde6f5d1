import { type ExecutorInput, localPathOfUri, type RuntimeArtifact } from "../domain/executor-input.ts";
import type { Sha256 } from "../domain/fingerprint.ts";
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

/** Where all artifacts of a run lie that its tasks make and do not put elsewhere themselves. */
export function runHomeOf({ id, pipelineRoot, spec }: RunInfo): string {
  return `${pipelineRoot.replace(/\?.*$/s, "").replace(/\/+$/, "")}/${spec.pipelineInfo.name}/${id}`;
}

/** What the container of a task's attempt is told. Each attempt has output addresses of its own. */
export function executorInputOf(run: RunState, task: TaskRecord, component: ComponentSpec, sha256: Sha256): ExecutorInput {
  const { info } = run;
  const attempt = derivedUuid(sha256, "attempt", task.id, String(task.attempt));
  const home = `${runHomeOf(info)}/${task.name}/${attempt}`;
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
