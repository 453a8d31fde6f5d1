import type { KubernetesObject } from "@sluice/kubernetes";
import type { ArtifactTypeSchema, JsonObject, Named, PipelineSpec, PlatformSpec } from "../domain/ir.ts";
import type { Sha256 } from "../domain/fingerprint.ts";
import type { KeyParts } from "./cache-parts.ts";
import type { PodManifest, PodSettings } from "./pod-types.ts";
import type { CacheMiss, ResultSource, Why } from "./why.ts";

/** A task's id: a UUID derived from the run's id and the task's path, so unique everywhere and the same after a crash. */
export type TaskId = string;

/** How a task stands. CACHED is a success that cost nothing. */
export type TaskState = "PENDING" | "RUNNING" | "SUCCEEDED" | "CACHED" | "SKIPPED" | "FAILED" | "CANCELED";

/** How a run stands. */
export type RunPhase = "PENDING" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELING" | "CANCELED";

/** What a task is: RUNTIME has a pod (or a claim to make), IMPORTER only a record; the others contain tasks. */
export type TaskKind = "ROOT" | "DAG" | "CONDITION" | "CONDITION_BRANCH" | "LOOP" | "EXIT_HANDLER" | "IMPORTER" | "RUNTIME";

/** An artifact as it is recorded; `digest` and `size` (bytes) are absent when nothing was stored at its URI. */
export interface ArtifactRecord {
  readonly id: string;
  readonly name: string;
  readonly type: ArtifactTypeSchema;
  readonly uri: string;
  readonly metadata: JsonObject;
  readonly digest?: string;
  readonly size?: number;
}

/** Values of inputs or outputs, by name. An input or output artifact is a list, of one unless it was collected. */
export interface TaskValues {
  readonly parameters: JsonObject;
  readonly artifacts: Named<readonly ArtifactRecord[]>;
}

/**
 * What an unfinished task is waiting for: its turn, the answer of the cache, its pod, its volume claim, the time of
 * its next attempt, or the tasks in it.
 */
export type TaskStep = "turn" | "cache" | "pod" | "claim" | "backoff" | "children";

/** One task of a run as it is stored. Plain JSON, never changed in place; a task that has not been reached has no record. */
export interface TaskRecord {
  readonly id: TaskId;
  readonly runId: string;
  /** Absent for the root. */
  readonly parentId?: TaskId;
  /** Its key in the graph it belongs to; `root` for the root. */
  readonly name: string;
  readonly displayName: string;
  /** Its place in the run, as `root.for-loop-1.0.train`: names joined by dots, an iteration by its index. */
  readonly path: string;
  readonly kind: TaskKind;
  /** The name of its component; empty for the root. */
  readonly component: string;
  /** Its index, if it is one iteration of its parent, which is a LOOP. */
  readonly iteration?: number;
  /** How many iterations a LOOP has. */
  readonly iterationCount?: number;
  readonly state: TaskState;
  /** Absent once the task has ended. */
  readonly step?: TaskStep;
  /** Why it failed or was skipped, for a person. */
  readonly message?: string;
  /** Counts the pods it had, from 0. */
  readonly attempt: number;
  /** How many of its retries it has used. */
  readonly retries: number;
  readonly podName?: string;
  /** What the graph gave it, without its component's defaults. */
  readonly inputs: TaskValues;
  readonly outputs: TaskValues;
  /** The key of its result in the cache, if it may be cached. */
  readonly fingerprint?: string;
  /** That key in parts, for people to compare. */
  readonly keyParts?: KeyParts;
  readonly why?: Why;
  /** The task whose result it shares, if CACHED. */
  readonly cachedFrom?: TaskId;
  /** Milliseconds since the epoch, here and below. */
  readonly createdAt: number;
  readonly startedAt?: number;
  readonly endedAt?: number;
  /** When its next attempt starts, while `step` is `backoff`. */
  readonly retryAt?: number;
}

/** What does not change while a run goes on. */
export interface RunInfo {
  readonly id: string;
  readonly displayName: string;
  readonly namespace: string;
  readonly spec: PipelineSpec;
  readonly platform?: PlatformSpec;
  /** The values given for the pipeline's inputs. */
  readonly parameters: JsonObject;
  /** Where artifacts go, e.g. `minio://mlpipeline/v2/artifacts`. */
  readonly pipelineRoot: string;
  readonly serviceAccount?: string;
  readonly createdAt: number;
  readonly scheduledAt?: number;
}

/** How far a run as a whole has come; plain JSON. */
export interface RunProgress {
  readonly phase: RunPhase;
  readonly message?: string;
  readonly startedAt?: number;
  readonly endedAt?: number;
  /** Why it is being stopped. What ran is stopped, then exit tasks run. */
  readonly stopping?: "terminated" | "deadline";
  /** Exit tasks are stopped as well. */
  readonly isForced?: true;
}

/** What a finished pod's agent found; stored before the pod ends. */
export interface TaskReport {
  readonly runId: string;
  readonly taskId: TaskId;
  readonly attempt: number;
  readonly parameters: JsonObject;
  readonly artifacts: readonly ReportedArtifact[];
  /** What is wrong with the outputs, for a person; any makes the task fail. */
  readonly problems: readonly string[];
}

