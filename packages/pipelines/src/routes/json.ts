import { parsePipelineObject } from "../domain/ir-parse.ts";
import type { JsonObject } from "../domain/ir.ts";
import type { TaskRecord } from "../engine/types.ts";
import { historyOf, progressOf } from "../runner/run-record.ts";
import type { HistoryEntry } from "../store/change.ts";
import type { ExperimentRow, PipelineRow, RunListRow, RunRow, VersionRow } from "../store/tables.ts";
import { taskDetailsJson } from "./task-details.ts";
import { compact, timestamp } from "./wire.ts";

export { compact } from "./wire.ts";

/** KFP's Experiment. */
export function experimentJson(row: ExperimentRow): JsonObject {
  return compact({
    ...{ experiment_id: row.id, display_name: row.name, description: row.description, namespace: row.namespace },
    ...{ storage_state: row.storage_state, created_at: timestamp(row.created_at), last_run_created_at: timestamp(row.last_run_at) ?? EPOCH },
  });
}

const EPOCH = "1970-01-01T00:00:00Z";

/** KFP's Pipeline. */
export function pipelineJson(row: PipelineRow): JsonObject {
  return compact({
    ...{ pipeline_id: row.id, name: row.name, display_name: row.display_name, description: row.description, namespace: row.namespace },
    ...{ created_at: timestamp(row.created_at), tags: JSON.parse(row.tags) as JsonObject },
  });
}

/** KFP's PipelineVersion. */
export function versionJson(row: VersionRow): JsonObject {
  return compact({
    ...{ pipeline_id: row.pipeline_id, pipeline_version_id: row.id, name: row.name, display_name: row.display_name, description: row.description },
    ...{ created_at: timestamp(row.created_at), code_source_url: row.code_source_url, tags: JSON.parse(row.tags) as JsonObject },
    package_url: row.package_url === "" ? undefined : { pipeline_url: row.package_url },
    pipeline_spec: JSON.parse(row.spec) as JsonObject,
  });
}

/** KFP's Run as it is asked for alone; `details` are KFP's older words for its tasks. */
export function runJson(
  row: RunRow,
  { taskCount = 0, details }: { readonly taskCount?: number; readonly details?: readonly TaskRecord[] } = {},
): JsonObject {
  return compact({
    ...runChangeJson(row),
    pipeline_spec: row.version_id === "" ? (JSON.parse(row.spec) as JsonObject) : undefined,
    task_count: taskCount,
    run_details: details === undefined ? undefined : compact({ task_details: taskDetailsJson(details) }),
  });
}

/** KFP's Run in a list: of a pipeline that no version holds, its name is there, and the rest when the run is asked for alone. */
export function runRowJson(row: RunListRow, taskCount: number): JsonObject {
  return compact({
    ...runChangeJson(row),
    pipeline_spec: row.version_id === "" ? { pipelineInfo: { name: row.pipeline_name } } : undefined,
    task_count: taskCount,
  });
}

/** KFP's Run without its pipeline, which is large and never changes. */
export function runChangeJson(row: RunListRow): JsonObject {
  const progress = progressOf(row);
  const reference = row.version_id === "" ? undefined : { pipeline_id: row.pipeline_id, pipeline_version_id: row.version_id };
  return compact({
    ...{ run_id: row.id, experiment_id: row.experiment_id, display_name: row.name, description: row.description, storage_state: row.storage_state },
    ...{ pipeline_version_reference: reference, pipeline_reference: reference },
    runtime_config: compact({ parameters: JSON.parse(row.parameters) as JsonObject, pipeline_root: row.pipeline_root }),
    ...{
      service_account: row.service_account,
      created_at: timestamp(row.created_at),
      scheduled_at: timestamp(row.scheduled_at) ?? timestamp(row.created_at),
    },
    ...{ finished_at: timestamp(row.finished_at) ?? EPOCH, state: row.state, recurring_run_id: row.recurring_run_id },
    error: row.state === "FAILED" && progress.message !== undefined ? { code: 2, message: progress.message } : undefined,
    state_history: historyOf(row).map(historyJson),
  });
}

function historyJson({ time, state, message }: HistoryEntry): JsonObject {
  return compact({ update_time: timestamp(time), state, error: message === undefined ? undefined : { code: 2, message } });
}

/** A pipeline as it is stored and returned: bare, or wrapped together with its platform spec. */
export function specJson(value: unknown): { readonly json: string; readonly parsed: ReturnType<typeof parsePipelineObject> } {
  const parsed = parsePipelineObject(value);
  const { pipelineSpec, platformSpec } = parsed;
  return { parsed, json: JSON.stringify(platformSpec === undefined ? pipelineSpec : { pipeline_spec: pipelineSpec, platform_spec: platformSpec }) };
}
