import type { JsonValue } from "./types.ts";

/** How a run stands. */
export type RunState = "PENDING" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELING" | "CANCELED" | "SKIPPED" | "PAUSED";

/** How a task stands. CACHED is a success that cost nothing. */
export type TaskState = "PENDING" | "RUNNING" | "SUCCEEDED" | "CACHED" | "SKIPPED" | "FAILED" | "CANCELED";

/** A run as the REST API shows it; empty fields are absent, times are RFC 3339. */
export interface Run {
  readonly run_id: string;
  readonly display_name: string;
  readonly experiment_id?: string;
  readonly description?: string;
  readonly state?: RunState;
  readonly storage_state?: "AVAILABLE" | "ARCHIVED";
  readonly created_at?: string;
  readonly scheduled_at?: string;
  /** 1970 while the run is not over. */
  readonly finished_at?: string;
  readonly error?: { readonly code?: number; readonly message?: string };
  readonly runtime_config?: { readonly parameters?: Readonly<Record<string, JsonValue>>; readonly pipeline_root?: string };
  readonly pipeline_version_reference?: { readonly pipeline_id?: string; readonly pipeline_version_id?: string };
  readonly pipeline_spec?: { readonly [key: string]: JsonValue };
  /** The schedule that started it. */
  readonly recurring_run_id?: string;
  readonly state_history?: readonly { readonly update_time?: string; readonly state?: RunState }[];
  readonly tasks?: readonly RunTask[];
}

/** An artifact's record. */
export interface RunArtifact {
  readonly artifact_id: string;
  readonly name?: string;
  /** E.g. `Dataset`. */
  readonly type?: string;
  readonly schema_title?: string;
  readonly uri?: string;
  readonly metadata?: Readonly<Record<string, JsonValue>>;
  readonly number_value?: number;
  /** A number of bytes, which JSON carries as a string when it is an int64. */
  readonly size?: string | number;
  readonly digest?: string;
  readonly created_at?: string;
  readonly namespace?: string;
}

/** What an artifact was made from, or what was made from it. */
export interface ArtifactLineage {
  readonly artifact: RunArtifact;
  /** A task whose run was deleted has no name. */
  readonly tasks?: readonly { readonly task_id: string; readonly run_id: string; readonly name?: string; readonly display_name?: string }[];
  readonly artifacts?: readonly RunArtifact[];
  /** Which task took (INPUT) or made (OUTPUT) which artifact. */
  readonly links?: readonly {
    readonly artifact_id: string;
    readonly task_id: string;
    readonly type: "INPUT" | "OUTPUT";
    readonly artifact_key: string;
  }[];
  /** There is more than is told. */
  readonly truncated?: boolean;
}

/** What a task got or gave. */
export interface RunTaskValues {
  readonly parameters?: readonly { readonly parameter_key: string; readonly value?: JsonValue }[];
  readonly artifacts?: readonly { readonly artifact_key: string; readonly artifacts?: readonly RunArtifact[] }[];
}

/** One task of a run. */
export interface RunTask {
  readonly task_id: string;
  readonly run_id: string;
  readonly name: string;
  readonly display_name?: string;
  /** Names joined by dots from the root; an iteration by its index. */
  readonly scope_path?: string;
  readonly type: "ROOT" | "DAG" | "LOOP" | "CONDITION" | "CONDITION_BRANCH" | "EXIT_HANDLER" | "IMPORTER" | "RUNTIME";
  readonly state: TaskState;
  readonly parent_task_id?: string;
  readonly create_time?: string;
  readonly start_time?: string;
  readonly end_time?: string;
  readonly status_metadata?: { readonly message?: string };
  readonly type_attributes?: { readonly iteration_index?: string | number; readonly iteration_count?: string | number };
  readonly pods?: readonly { readonly name: string; readonly type?: string }[];
  readonly inputs?: RunTaskValues;
  readonly outputs?: RunTaskValues;
  /** How many pods it had before this one; absent for none. */
  readonly attempt?: number;
  /** When its next attempt starts, while it waits for that. */
  readonly retry_at?: string;
  /** The task whose results it took, if it is CACHED. */
  readonly cached_from?: string;
}

/** Why a task stands as it does: the weightiest reason first, in plain words and for programs. */
export interface TaskExplanation {
  /** Absent while the task has not begun. */
  readonly task_id?: string;
  readonly name: string;
  readonly display_name?: string;
  readonly scope_path?: string;
  readonly type?: RunTask["type"];
  readonly state: TaskState;
  readonly summary?: string;
  readonly reasons?: readonly { readonly type: string; readonly message: string; readonly [fact: string]: JsonValue }[];
}

/** A pod to create, in which a task can be debugged, and what waits in it. */
export interface DebugPod {
  /** The task that it is a copy of: of a cached one, the one whose result it shares. */
  readonly run_id: string;
  readonly task_id: string;
  readonly name: string;
  readonly pod: { readonly metadata: { readonly name: string; readonly namespace?: string }; readonly [field: string]: unknown };
  readonly debugger:
    | { readonly kind: "python" | "node"; readonly port: number; readonly stops_in?: string }
    | { readonly kind: "shell"; readonly script: string };
  /** What the task runs. */
  readonly command_line: readonly string[];
  /** What is otherwise than in the task's own pod, for a person. */
  readonly notes: readonly string[];
}

/** A run and its tasks so far; `changed` are those that this change brought. The map is the same one, kept up to date. */
export interface RunChange {
  readonly run: Run;
  readonly tasks: ReadonlyMap<string, RunTask>;
  readonly changed: readonly RunTask[];
}

/** A named group of runs. */
export interface Experiment {
  readonly experiment_id: string;
  readonly display_name: string;
  readonly description?: string;
  readonly namespace?: string;
  readonly created_at?: string;
  readonly storage_state?: "AVAILABLE" | "ARCHIVED";
}

/** A pipeline that the server keeps. */
export interface StoredPipeline {
  readonly pipeline_id: string;
  readonly name?: string;
  readonly display_name: string;
  readonly description?: string;
  readonly created_at?: string;
}

/** One version of a kept pipeline, with its specification. */
export interface PipelineVersion {
  readonly pipeline_id: string;
  readonly pipeline_version_id: string;
  readonly name?: string;
  readonly display_name: string;
  readonly description?: string;
  readonly created_at?: string;
  readonly code_source_url?: string;
  readonly pipeline_spec?: { readonly [key: string]: JsonValue };
}

/** A file of an artifact that is a directory; `size` in bytes. */
export interface ArtifactFile {
  readonly path: string;
  readonly size?: string | number;
}

/** Whether nothing more will happen to a run. */
export function isFinished(run: Run): boolean {
  return run.state === "SUCCEEDED" || run.state === "FAILED" || run.state === "CANCELED" || run.state === "SKIPPED";
}
