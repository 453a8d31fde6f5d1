import { editedInfo, editOf } from "./edit.ts";
import { type EditedRun, resetUnfinished } from "./retry-run.ts";
import { RunState } from "./run-state.ts";
import { reportedOutputs } from "./reported-outputs.ts";
import { lookupEffect } from "./cache-key.ts";
import { claimEffect, claimOutputs } from "./claim-task.ts";
import { isStopped, stopRun } from "./stop-run.ts";
import { Transition } from "./transition.ts";
import { podOf } from "./pod.ts";
import { type Advance, type Effect, type EngineContext, type EngineEvent, hasEnded, type TaskRecord } from "./types.ts";
import { workspaceClaimOf } from "./volume-claim.ts";
import { componentOf } from "./plan.ts";

type EventOf<T extends EngineEvent["type"]> = Extract<EngineEvent, { type: T }>;

/** Applies one event to `run`, in place, and tells what to store and then to do. The same run and event always give the same. */
export function advance(run: RunState, event: EngineEvent, context: EngineContext): Advance {
  const transition = new Transition(run, event.time, context);
  apply(transition, event, context);
  return transition.finish();
}

function apply(transition: Transition, event: EngineEvent, context: EngineContext): void {
  const { run } = transition;
  switch (event.type) {
    case "runStarted":
      if (run.progress.phase !== "PENDING") return;
      transition.progress({ phase: "RUNNING", startedAt: event.time });
      return transition.startRoot();
    case "cacheAnswered":
      return answerCache(transition, event);
    case "podRunning": {
      const task = awaiting(run, event.taskId, "pod", event.attempt);
      if (task === undefined || task.state !== "PENDING") return;
      transition.put({ ...task, state: "RUNNING", startedAt: task.startedAt ?? event.time });
      return;
    }
    case "podFinished":
      return finishPod(transition, event, context);
    case "claimDone": {
      const task = awaiting(run, event.taskId, "claim");
      if (task === undefined) return;
      if (event.error !== undefined) return transition.end(task, "FAILED", { message: event.error });
      return transition.end(task, "SUCCEEDED", { outputs: claimOutputs(run, task) });
    }
    case "timeReached":
      return wake(transition, event.time);
    case "terminateRequested":
      return stopRun(transition, "terminated", event.time);
    case "proceed":
      return transition.proceed();
    case "retryRequested":
      return retry(transition, event);
  }
}

function retry(transition: Transition, { time, spec, platform }: EventOf<"retryRequested">): void {
  const { run } = transition;
  if (run.progress.phase !== "FAILED" && run.progress.phase !== "CANCELED") return;
  let edited: EditedRun | undefined;
  if (spec !== undefined) {
    const before = run.info;
    const after = editedInfo(before, { spec, ...(platform === undefined ? {} : { platform }) });
    const earlier = run.root === undefined ? {} : run.get(run.root).inputs.parameters;
    const unedited = new RunState(before, run.progress);
    run.edit(after);
    edited = { edit: editOf(unedited, run, earlier), plannedBefore: (component, task) => unedited.plan(component).get(task) };
  }
  for (const record of resetUnfinished(run, edited)) transition.put(record);
  const { startedAt: _s, endedAt: _e, message: _m, stopping: _t, isForced: _f, ...rest } = run.progress;
  run.progress = rest;
  transition.progress({ phase: "RUNNING", startedAt: time });
  return transition.startRoot();
}

/** The task, if it still awaits this. */
function awaiting(run: RunState, id: string, step: TaskRecord["step"], attempt?: number): TaskRecord | undefined {
  const task = run.tasks.get(id);
  if (task === undefined || task.step !== step) return undefined;
  return attempt === undefined || task.attempt === attempt ? task : undefined;
}

