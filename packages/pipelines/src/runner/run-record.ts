import { parsePipelineObject } from "../domain/ir-parse.ts";
import type { JsonObject } from "../domain/ir.ts";
import type { RunInfo, RunProgress } from "../engine/types.ts";
import type { HistoryEntry } from "../store/change.ts";
import type { RunHome } from "../engine/executor.ts";
import type { RunListRow, RunRow } from "../store/tables.ts";

/** What the engine needs to know of a stored run. */
export function runInfoOf(row: RunRow): RunInfo {
  const { pipelineSpec, platformSpec } = parsePipelineObject(JSON.parse(row.spec));
  return {
    id: row.id,
    displayName: row.name,
    namespace: row.namespace,
    spec: pipelineSpec,
    ...(platformSpec === undefined ? {} : { platform: platformSpec }),
    parameters: JSON.parse(row.parameters) as JsonObject,
    pipelineRoot: row.artifact_root ?? "",
    ...(row.service_account === "" ? {} : { serviceAccount: row.service_account }),
    createdAt: row.created_at,
    ...(row.scheduled_at === 0 ? {} : { scheduledAt: row.scheduled_at }),
  };
}

/** A run's pipeline as it is stored. */
export function specTextOf({ spec, platform }: Pick<RunInfo, "spec" | "platform">): string {
  return JSON.stringify(platform === undefined ? spec : { pipeline_spec: spec, platform_spec: platform });
}

/** What the addresses of a stored run's artifacts depend on. */
export function homeOfRow(row: Pick<RunListRow, "id" | "artifact_root" | "pipeline_name">): RunHome {
  return { id: row.id, pipelineRoot: row.artifact_root ?? "", pipeline: row.pipeline_name };
}

/** How far a stored run has come. */
export function progressOf(row: Pick<RunRow, "progress">): RunProgress {
  return JSON.parse(row.progress) as RunProgress;
}

/** The states a stored run has gone through. */
export function historyOf(row: Pick<RunRow, "history">): readonly HistoryEntry[] {
  return JSON.parse(row.history) as readonly HistoryEntry[];
}

/** The record of a run that has come further, and the states that it has gone through. */
export function advanceRecord(
  { row, history }: { readonly row: RunRow; readonly history: readonly HistoryEntry[] },
  progress: RunProgress,
  time: number,
): { readonly row: RunRow; readonly history: readonly HistoryEntry[] } {
  const { phase, message, endedAt = 0 } = progress;
  const isNew = history.at(-1)?.state !== phase;
  const states = isNew ? [...history, { time, state: phase, ...(message === undefined ? {} : { message }) }] : history;
  const texts = { progress: JSON.stringify(progress), history: JSON.stringify(states) };
  return { row: { ...row, state: phase, finished_at: endedAt, ...texts }, history: states };
}

/** Whether a run in this phase is over. */
export function isFinal(phase: RunProgress["phase"]): boolean {
  return phase === "SUCCEEDED" || phase === "FAILED" || phase === "CANCELED";
}