/** One output artifact that an agent published. */
export interface ReportedArtifact {
  /** The output's name. */
  readonly output: string;
  /** The artifact's own name. */
  readonly name: string;
  readonly type: ArtifactTypeSchema;
  readonly uri: string;
  readonly metadata: JsonObject;
  readonly digest?: string;
  readonly size?: number;
}

/** An earlier task's result that fits a fingerprint. */
export interface CachedResult extends ResultSource {
  readonly outputs: TaskValues;
}

/** What happened. `time` is in milliseconds since the epoch. An event about a past attempt or an ended task changes nothing. */
export type EngineEvent =
  | { readonly type: "runStarted"; readonly time: number }
  /** The answer to `lookupCache`; no `hit` means that the task must run, because of `miss`. */
  | {
      readonly type: "cacheAnswered";
      readonly time: number;
      readonly taskId: TaskId;
      readonly hit?: CachedResult;
      readonly miss?: CacheMiss;
    }
  | { readonly type: "podRunning"; readonly time: number; readonly taskId: TaskId; readonly attempt: number }
  /** The pod ended, was deleted, could not be created, or cannot start (`isStuck`: it is still there); `message` says why it failed. */
  | {
      readonly type: "podFinished";
      readonly time: number;
      readonly taskId: TaskId;
      readonly attempt: number;
      readonly succeeded: boolean;
      readonly isStuck?: boolean;
      readonly exitCode?: number;
      readonly message?: string;
      readonly report?: TaskReport;
    }
  /** The answer to `createVolumeClaim` and `deleteVolumeClaim`. */
  | { readonly type: "claimDone"; readonly time: number; readonly taskId: TaskId; readonly error?: string }
  /** A time asked for with `wakeAt` has come. */
  | { readonly type: "timeReached"; readonly time: number }
  /** The answer to `proceed`. */
  | { readonly type: "proceed"; readonly time: number }
  /** Stop all but exit tasks; asked for again, those too. */
  | { readonly type: "terminateRequested"; readonly time: number }
  /**
   * Start again what failed, was canceled or was skipped, in a run that has ended. With another `spec` (and its `platform`),
   * for which `checkEdit` must have found a fit, also what means something else there and what follows that.
   */
  | { readonly type: "retryRequested"; readonly time: number; readonly spec?: PipelineSpec; readonly platform?: PlatformSpec };

/** What the caller must do. Every effect may be done twice; `outstandingEffects` tells them again after a crash. */
export type Effect =
  /** Look for a result that may be shared; one older than `maxAgeMs` may not. */
  | { readonly type: "lookupCache"; readonly taskId: TaskId; readonly fingerprint: string; readonly maxAgeMs?: number }
  /** Create the pod; one of that name that exists is this one. */
  | { readonly type: "createPod"; readonly taskId: TaskId; readonly attempt: number; readonly pod: PodManifest }
  /** Delete the pod, and tell `podFinished` once it is gone. */
  | { readonly type: "deletePod"; readonly taskId: TaskId; readonly attempt: number; readonly podName: string }
  /** Tell `proceed` once what else waits has had its turn: there is more to start than one event may. */
  | { readonly type: "proceed" }
  /** Tell `timeReached` at that time (milliseconds since the epoch). */
  | { readonly type: "wakeAt"; readonly time: number }
  /** Create the claim (one of that name may exist), then tell `claimDone`; without `taskId` it is the run's workspace and nothing is told. */
  | { readonly type: "createVolumeClaim"; readonly taskId?: TaskId; readonly claim: VolumeClaimManifest }
  /** Delete the claim (absent is fine), then tell `claimDone`; without `taskId` it is the run's workspace, no longer needed. */
  | { readonly type: "deleteVolumeClaim"; readonly taskId?: TaskId; readonly name: string };

/** A PersistentVolumeClaim to create. */
export interface VolumeClaimManifest extends KubernetesObject {
  apiVersion: "v1";
  kind: "PersistentVolumeClaim";
  spec: {
    accessModes: readonly string[];
    resources: { requests: { storage: string } };
    storageClassName?: string;
    volumeName?: string;
    dataSource?: JsonObject;
  };
}

/** What `advance` needs besides the run. */
export interface EngineContext {
  readonly sha256: Sha256;
  readonly settings: PodSettings;
  /** Whether tasks may share results at all. */
  readonly isCacheEnabled: boolean;
  /** How old a shared result may be (milliseconds) where a pipeline does not say; as old as it likes unless given. */
  readonly cacheMaxAgeMs?: number | undefined;
}

/** What one event did: what to store, in one transaction, and then what to do. */
export interface Advance {
  /** Every record that is new or changed, as it is now. */
  readonly changed: readonly TaskRecord[];
  /** The run as a whole, if that changed. */
  readonly progress?: RunProgress;
  readonly effects: readonly Effect[];
}

/** The states in which a task is over. */
export function hasEnded(state: TaskState): boolean {
  return state !== "PENDING" && state !== "RUNNING";
}

/** Whether a task in this state gave its outputs. */
export function hasSucceeded(state: TaskState): boolean {
  return state === "SUCCEEDED" || state === "CACHED";
}

/** The values of a task that has none. */
export const NO_VALUES: TaskValues = { parameters: {}, artifacts: {} };
