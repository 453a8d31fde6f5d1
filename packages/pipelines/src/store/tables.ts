import type { Database, TypedDatabase } from "@sluice/database";
import type { Transaction } from "kysely";

/** A run's or an experiment's shelf. */
export type StorageState = "AVAILABLE" | "ARCHIVED";

/** The tables of the pipelines component. Times are milliseconds since the epoch, 0 for "not yet"; `JSON` columns hold JSON text. */
export interface PipelinesTables {
  pipelines_experiments: ExperimentRow;
  pipelines_pipelines: PipelineRow;
  pipelines_versions: VersionRow;
  pipelines_runs: RunListRow & { task_count: number };
  pipelines_run_specs: { run_id: string; spec: string };
  pipelines_tasks: TaskRow;
  pipelines_artifact_tasks: ArtifactTaskRow;
  pipelines_artifacts: ArtifactRow;
  pipelines_reports: { task_id: string; attempt: number; run_id: string; report: string };
  pipelines_cache: { namespace: string; pipeline: string; fingerprint: string; task_id: string; created_at: number; outputs: string };
  pipelines_outbox: OutboxRow;
}

/** A group of runs. */
export interface ExperimentRow {
  id: string;
  namespace: string;
  name: string;
  description: string;
  created_at: number;
  storage_state: StorageState;
  last_run_at: number;
}

/** A pipeline: a name over versions. `tags` is JSON. */
export interface PipelineRow {
  id: string;
  namespace: string;
  name: string;
  display_name: string;
  description: string;
  tags: string;
  created_at: number;
}

/** One version of a pipeline. `spec` is JSON, as `CreateRun` takes it; `tags` is JSON. */
export interface VersionRow {
  id: string;
  pipeline_id: string;
  name: string;
  display_name: string;
  description: string;
  tags: string;
  code_source_url: string;
  package_url: string;
  spec: string;
  created_at: number;
}

/** One run. `spec`, `parameters`, `progress` and `history` are JSON. */
export interface RunRow extends RunListRow {
  spec: string;
}

/** A run as lists have it: all but its specification, which is large and lies elsewhere. */
export interface RunListRow {
  id: string;
  namespace: string;
  experiment_id: string;
  name: string;
  description: string;
  storage_state: StorageState;
  state: string;
  service_account: string;
  pipeline_id: string;
  version_id: string;
  /** The name in its specification. */
  pipeline_name: string;
  parameters: string;
  /** As the user gave it; empty for the default. */
  pipeline_root: string;
  progress: string;
  history: string;
  created_at: number;
  scheduled_at: number;
  finished_at: number;
}

/** One task. `record` is JSON: a `TaskRecord`, or of a task that a client made, KFP's PipelineTask. The other columns are what lists look at. */
export interface TaskRow {
  id: string;
  run_id: string;
  created_at: number;
  state: string;
  record: string;
  name: string;
  display_name: string;
  kind: string;
  /** Empty for the root. */
  parent_id: string;
  path: string;
  fingerprint: string;
  pod_name: string;
  started_at: number;
  ended_at: number;
  /** 1 if a client made it, of which the engine knows nothing. */
  is_foreign: number;
}

/** That a task got or gave an artifact, under a key. */
export interface ArtifactTaskRow {
  id: string;
  artifact_id: string;
  run_id: string;
  task_id: string;
  /** An `IoType`. */
  type: string;
  key: string;
  /** The name of the task that it came from; empty for none. */
  producer: string;
  /** Which iteration of the producer; -1 for none. */
  iteration: number;
  created_at: number;
}

/** One artifact that a task made. `record` is JSON: an `ArtifactRecord`. */
export interface ArtifactRow {
  id: string;
  run_id: string;
  task_id: string;
  namespace: string;
  name: string;
  type: string;
  uri: string;
  record: string;
  created_at: number;
}

/** A pod to create, or a pod or volume claim to delete, kept until that is done. */
export interface OutboxRow {
  id: string;
  run_id: string;
  kind: "createPod" | "deletePod" | "deleteClaim";
  namespace: string;
  /** The pod's or the claim's name. */
  name: string;
}

/** The component's part of the database. */
export type PipelinesDatabase = TypedDatabase<PipelinesTables>;

/** A transaction over the component's tables. */
export type PipelinesTransaction = Transaction<PipelinesTables>;

/** The component's view of a database. */
export function pipelinesDatabase(database: Database): PipelinesDatabase {
  return database.of<PipelinesTables>();
}