function answerCache(transition: Transition, { taskId, hit, miss = { type: "none" } }: EventOf<"cacheAnswered">): void {
  const task = awaiting(transition.run, taskId, "cache");
  if (task === undefined) return;
  const declared = componentOf(transition.run.info.spec, task.component).outputDefinitions;
  if (hit === undefined) return transition.launch({ ...task, why: { type: "missed", miss } });
  const { outputs, ...result } = hit;
  const isComplete =
    Object.keys(declared?.parameters ?? {}).every((name) => Object.hasOwn(outputs.parameters, name)) &&
    Object.keys(declared?.artifacts ?? {}).every((name) => Object.hasOwn(outputs.artifacts, name));
  if (!isComplete) return transition.launch({ ...task, why: { type: "missed", miss: { type: "incomplete", result } } });
  transition.end(task, "CACHED", { outputs, cachedFrom: hit.taskId, why: { type: "shared", result } });
}

function finishPod(transition: Transition, event: EventOf<"podFinished">, context: EngineContext): void {
  const { run } = transition;
  const awaited = awaiting(run, event.taskId, "pod", event.attempt);
  if (awaited === undefined) return;
  const { succeeded, isStuck = false, exitCode, message, report } = event;
  // Whoever is quick has ended before anybody has seen it run.
  const task = succeeded || exitCode !== undefined ? { ...awaited, startedAt: awaited.startedAt ?? event.time } : awaited;
  if (!succeeded) {
    if (isStuck && task.podName !== undefined)
      transition.effect({ type: "deletePod", taskId: task.id, attempt: task.attempt, podName: task.podName });
    const how = isStuck ? "its pod cannot start" : exitCode === undefined ? "its pod failed" : `its container exited with code ${exitCode}`;
    return transition.fail(task, message === undefined || message === "" ? how : `${how}: ${message}`);
  }
  if (report === undefined) return transition.fail(task, "its pod succeeded, but the artifact agent reported no outputs");
  if (report.problems.length > 0) return transition.fail(task, report.problems.join("; "));
  const { message: _message, ...rest } = task;
  transition.end(rest, "SUCCEEDED", { outputs: reportedOutputs(task, report, context.sha256) });
}

function wake(transition: Transition, time: number): void {
  const { phase } = transition.run.progress;
  if (phase !== "RUNNING" && phase !== "CANCELING") return;
  const deadline = transition.deadline();
  if (deadline !== undefined && time >= deadline) stopRun(transition, "deadline", time);
  transition.launchDue();
}

/**
 * What a restored run still needs done. A task that is RUNNING has had its pod created, the caller looks whether it still exists; no
 * effect creates a pod that `hasPod` knows.
 */
export function outstandingEffects(
  run: RunState,
  context: EngineContext,
  { hasPod = () => false }: { readonly hasPod?: (name: string) => boolean } = {},
): readonly Effect[] {
  const { phase } = run.progress;
  if (phase !== "RUNNING" && phase !== "CANCELING") return [];
  const effects: Effect[] = [];
  const workspace = workspaceClaimOf(run.info);
  if (workspace !== undefined && phase === "RUNNING") effects.push({ type: "createVolumeClaim", claim: workspace });
  const deadline = new Transition(run, 0, context).deadline();
  if (deadline !== undefined) effects.push({ type: "wakeAt", time: deadline });
  if (run.behind.size > 0) effects.push({ type: "proceed" });
  for (const task of run.tasks.values()) {
    if (hasEnded(task.state)) continue;
    const { id: taskId, attempt } = task;
    if (task.step === "cache" && task.fingerprint !== undefined) {
      effects.push(lookupEffect(run, task, task.fingerprint, context));
    } else if (task.step === "claim") {
      effects.push(claimEffect(run, task));
    } else if (task.step === "backoff" && task.retryAt !== undefined) {
      effects.push({ type: "wakeAt", time: task.retryAt });
    } else if (task.step === "pod" && task.podName !== undefined && isStopped(run, task)) {
      effects.push({ type: "deletePod", taskId, attempt, podName: task.podName });
    } else if (task.step === "pod" && task.state === "PENDING" && !hasPod(task.podName ?? "")) {
      effects.push({ type: "createPod", taskId, attempt, pod: podOf(run, task, context) });
    }
  }
  return effects;
}
