import { splitRoot } from "../domain/pipeline-root.ts";
import type { Sha256 } from "../domain/fingerprint.ts";
import { attemptHome, type RunHome } from "./executor.ts";
import { derivedUuid } from "./task-id.ts";
import type { ArtifactRecord, TaskRecord } from "./types.ts";

/** The name of the artifact under which a container's log outlives its pod. */
export const LOG_ARTIFACT = "executor-logs";

/** The key of an attempt's log among the outputs of its task. */
export function logKey(attempt: number): string {
  return attempt === 0 ? LOG_ARTIFACT : `${LOG_ARTIFACT}-${attempt}`;
}

/** The log of an attempt as an artifact: its address follows from what it is of, so that nobody need write it down. */
export function logArtifact(run: RunHome, task: Pick<TaskRecord, "id" | "name">, attempt: number, sha256: Sha256): ArtifactRecord {
  const name = logKey(attempt);
  const { query } = splitRoot(run.pipelineRoot);
  return {
    ...{ id: derivedUuid(sha256, "log", task.id, String(attempt)), name, type: { schemaTitle: "system.Artifact", schemaVersion: "0.0.1" } },
    ...{ uri: `${attemptHome(run, { ...task, attempt }, sha256)}/${name}`, metadata: {} },
    ...(query === "" ? {} : { store: query }),
  };
}

/** The logs of a task that has ended, by key: of every attempt that had a pod. */
export function logArtifacts(run: RunHome, task: TaskRecord, sha256: Sha256): ReadonlyMap<string, ArtifactRecord> {
  const logs = new Map<string, ArtifactRecord>();
  if (task.kind !== "RUNTIME" || task.podName === undefined || task.startedAt === undefined || task.endedAt === undefined) return logs;
  for (let attempt = 0; attempt <= task.attempt; attempt++) logs.set(logKey(attempt), logArtifact(run, task, attempt, sha256));
  return logs;
}
