import type { JsonObject } from "../domain/ir.ts";
import type { ArtifactRecord } from "../engine/types.ts";
import type { ArtifactRow, ArtifactTaskRow } from "../store/tables.ts";
import { compact, defined, timestamp } from "./wire.ts";

/** What a client may say of an artifact beside what a task's agent does. */
export interface StoredArtifact extends ArtifactRecord {
  readonly description?: string;
  readonly numberValue?: number;
}

// KFP's enum says \`Metric\` where its schemas say \`Metrics\`.
const TYPES: Readonly<Record<string, string>> = {
  ...{ "system.Artifact": "Artifact", "system.Model": "Model", "system.Dataset": "Dataset", "system.HTML": "HTML", "system.Markdown": "Markdown" },
  ...{ "system.Metrics": "Metric", "system.ClassificationMetrics": "ClassificationMetric" },
  "system.SlicedClassificationMetrics": "SlicedClassificationMetric",
};

/** The schema that KFP's type of artifact stands for. */
export function schemaTitleOf(type: string): string {
  return Object.entries(TYPES).find(([, name]) => name === type)?.[0] ?? "system.Artifact";
}

/** KFP's type of an artifact; a schema that is nobody's but its own is an \`Artifact\`. */
function artifactType(schemaTitle: string): string {
  return (Object.hasOwn(TYPES, schemaTitle) ? TYPES[schemaTitle] : undefined) ?? "Artifact";
}

/** KFP's Artifact, with what is known of its bytes. */
export function artifactJson(
  artifact: StoredArtifact,
  { namespace, createdAt }: { readonly namespace: string; readonly createdAt: number | undefined },
): JsonObject {
  const schemaTitle = artifact.type.schemaTitle ?? artifact.type.instanceSchema ?? "system.Artifact";
  const value = Object.values(artifact.metadata).find((one) => typeof one === "number");
  return {
    ...compact({
      ...{ artifact_id: artifact.id, name: artifact.name, description: artifact.description, type: artifactType(schemaTitle) },
      ...{ schema_title: schemaTitle, uri: artifact.uri, metadata: artifact.metadata, digest: artifact.digest },
      size: artifact.size === undefined ? undefined : String(artifact.size),
      ...{ created_at: timestamp(createdAt), namespace },
    }),
    ...defined({ number_value: artifact.numberValue ?? (schemaTitle === "system.Metrics" ? value : undefined) }),
  };
}

/** KFP's Artifact of a stored row. */
export function artifactRowJson(row: ArtifactRow): JsonObject {
  return artifactJson(JSON.parse(row.record) as StoredArtifact, { namespace: row.namespace, createdAt: row.created_at });
}

/** KFP's ArtifactTask. */
export function artifactTaskJson(row: ArtifactTaskRow): JsonObject {
  return compact({
    ...{ id: row.id, artifact_id: row.artifact_id, run_id: row.run_id, task_id: row.task_id, type: row.type, key: row.key },
    producer: producerJson(row),
  });
}

/** The task that a value came from. */
export function producerJson({ producer, iteration }: Pick<ArtifactTaskRow, "producer" | "iteration">): JsonObject {
  return defined({ task_name: producer === "" ? undefined : producer, iteration: iteration < 0 ? undefined : String(iteration) });
}
