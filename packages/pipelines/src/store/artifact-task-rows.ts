import { hasEnded, type TaskRecord } from "../engine/types.ts";
import type { ArtifactTaskRow } from "./tables.ts";

/** Which artifacts a task used and made, once it has ended; one that was skipped or never began did neither. */
export function artifactTaskRows(task: TaskRecord, { namespace, time }: { readonly namespace: string; readonly time: number }): ArtifactTaskRow[] {
  if (task.kind !== "RUNTIME" && task.kind !== "IMPORTER") return [];
  if (!hasEnded(task.state) || (task.startedAt === undefined && task.state !== "CACHED")) return [];
  const rows = (direction: ArtifactTaskRow["direction"], values: TaskRecord["inputs"]): ArtifactTaskRow[] =>
    Object.entries(values.artifacts).flatMap(([key, list]) =>
      list.map(({ id }, position) => ({
        ...{ id: `${task.id}.${direction}.${position}.${key}`, artifact_id: id, task_id: task.id, run_id: task.runId, namespace },
        ...{ direction, key, position, created_at: task.endedAt ?? time },
      })),
    );
  return [...rows("INPUT", task.inputs), ...rows("OUTPUT", task.outputs)];
}
