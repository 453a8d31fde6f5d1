import type { Sha256 } from "../domain/fingerprint.ts";
import type { ArtifactRecord, TaskRecord, TaskReport, TaskValues } from "./types.ts";
import { derivedUuid } from "./task-id.ts";

/** The outputs of a task by its agent's report. */
export function reportedOutputs(task: TaskRecord, report: TaskReport, sha256: Sha256): TaskValues {
  const artifacts: Record<string, ArtifactRecord[]> = {};
  for (const { output, ...artifact } of report.artifacts) {
    const list = (artifacts[output] ??= []);
    list.push({ id: derivedUuid(sha256, "artifact", task.id, String(task.attempt), output, String(list.length)), ...artifact });
  }
  return { parameters: report.parameters, artifacts };
}
