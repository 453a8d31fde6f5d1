import type { Database, TypedDatabase } from "@sluice/database";
import type { Generated, Transaction } from "kysely";

/** A run's or an experiment's shelf. */
export type StorageState = "AVAILABLE" | "ARCHIVED";

/** The tables of the pipelines component. Times are milliseconds since the epoch, 0 for "not yet"; `JSON` columns hold JSON text. */
export interface PipelinesTables {
  pipelines_experiments: ExperimentRow;
  pipelines_pipelines: PipelineRow;
  pipelines_versions: VersionRow;
  pipelines_runs: RunListRow & RunUpkeep & { task_count: number };
  pipelines_run_specs: { run_id: string; spec: string };
  pipelines_tasks: TaskRow;
  pipelines_artifacts: ArtifactRow;
  pipelines_reports: { task_id: string; attempt: number; run_id: string; report: string };
  pipelines_results: ResultRow;
  pipelines_shares: ShareRow;
  pipelines_outbox: OutboxRow;
  pipelines_recurring_runs: RecurringRunRow;
  pipelines_objects: ObjectLinkRow;
  pipelines_artifact_tasks: ArtifactTaskRow;
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
  /** Where its artifacts go, as was decided when it was created. */
  artifact_root?: string | undefined;
  progress: string;
  history: string;
  created_at: number;
  scheduled_at: number;
  finished_at: number;
  /** What started it, if it was a schedule. */
  recurring_run_id: string;
}

/** A schedule of runs. `parameters`, `plugins_input` and `trigger` are JSON; `spec` is empty where a pipeline's version is named. */
export interface RecurringRunRow {
  id: string;
  namespace: string;
  experiment_id: string;
  name: string;
  description: string;
  service_account: string;
  pipeline_id: string;
  /** Empty for the latest version at the time of each run. */
  version_id: string;
  spec: string;
  parameters: string;
  pipeline_root: string;
  plugins_input: string;
  /** A `Trigger` as `schedules/trigger.ts` has it. */
  trigger: string;
  status: "ENABLED" | "DISABLED";
  /** Why the last slot had no run; empty if it had one. */
  error: string;
  max_concurrency: number;
  /** How many runs that are over its Kubernetes object lists. */
  max_history: number;
  /** 1 or 0. */
  no_catchup: number;
  created_at: number;
  updated_at: number;
  /** The last slot that was dealt with. */
  last_slot_at: number;
  /** How many runs it has started. */
  last_index: number;
}

/** What only the upkeep of runs looks at. */
interface RunUpkeep {
  /** When it was archived or unarchived last. */
  shelved_at: Generated<number>;
  /** When its pods are to be deleted. */
  pods_due_at: Generated<number>;
}

/** An artifact of a task that does not lie where its run keeps its own: another task made it, if that is known, or it was imported. */
export interface ShareRow {
  task_id: string;
  run_id: string;
  source_task_id: string;
  uri: string;
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

/** A result that later tasks may share. `key_parts` and `outputs` are JSON; `invalidated_at` is 0 until somebody asks not to use it. */
export interface ResultRow {
  task_id: string;
  run_id: string;
  namespace: string;
  pipeline: string;
  component: string;
  fingerprint: string;
  key_parts: string;
  outputs: string;
  /** What it was made with, as the node named it; empty if that is not known. */
  image_id: string;
  invalidated_by: string;
  made_at: number;
  invalidated_at: number;
}

/** That a task got (INPUT) or gave (OUTPUT) an artifact, at that place of the list under `key`. */
export interface ArtifactTaskRow {
  id: string;
  artifact_id: string;
  task_id: string;
  run_id: string;
  namespace: string;
  direction: "INPUT" | "OUTPUT";
  /** An `IoType`. */
  type: string;
  key: string;
  position: number;
  /** The name of the task that it came from; empty for none. */
  producer: string;
  /** Which iteration of the producer; -1 for none. */
  iteration: number;
  /** 1 if the task itself worked with it: not one that only contains such tasks, nor one that did not begin, and not its log. */
  is_lineage: number;
  created_at: number;
}

/** A pod to create, or a pod, a volume claim or a run's artifacts to delete, kept until that is done. */
export interface OutboxRow {
  id: string;
  run_id: string;
  kind: "createPod" | "deletePod" | "deleteClaim" | "deleteArtifacts";
  namespace: string;
  /** The pod's or the claim's name, or where the artifacts are. */
  name: string;
}

/** Which Kubernetes object shows which row. */
export interface ObjectLinkRow {
  kind: "Pipeline" | "PipelineVersion" | "RecurringRun";
  namespace: string;
  /** The object's. */
  name: string;
  row_id: string;
  /** The object's; empty before there is one. */
  uid: string;
  /** What both sides last agreed on, as text. */
  base: string;
  /** The uid of the cluster's namespace kube-system: the objects of another cluster are none of ours. */
  cluster: string;
}

/** The component's part of the database. */
export type PipelinesDatabase = TypedDatabase<PipelinesTables>;

/** A transaction over the component's tables. */
export type PipelinesTransaction = Transaction<PipelinesTables>;

/** The component's view of a database. */
export function pipelinesDatabase(database: Database): PipelinesDatabase {
  return database.of<PipelinesTables>();
}
