import {
  BOOL,
  DOUBLE,
  enumOf,
  INT32,
  INT64,
  listOf,
  mapOf,
  messageOf,
  STRING,
  STRUCT,
  TIMESTAMP,
  VALUE,
  type Field,
  type Fields,
  type FieldType,
  type MessageType,
} from "./schema.ts";

function message(name: string, fields: Fields): MessageType {
  return { name, fields };
}

const STORAGE_STATE = enumOf("StorageState", ["STORAGE_STATE_UNSPECIFIED", "AVAILABLE", "ARCHIVED"]);
const RUNTIME_STATE = enumOf("RuntimeState", [
  ...["RUNTIME_STATE_UNSPECIFIED", "PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CANCELING", "CANCELED", "PAUSED"],
]);
/** How much of a run is asked for. */
export const VIEW: FieldType = enumOf("ViewMode", ["DEFAULT", "FULL"]);
/** Where a task's value came from, and how one is given on. */
export const IO_TYPE: FieldType = enumOf("IOType", [
  ...["UNSPECIFIED", "COMPONENT_DEFAULT_INPUT", "TASK_OUTPUT_INPUT", "COMPONENT_INPUT", "RUNTIME_VALUE_INPUT", "COLLECTED_INPUTS"],
  ...["ITERATOR_INPUT", "ITERATOR_INPUT_RAW", "ITERATOR_OUTPUT", "OUTPUT", "ONE_OF_OUTPUT", "TASK_FINAL_STATUS_OUTPUT"],
]);
// KFP's five come first, by their numbers; its API has no task that waits or was canceled.
const TASK_STATE = enumOf("TaskState", [
  ...["RUNTIME_STATE_UNSPECIFIED", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CACHED", "PENDING", "CANCELED"],
]);
const TASK_TYPE = enumOf("TaskType", [
  ...["TASK_TYPE_UNSPECIFIED", "ROOT", "RUNTIME", "CONDITION_BRANCH", "CONDITION", "LOOP", "EXIT_HANDLER", "IMPORTER", "DAG"],
]);
const ARTIFACT_TYPE = enumOf("ArtifactType", [
  ...["TYPE_UNSPECIFIED", "Artifact", "Model", "Dataset", "HTML", "Markdown", "Metric", "ClassificationMetric", "SlicedClassificationMetric"],
]);

/** An error: gRPC's code and a sentence. */
export const STATUS: MessageType = message("Status", { code: INT32, message: STRING, details: listOf(STRUCT) });

/** What plain-HTTP routes answer in its place. */
export const PLAIN_ERROR: MessageType = message("PlainError", { error_message: STRING, error_details: STRING });

/** A group of runs. */
export const EXPERIMENT: MessageType = message("Experiment", {
  ...{ experiment_id: STRING, display_name: STRING, description: STRING, created_at: TIMESTAMP, namespace: STRING },
  ...{ storage_state: STORAGE_STATE, last_run_created_at: TIMESTAMP },
});

/** A name over versions. */
export const PIPELINE: MessageType = message("Pipeline", {
  ...{ pipeline_id: STRING, display_name: STRING, name: STRING, description: STRING, created_at: TIMESTAMP, namespace: STRING },
  ...{ error: messageOf(STATUS), tags: mapOf(STRING) },
});

/** Where a package came from. */
export const PACKAGE_URL: MessageType = message("Url", { pipeline_url: STRING });

/** One version of a pipeline, with its specification. */
export const PIPELINE_VERSION: MessageType = message("PipelineVersion", {
  ...{ pipeline_id: STRING, pipeline_version_id: STRING, display_name: STRING, name: STRING, description: STRING, created_at: TIMESTAMP },
  ...{ package_url: messageOf(PACKAGE_URL), code_source_url: STRING, pipeline_spec: STRUCT },
  ...{ error: messageOf(STATUS), tags: mapOf(STRING) },
});

/** A pipeline together with its first version. */
export const CREATE_PIPELINE_AND_VERSION: MessageType = message("CreatePipelineAndVersionRequest", {
  pipeline: messageOf(PIPELINE),
  pipeline_version: messageOf(PIPELINE_VERSION),
});

/** A version by its id, or the latest of a pipeline. */
export const VERSION_REFERENCE: MessageType = message("PipelineVersionReference", { pipeline_id: STRING, pipeline_version_id: STRING });

/** What a run is given. */
export const RUNTIME_CONFIG: MessageType = message("RuntimeConfig", { parameters: mapOf(VALUE), pipeline_root: STRING });

const TASK_DETAIL = message("PipelineTaskDetail", {
  ...{ run_id: STRING, task_id: STRING, display_name: STRING, create_time: TIMESTAMP, start_time: TIMESTAMP, end_time: TIMESTAMP },
  ...{ state: RUNTIME_STATE, error: messageOf(STATUS), parent_task_id: STRING, pod_name: STRING },
  // Upstream's ids are numbers of a metadata store that is gone; ours are UUIDs.
  ...{ inputs: mapOf(STRUCT), outputs: mapOf(STRUCT), execution_id: INT64, executor_detail: STRUCT, state_history: listOf(STRUCT) },
  child_tasks: listOf(messageOf(message("PipelineTaskDetailChild", { task_id: STRING, pod_name: STRING }))),
});

const RUNTIME_STATUS = message("RuntimeStatus", { update_time: TIMESTAMP, state: RUNTIME_STATE, error: messageOf(STATUS) });

/** An artifact's record, with what is known of its bytes. */
export const ARTIFACT: MessageType = message("Artifact", {
  ...{ artifact_id: STRING, name: STRING, description: STRING, type: ARTIFACT_TYPE, uri: STRING, metadata: mapOf(VALUE), number_value: DOUBLE },
  ...{ created_at: TIMESTAMP, namespace: STRING, schema_title: STRING, size: INT64, digest: STRING },
});

/** The task that a value came from. */
export const PRODUCER: MessageType = message("IOProducer", { task_name: STRING, iteration: INT64 });

const IO = message("InputOutputs", {
  parameters: listOf(messageOf(message("IOParameter", { value: VALUE, type: IO_TYPE, parameter_key: STRING, producer: messageOf(PRODUCER) }))),
  artifacts: listOf(
    messageOf(message("IOArtifact", { artifacts: listOf(messageOf(ARTIFACT)), type: IO_TYPE, artifact_key: STRING, producer: messageOf(PRODUCER) })),
  ),
});

/** One task of a run. */
export const TASK: MessageType = message("PipelineTask", {
  ...{ name: STRING, display_name: STRING, task_id: STRING, run_id: STRING },
  pods: listOf(messageOf(message("TaskPod", { name: STRING, uid: STRING, type: enumOf("TaskPodType", ["UNSPECIFIED", "DRIVER", "EXECUTOR"]) }))),
  ...{ cache_fingerprint: STRING, create_time: TIMESTAMP, start_time: TIMESTAMP, end_time: TIMESTAMP, state: TASK_STATE },
  status_metadata: messageOf(message("StatusMetadata", { message: STRING, custom_properties: mapOf(VALUE), why: STRUCT })),
  state_history: listOf(messageOf(message("TaskStatus", { update_time: TIMESTAMP, state: TASK_STATE, error: messageOf(STATUS) }))),
  type: TASK_TYPE,
  type_attributes: messageOf(message("TypeAttributes", { iteration_index: INT64, iteration_count: INT64, download_to_workspace: BOOL })),
  parent_task_id: STRING,
  child_tasks: listOf(messageOf(message("ChildTask", { task_id: STRING, name: STRING }))),
  ...{ inputs: messageOf(IO), outputs: messageOf(IO), scope_path: STRING },
  ...{ attempt: INT32, retry_at: TIMESTAMP, cached_from: STRING },
});

/** A run. */
export const RUN: MessageType = message("Run", {
  ...{ experiment_id: STRING, run_id: STRING, display_name: STRING, storage_state: STORAGE_STATE, description: STRING, namespace: STRING },
  ...{ pipeline_version_id: STRING, pipeline_spec: STRUCT, pipeline_version_reference: messageOf(VERSION_REFERENCE) },
  ...{ runtime_config: messageOf(RUNTIME_CONFIG), service_account: STRING, created_at: TIMESTAMP, scheduled_at: TIMESTAMP },
  ...{ finished_at: TIMESTAMP, state: RUNTIME_STATE, error: messageOf(STATUS) },
  run_details: messageOf(
    message("RunDetails", { pipeline_context_id: INT64, pipeline_run_context_id: INT64, task_details: listOf(messageOf(TASK_DETAIL)) }),
  ),
  ...{ recurring_run_id: STRING, state_history: listOf(messageOf(RUNTIME_STATUS)), plugins_input: mapOf(VALUE), plugins_output: mapOf(VALUE) },
  ...{ pipeline_reference: messageOf(VERSION_REFERENCE), task_count: INT32, tasks: listOf(messageOf(TASK)) },
});

/** How a copy of a task's pod is to be debugged. */
export const DEBUG_MODE: FieldType = enumOf("DebugMode", ["DEBUGGER", "SHELL"]);

/** A copy of a task's pod, and how to debug in it. */
export const DEBUG_POD: MessageType = message("DebugPod", {
  ...{ run_id: STRING, task_id: STRING, name: STRING, pod: STRUCT, debugger: STRUCT, command_line: listOf(STRING), notes: listOf(STRING) },
});

/** What a retried run goes on as, if its pipeline was edited. */
export const RETRY_RUN: MessageType = message("RetryRunRequest", { run_id: STRING, pipeline_spec: STRUCT });

/** In what a clone is to differ. */
export const CLONE_RUN: MessageType = message("CloneRunRequest", {
  ...{ display_name: STRING, description: STRING, experiment_id: STRING, parameters: mapOf(VALUE), pipeline_root: STRING, service_account: STRING },
});

/** Why a task is as it is: in a sentence, and for each reason. */
export const TASK_WHY: MessageType = message("TaskWhy", {
  ...{ task_id: STRING, name: STRING, display_name: STRING, scope_path: STRING, type: TASK_TYPE, state: TASK_STATE, summary: STRING },
  reasons: listOf(STRUCT),
});

/** The same of all tasks of a run. */
export const TASKS_WHY: MessageType = message("TasksWhy", { tasks: listOf(messageOf(TASK_WHY)) });

/** Which results are not to be shared any more: a pipeline's by its name, or those of a run or of one of its tasks. */
export const INVALIDATE_CACHE: MessageType = message("InvalidateCacheRequest", {
  namespace: STRING,
  pipeline: STRING,
  run_id: STRING,
  task_id: STRING,
});

/** How many results that were. */
export const INVALIDATED: MessageType = message("InvalidateCacheResponse", { invalidated: INT32 });

/** Which way to look from an artifact. */
export const LINEAGE_DIRECTION: FieldType = enumOf("LineageDirection", ["UPSTREAM", "DOWNSTREAM"]);

/** What an artifact was made from, or what was made from it. */
export const LINEAGE: MessageType = message("Lineage", {
  ...{ artifact: messageOf(ARTIFACT), direction: LINEAGE_DIRECTION, artifacts: listOf(messageOf(ARTIFACT)), truncated: BOOL },
  tasks: listOf(
    messageOf(
      message("LineageTask", {
        ...{ task_id: STRING, run_id: STRING, depth: INT32, name: STRING, display_name: STRING, type: TASK_TYPE, state: TASK_STATE },
      }),
    ),
  ),
  links: listOf(
    messageOf(
      message("LineageLink", { artifact_id: STRING, task_id: STRING, type: enumOf("LineageLinkType", ["INPUT", "OUTPUT"]), artifact_key: STRING }),
    ),
  ),
});

const BOUNDS = { start_time: TIMESTAMP, end_time: TIMESTAMP };

/** When a schedule starts runs. */
export const TRIGGER: MessageType = message("Trigger", {
  cron_schedule: messageOf(message("CronSchedule", { ...BOUNDS, cron: STRING })),
  periodic_schedule: messageOf(message("PeriodicSchedule", { ...BOUNDS, interval_second: INT64 })),
});

/** A schedule of runs. */
export const RECURRING_RUN: MessageType = message("RecurringRun", {
  ...{ recurring_run_id: STRING, display_name: STRING, description: STRING, namespace: STRING, experiment_id: STRING, service_account: STRING },
  ...{ pipeline_version_id: STRING, pipeline_spec: STRUCT, pipeline_version_reference: messageOf(VERSION_REFERENCE) },
  ...{ runtime_config: messageOf(RUNTIME_CONFIG), max_concurrency: INT64, trigger: messageOf(TRIGGER), no_catchup: BOOL },
  mode: enumOf("RecurringRunMode", ["MODE_UNSPECIFIED", "ENABLE", "DISABLE"]),
  status: enumOf("RecurringRunStatus", ["STATUS_UNSPECIFIED", "ENABLED", "", "DISABLED"]),
  ...{ created_at: TIMESTAMP, updated_at: TIMESTAMP, error: messageOf(STATUS), plugins_input: mapOf(VALUE) },
});

/** What becomes of a deleted schedule's runs, in Kubernetes' words. */
export const PROPAGATION_POLICY: FieldType = enumOf("DeletePropagationPolicy", [
  ...["DELETE_PROPAGATION_POLICY_UNSPECIFIED", "FOREGROUND", "BACKGROUND", "ORPHAN"],
]);

/** That a task got or gave an artifact. */
export const ARTIFACT_TASK: MessageType = message("ArtifactTask", {
  ...{ id: STRING, artifact_id: STRING, run_id: STRING, task_id: STRING, type: IO_TYPE, producer: messageOf(PRODUCER), key: STRING },
});

/** An artifact to record, and the task that gave it. */
export const CREATE_ARTIFACT: MessageType = message("CreateArtifactRequest", {
  ...{ artifact: messageOf(ARTIFACT), run_id: STRING, task_id: STRING, producer_key: STRING, iteration_index: INT64, reuse_if_exists: BOOL },
});

/** Artifacts to record, all or none. */
export const CREATE_ARTIFACTS: MessageType = message("CreateArtifactsBulkRequest", { artifacts: listOf(messageOf(CREATE_ARTIFACT)) });
/** The artifacts that were recorded. */
export const CREATED_ARTIFACTS: MessageType = message("CreateArtifactsBulkResponse", { artifacts: listOf(messageOf(ARTIFACT)) });
/** What a task got or gave. */
export const CREATE_ARTIFACT_TASK: MessageType = message("CreateArtifactTaskRequest", { artifact_task: messageOf(ARTIFACT_TASK) });
/** What the tasks of one run got or gave, all or none. */
export const ARTIFACT_TASKS: MessageType = message("CreateArtifactTasksBulkRequest", { artifact_tasks: listOf(messageOf(ARTIFACT_TASK)) });
/** What was recorded. */
export const CREATED_ARTIFACT_TASKS: MessageType = message("CreateArtifactTasksBulkResponse", { artifact_tasks: listOf(messageOf(ARTIFACT_TASK)) });
/** Changes of tasks by their ids. */
export const TASK_CHANGES: MessageType = message("UpdateTasksBulkRequest", { tasks: mapOf(messageOf(TASK)), run_id: STRING });
/** Changed tasks by their ids. */
export const CHANGED_TASKS: MessageType = message("UpdateTasksBulkResponse", { tasks: mapOf(messageOf(TASK)) });
/** A fingerprint to look for. */
export const FIND_CACHED_TASK: MessageType = message("FindCachedTaskRequest", { namespace: STRING, cache_fingerprint: STRING });
/** The task that fits, if there is one. */
export const CACHED_TASK: MessageType = message("FindCachedTaskResponse", { task: messageOf(TASK) });

/** The bytes of an artifact. */
export const ARTIFACT_BYTES: MessageType = message("ReadArtifactResponse", { data: STRING });
/** The files of a directory artifact. */
export const ARTIFACT_FILES: MessageType = message("ArtifactFiles", {
  files: listOf(messageOf(message("ArtifactFile", { path: STRING, size: INT64 }))),
});
/** How the server is set up. */
export const HEALTH: MessageType = message("GetHealthzResponse", {
  ...{ commit_sha: STRING, tag_name: STRING, multi_user: BOOL, pipeline_store: STRING },
});
/** A picture that upstream's server would draw. */
export const VISUALIZATION: MessageType = message("Visualization", {
  type: enumOf("VisualizationType", ["ROC_CURVE", "TFDV", "TFMA", "TABLE", "CUSTOM"]),
  ...{ source: STRING, arguments: STRING, html: STRING, error: STRING },
});

/** How a filter compares; 4 is a number that upstream never gave away. */
const OPERATION: FieldType = enumOf("Operation", [
  ...["OPERATION_UNSPECIFIED", "EQUALS", "NOT_EQUALS", "GREATER_THAN", "", "GREATER_THAN_EQUALS", "LESS_THAN", "LESS_THAN_EQUALS", "IN"],
  "IS_SUBSTRING",
]);
/** One condition of a filter. */
export const PREDICATE: MessageType = message("Predicate", {
  ...{ operation: OPERATION, key: STRING, int_value: INT32, long_value: INT64, string_value: STRING, timestamp_value: TIMESTAMP },
  int_values: messageOf(message("IntValues", { values: listOf(INT32) })),
  long_values: messageOf(message("LongValues", { values: listOf(INT64) })),
  string_values: messageOf(message("StringValues", { values: listOf(STRING) })),
});
/** Conditions that must all hold. */
export const FILTER: MessageType = message("Filter", { predicates: listOf(messageOf(PREDICATE)) });

/** What every list takes. */
export const LIST_QUERY: { readonly [name in "page_token" | "page_size" | "sort_by" | "filter"]: Field } = {
  page_token: STRING,
  page_size: INT32,
  sort_by: { ...STRING, about: "`<field>`, `<field> asc` or `<field> desc`" },
  filter: { ...STRING, about: "A Filter in JSON" },
};

/** The answer of a list. */
export function listMessage(name: string, plural: string, item: MessageType): MessageType {
  return message(name, { [plural]: listOf(messageOf(item)), total_size: INT32, next_page_token: STRING });
}
