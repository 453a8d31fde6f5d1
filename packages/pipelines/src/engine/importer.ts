import { ApiError, UserError } from "@sluice/kubernetes";
import { canonicalUri } from "@sluice/object-store/canonical-uri";
import { isJsonObject } from "../domain/executor-input.ts";
import type { Sha256 } from "../domain/fingerprint.ts";
import type { ComponentSpec, ImporterSpec, JsonValue } from "../domain/ir.ts";
import { resolveConstant } from "../domain/placeholders.ts";
import { pipelineValues } from "./inputs.ts";
import { withDefaults } from "./parameter-type.ts";
import { own } from "./plan.ts";
import type { RunState } from "./run-state.ts";
import { derivedUuid } from "./task-id.ts";
import type { TaskRecord, TaskValues } from "./types.ts";
import { workspaceClaimOf } from "./volume-claim.ts";

/** The address in its one form; what names no place that artifacts are brought from, a path of the container's own say, stays as it is. */
function importedUri(uri: string): string {
  if (!/^(minio|s3a?|s3n|gc?s|https?|oci|file):/iu.test(uri)) return uri;
  try {
    return canonicalUri(uri).uri;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new UserError(`the importer: ${error.message}`, { cause: error });
  }
}

/** The output of an importer: one artifact that is taken to exist. Unless it is to be imported anew, its id depends on its content alone. */
export function importedArtifact(run: RunState, task: TaskRecord, component: ComponentSpec, importer: ImporterSpec, sha256: Sha256): TaskValues {
  const parameters = withDefaults(component, task.inputs.parameters);
  const resolve = (value: JsonValue): JsonValue => resolveConstant(value, parameters, pipelineValues(run, task));
  const { constant, constantValue, runtimeParameter } = importer.artifactUri;
  const source = runtimeParameter === undefined ? (constant ?? Object.values(constantValue ?? {})[0]) : own(parameters, runtimeParameter);
  const uri = source === undefined ? undefined : resolve(source);
  if (typeof uri !== "string" || uri === "") {
    const from = runtimeParameter === undefined ? "its artifactUri" : `input parameter ${JSON.stringify(runtimeParameter)}`;
    throw new UserError(`the importer has no address to import: ${from} must be a string that is not empty`);
  }
  const address = importedUri(uri);
  const isInWorkspace = importer.downloadToWorkspace === true && workspaceClaimOf(run.info) !== undefined;
  const metadata = resolve({
    ...importer.properties,
    ...importer.customProperties,
    ...importer.metadata,
    // Whoever takes it finds it in the workspace, where the first one's agent brings it.
    ...(isInWorkspace ? { _kfp_workspace: true } : {}),
  });
  const [name, output] = Object.entries(component.outputDefinitions?.artifacts ?? {})[0] ?? ["artifact", undefined];
  const type = importer.typeSchema ?? output?.artifactType ?? { schemaTitle: "system.Artifact" };
  const identity = importer.reimport === true ? task.id : run.info.namespace;
  const id = derivedUuid(sha256, "import", identity, JSON.stringify([address, type, metadata]));
  return { parameters: {}, artifacts: { [name]: [{ id, name, type, uri: address, metadata: isJsonObject(metadata) ? metadata : {} }] } };
}
