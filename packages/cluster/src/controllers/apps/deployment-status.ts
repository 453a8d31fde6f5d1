import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from "@sluice/kubernetes";
import { tolerances } from "./plan-rollout.ts";

/** A deadline that means none. */
const NEVER = 2_147_483_647;

/** A Deployment's status, and when it would be late, in milliseconds since the epoch. */
export interface DeploymentReport {
  readonly status: DeploymentStatus;
  readonly deadline?: number;
}

/** What a Deployment says of itself, from its ReplicaSets; `created` names one that was made just now, `failure` says why none was. */
export function reportDeployment(
  deployment: Deployment,
  sets: { readonly current: ReplicaSet | undefined; readonly old: readonly ReplicaSet[]; readonly created?: string; readonly failure?: string },
  now: number,
): DeploymentReport {
  const { spec, metadata, status: before = {} } = deployment;
  const { current, old } = sets;
  const all = [...old, ...(current === undefined ? [] : [current])];
  const count = (field: "replicas" | "readyReplicas" | "availableReplicas" | "terminatingReplicas"): number =>
    all.reduce((sum, { status }) => sum + (status?.[field] ?? 0), 0);
  const wanted = all.reduce((sum, set) => sum + (set.spec.replicas ?? 1), 0);
  const counts = {
    replicas: count("replicas"),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: count("readyReplicas"),
    availableReplicas: count("availableReplicas"),
    unavailableReplicas: Math.max(0, wanted - count("availableReplicas")),
    terminatingReplicas: count("terminatingReplicas"),
  };
  const replicas = spec.replicas ?? 1;
  const isAvailable = counts.availableReplicas >= replicas - tolerances(deployment).unavailable;
  const available = isAvailable
    ? { type: "Available", status: "True", reason: "MinimumReplicasAvailable", message: "Deployment has minimum availability." }
    : { type: "Available", status: "False", reason: "MinimumReplicasUnavailable", message: "Deployment does not have minimum availability." };
  const isComplete =
    current !== undefined && counts.updatedReplicas === replicas && counts.replicas === replicas && counts.availableReplicas >= replicas;
  const name = current?.metadata.name ?? metadata.name;
  const progress = progressOf(
    deployment,
    { name, created: sets.created, failure: sets.failure, isComplete, hasMoved: hasMoved(before, counts) },
    now,
  );
  const earlier = before.conditions ?? [];
  const refusal = [current, ...old].flatMap((set) => set?.status?.conditions ?? []).find(({ type }) => type === "ReplicaFailure");
  const conditions = [
    ...earlier.filter(({ type }) => type !== "Available" && type !== "Progressing" && type !== "ReplicaFailure"),
    dated(available, earlier, now, false),
    ...(refusal === undefined ? [] : [dated(refusal, earlier, now, false)]),
    ...(progress === undefined ? earlier.filter(({ type }) => type === "Progressing") : [dated(progress.condition, earlier, now, progress.isMoving)]),
  ];
  const status = {
    ...counts,
    observedGeneration: metadata.generation ?? 0,
    conditions,
    ...(before.collisionCount === undefined ? {} : { collisionCount: before.collisionCount }),
  };
  const last = conditions.find(({ type }) => type === "Progressing");
  const isRunning = progress !== undefined && !isComplete && spec.paused !== true && last !== undefined && last.status !== "False";
  return { status, ...(isRunning ? { deadline: Date.parse(last.lastUpdateTime ?? "") + (spec.progressDeadlineSeconds ?? 600) * 1000 } : {}) };
}

type Undated = Pick<DeploymentCondition, "type" | "status" | "reason" | "message">;

function progressOf(
  { spec, status: known }: Deployment,
  {
    name,
    created,
    failure,
    isComplete,
    hasMoved: isMoving,
  }: {
    readonly name: string;
    readonly created: string | undefined;
    readonly failure: string | undefined;
    readonly isComplete: boolean;
    readonly hasMoved: boolean;
  },
  now: number,
): { readonly condition: Undated; readonly isMoving: boolean } | undefined {
  const seconds = spec.progressDeadlineSeconds ?? 600;
  if (seconds === NEVER) return undefined;
  const before = known?.conditions?.find(({ type }) => type === "Progressing");
  const say = (
    status: "True" | "False" | "Unknown",
    reason: string,
    message: string,
    moves: boolean,
  ): { readonly condition: Undated; readonly isMoving: boolean } => ({
    condition: { type: "Progressing", status, reason, message },
    isMoving: moves,
  });
  if (failure !== undefined) return say("False", "ReplicaSetCreateError", failure, false);
  if (spec.paused === true) {
    const isTold = before?.reason === "DeploymentPaused" || before?.reason === "ProgressDeadlineExceeded";
    return isTold ? undefined : say("Unknown", "DeploymentPaused", "Deployment is paused", true);
  }
  if (before?.reason === "DeploymentPaused") return say("Unknown", "DeploymentResumed", "Deployment is resumed", true);
  if (created !== undefined) return say("True", "NewReplicaSetCreated", `Created new replica set ${JSON.stringify(created)}`, true);
  if (isComplete)
    return say(
      "True",
      "NewReplicaSetAvailable",
      `ReplicaSet ${JSON.stringify(name)} has successfully progressed.`,
      before?.reason !== "NewReplicaSetAvailable",
    );
  if (before === undefined || isMoving) return say("True", "ReplicaSetUpdated", `ReplicaSet ${JSON.stringify(name)} is progressing.`, true);
  const isLate = before.reason !== "NewReplicaSetAvailable" && Date.parse(before.lastUpdateTime ?? "") + seconds * 1000 <= now;
  return isLate ? say("False", "ProgressDeadlineExceeded", `ReplicaSet ${JSON.stringify(name)} has timed out progressing.`, false) : undefined;
}

/** Whether the rollout has come closer to its end. */
function hasMoved(
  before: DeploymentStatus,
  after: { readonly [K in "replicas" | "updatedReplicas" | "readyReplicas" | "availableReplicas"]: number },
): boolean {
  const outdated = (status: DeploymentStatus): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    after.updatedReplicas > (before.updatedReplicas ?? 0) ||
    outdated(after) < outdated(before) ||
    after.readyReplicas > (before.readyReplicas ?? 0) ||
    after.availableReplicas > (before.availableReplicas ?? 0)
  );
}

function dated(condition: Undated, before: readonly DeploymentCondition[], now: number, isUpdate: boolean): DeploymentCondition {
  const old = before.find(({ type }) => type === condition.type);
  const stamp = `${new Date(now).toISOString().slice(0, 19)}Z`;
  const isSame = old?.status === condition.status;
  const isKept = isSame && old.reason === condition.reason && !isUpdate;
  return {
    ...condition,
    lastUpdateTime: isKept ? (old.lastUpdateTime ?? stamp) : stamp,
    lastTransitionTime: isSame ? (old.lastTransitionTime ?? stamp) : stamp,
  };
}
