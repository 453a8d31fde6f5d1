import { isApiError, UserError } from "@sluice/kubernetes";
import { canonicalUri } from "@sluice/object-store/canonical-uri";
import { LAUNCHER_CONFIG } from "../artifact-stores/launcher-config.ts";
import type { ArtifactStores } from "../artifact-stores/artifact-stores.ts";
import { parsePipelineObject } from "../domain/ir-parse.ts";
import { splitRoot } from "../domain/pipeline-root.ts";
import type { RunRow } from "../store/tables.ts";

/** What can keep artifacts. */
const KEEPING: readonly string[] = ["minio", "s3", "gs", "file"];

/**
 * Where a new run's artifacts go: where the run says, or else its pipeline (`defaultPipelineRoot`), its namespace's `kfp-launcher` ConfigMap, or
 * the platform. Decided once: what changes later is for later runs.
 */
export async function artifactRootOf(row: RunRow, stores: Pick<ArtifactStores, "defaultRootOf">): Promise<string> {
  const { pipelineSpec } = parsePipelineObject(JSON.parse(row.spec));
  if (row.pipeline_root !== "") return checkedRoot(row.pipeline_root, "runtime_config.pipeline_root");
  const { defaultPipelineRoot = "" } = pipelineSpec;
  if (defaultPipelineRoot !== "") return checkedRoot(defaultPipelineRoot, "the pipeline's defaultPipelineRoot");
  return checkedRoot(await stores.defaultRootOf(row.namespace), `ConfigMap ${row.namespace}/${LAUNCHER_CONFIG}: defaultPipelineRoot`);
}

/** The root in its one form, with its query; `UserError` says what is wrong with it, and `where` it stands. */
export function checkedRoot(root: string, where: string): string {
  const { uri, query } = splitRoot(root.trim());
  const example = "give one such as minio://bucket/path";
  try {
    const canonical = canonicalUri(uri);
    if (!KEEPING.includes(canonical.scheme)) throw new UserError(`${where}: nothing can be stored at ${uri}; ${example}`);
    return query === "" ? canonical.uri : `${canonical.uri}?${query}`;
  } catch (error) {
    if (!isApiError(error)) throw error;
    throw new UserError(`${where}: ${error.message}; ${example}`, { cause: error });
  }
}
