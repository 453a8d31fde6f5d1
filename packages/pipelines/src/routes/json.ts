import { parsePipelineObject } from "../domain/ir-parse.ts";
import type { JsonObject, JsonValue } from "../domain/ir.ts";
import { hasEnded, type ArtifactRecord, type TaskRecord, type TaskState, type TaskValues } from "../engine/types.ts";
import { historyOf, progressOf } from "../runner/run-record.ts";
import type { HistoryEntry } from "../store/change.ts";
import type { ArtifactRow, ExperimentRow, PipelineRow, RunRow, VersionRow } from "../store/tables.ts";

type Fields = Readonly<Record<string, JsonValue | undefined>>;

/** The object without fields that are unset, empty or zero, as protojson leaves them out. */
export function compact(fields: Fields): JsonObject {
  const result: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined || value === null || value === "" || value === 0 || value === false) continue;
    if (typeof value === "object" && Object.keys(value).length === 0) continue;
    result[key] = value;
  }
  return result;
}

/** RFC 3339 with seconds; unset for 0 and undefined. */
export function timestamp(time: number | undefined): string | undefined {
  return time === undefined || time === 0 ? undefined : new Date(time).toISOString().replace(/\.\d+Z$/u, "Z");
}

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

/** KFP's Run; with `tasks`, also KFP's details of them, and in full the tasks themselves. */
export function runJson(row: RunRow, tasks?: readonly TaskRecord[], isFull = false): JsonObject {
  const children = Map.groupBy(tasks ?? [], ({ parentId }) => parentId);
  return compact({
    ...runChangeJson(row),
    pipeline_spec: row.version_id === "" ? (JSON.parse(row.spec) as JsonObject) : undefined,
    run_details: tasks === undefined ? undefined : compact({ task_details: tasks.map((task) => taskDetailJson(task, children.get(task.id) ?? [])) }),
    tasks: isFull ? tasks?.map((task) => taskJson(task, row)) : undefined,
  });
}

/** KFP's Run without its pipeline, which is large and never changes. */
export function runChangeJson(row: RunRow): JsonObject {
  const progress = progressOf(row);
  return compact({
    ...{ run_id: row.id, experiment_id: row.experiment_id, display_name: row.name, description: row.description, storage_state: row.storage_state },
    pipeline_version_reference: row.version_id === "" ? undefined : { pipeline_id: row.pipeline_id, pipeline_version_id: row.version_id },
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

/** KFP's RuntimeState, which knows no cached tasks. */
function runtimeState(state: TaskState): string {
  return state === "CACHED" ? "SKIPPED" : state;
}

/** KFP's PipelineTaskDetail. */
function taskDetailJson(task: TaskRecord, children: readonly TaskRecord[]): JsonObject {
  const ids = (values: TaskValues): JsonObject =>
    Object.fromEntries(Object.entries(values.artifacts).map(([name, list]) => [name, { artifact_ids: list.map(({ id }) => id) }]));
  return compact({
    ...{ run_id: task.runId, task_id: task.id, display_name: task.displayName, parent_task_id: task.parentId, pod_name: task.podName },
    ...{ create_time: timestamp(task.createdAt), start_time: timestamp(task.startedAt), end_time: timestamp(task.endedAt) },
    ...{ state: runtimeState(task.state), inputs: ids(task.inputs), outputs: ids(task.outputs) },
    error: task.state === "FAILED" ? { code: 2, message: task.message ?? "the task failed" } : undefined,
    child_tasks: children.map(({ id }) => ({ task_id: id })),
  });
}

/** A task, in the shape of the API that follows KFP's PipelineTaskDetail. */
export function taskJson(task: TaskRecord, run: Pick<RunRow, "namespace">): JsonObject {
  const values = ({ parameters, artifacts }: TaskValues): JsonObject =>
    compact({
      parameters: Object.entries(parameters).map(([parameter_key, value]) => ({ parameter_key, value })),
      artifacts: Object.entries(artifacts).map(([artifact_key, list]) => ({
        artifact_key,
        artifacts: list.map((artifact) => artifactJson(artifact, { namespace: run.namespace, createdAt: task.endedAt })),
      })),
    });
  return compact({
    ...{ task_id: task.id, run_id: task.runId, name: task.name, display_name: task.displayName, scope_path: task.path, type: task.kind },
    ...{ state: task.state, parent_task_id: task.parentId, cache_fingerprint: task.fingerprint },
    ...{ create_time: timestamp(task.createdAt), start_time: timestamp(task.startedAt), end_time: timestamp(task.endedAt) },
    status_metadata: compact({ message: task.message }),
    // An index of 0 says something, so it stays.
    type_attributes: definedOnly({ iteration_index: task.iteration, iteration_count: task.iterationCount }),
    pods: task.podName === undefined ? [] : [{ name: task.podName, type: "EXECUTOR" }],
    ...{ inputs: values(task.inputs), outputs: values(task.outputs), cached_from: task.cachedFrom },
    retry_at: hasEnded(task.state) ? undefined : timestamp(task.retryAt),
    ...{ attempt: task.attempt },
  });
}

function definedOnly(fields: Fields): JsonObject {
  return Object.fromEntries(Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

/** KFP's Artifact, with what is known of its bytes. */
function artifactJson(
  artifact: ArtifactRecord,
  { namespace, createdAt }: { readonly namespace: string; readonly createdAt: number | undefined },
): JsonObject {
  const schemaTitle = artifact.type.schemaTitle ?? artifact.type.instanceSchema ?? "system.Artifact";
  const value = Object.values(artifact.metadata).find((one) => typeof one === "number");
  return compact({
    // KFP's enum says `Metric` where its schemas say `Metrics`.
    ...{ artifact_id: artifact.id, name: artifact.name, type: schemaTitle.replace(/^system\./u, "").replace(/^Metrics$/u, "Metric") },
    ...{ schema_title: schemaTitle, uri: artifact.uri, metadata: artifact.metadata, digest: artifact.digest },
    number_value: schemaTitle === "system.Metrics" ? value : undefined,
    size: artifact.size === undefined ? undefined : String(artifact.size),
    ...{ created_at: timestamp(createdAt), namespace },
  });
}

/** KFP's Artifact of a stored row. */
export function artifactRowJson(row: ArtifactRow): JsonObject {
  return artifactJson(JSON.parse(row.record) as ArtifactRecord, { namespace: row.namespace, createdAt: row.created_at });
}

/** A pipeline as it is stored and returned: bare, or wrapped together with its platform spec. */
export function specJson(value: unknown): { readonly json: string; readonly parsed: ReturnType<typeof parsePipelineObject> } {
  const parsed = parsePipelineObject(value);
  const { pipelineSpec, platformSpec } = parsed;
  return { parsed, json: JSON.stringify(platformSpec === undefined ? pipelineSpec : { pipeline_spec: pipelineSpec, platform_spec: platformSpec }) };
}
