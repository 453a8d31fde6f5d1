import { type ExecutorInput, localPathOfUri, type RuntimeArtifact } from "../domain/executor-input.ts";
import type { Sha256 } from "../domain/fingerprint.ts";
import { splitRoot } from "../domain/pipeline-root.ts";
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

/** The address below which an attempt of a task stores; no other attempt's is the same. */
export function homeOf(run: RunState, task: TaskRecord, sha256: Sha256): string {
  const { info } = run;
  const root = splitRoot(info.pipelineRoot).uri.replace(/\/+$/, "");
  const attempt = derivedUuid(sha256, "attempt", task.id, String(task.attempt));
  return [root, info.spec.pipelineInfo.name, info.id, task.name, attempt].map((part, at) => (at === 0 ? part : segment(part))).join("/");
}

/** A name as one part of an address, whatever its author called it. */
function segment(name: string): string {
  return name.replace(/[/\\%\p{Cc}]/gu, "-").replace(/^\.{1,2}$/u, "-");
}

/** What the container of a task's attempt is told. Each attempt has output addresses of its own. */
export function executorInputOf(run: RunState, task: TaskRecord, component: ComponentSpec, sha256: Sha256): ExecutorInput {
  const home = homeOf(run, task, sha256);
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
