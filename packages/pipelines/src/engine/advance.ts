import { resetUnfinished } from "./retry-run.ts";
import type { RunState } from "./run-state.ts";
import { reportedOutputs } from "./reported-outputs.ts";
import { claimEffect, Transition } from "./transition.ts";
import { podOf } from "./pod.ts";
import { type Advance, type Effect, type EngineContext, type EngineEvent, hasEnded, NO_VALUES, type TaskRecord } from "./types.ts";
import { claimOf, workspaceClaimOf } from "./volume-claim.ts";
import { needsAgent } from "./needs-agent.ts";
import { componentOf, containerOf } from "./plan.ts";
import { withDefaults } from "./parameter-type.ts";

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
      return stop(transition, "terminated", event.time);
    case "retryRequested": {
      if (run.progress.phase !== "FAILED" && run.progress.phase !== "CANCELED") return;
      for (const record of resetUnfinished(run)) transition.put(record);
      const { startedAt: _s, endedAt: _e, message: _m, stopping: _t, ...rest } = run.progress;
      run.progress = rest;
      transition.progress({ phase: "RUNNING", startedAt: event.time });
      return transition.startRoot();
    }
  }
}

/** The task, if it still awaits this. */
function awaiting(run: RunState, id: string, step: TaskRecord["step"], attempt?: number): TaskRecord | undefined {
  const task = run.tasks.get(id);
  if (task === undefined || task.step !== step) return undefined;
  return attempt === undefined || task.attempt === attempt ? task : undefined;
}

function answerCache(transition: Transition, { taskId, hit }: EventOf<"cacheAnswered">): void {
  const task = awaiting(transition.run, taskId, "cache");
  if (task === undefined) return;
  const declared = componentOf(transition.run.info.spec, task.component).outputDefinitions;
  const isComplete =
    hit !== undefined &&
    Object.keys(declared?.parameters ?? {}).every((name) => Object.hasOwn(hit.outputs.parameters, name)) &&
    Object.keys(declared?.artifacts ?? {}).every((name) => Object.hasOwn(hit.outputs.artifacts, name));
  if (!isComplete) return transition.launch(task);
  transition.end(task, "CACHED", { outputs: hit.outputs, cachedFrom: hit.taskId });
}

function finishPod(transition: Transition, event: EventOf<"podFinished">, context: EngineContext): void {
  const { run } = transition;
  const task = awaiting(run, event.taskId, "pod", event.attempt);
  if (task === undefined) return;
  const { succeeded, isStuck = false, exitCode, message, report } = event;
  if (!succeeded) {
    if (isStuck && task.podName !== undefined)
      transition.effect({ type: "deletePod", taskId: task.id, attempt: task.attempt, podName: task.podName });
    const how = isStuck ? "its pod cannot start" : exitCode === undefined ? "its pod failed" : `its container exited with code ${exitCode}`;
    return transition.fail(task, message === undefined || message === "" ? how : `${how}: ${message}`);
  }
  const { message: _message, ...rest } = task;
  if (report === undefined) {
    const component = componentOf(run.info.spec, task.component);
    const container = containerOf(run.info.spec, component);
    if (container !== undefined && !needsAgent(task, component, container)) return transition.end(rest, "SUCCEEDED", { outputs: NO_VALUES });
    return transition.fail(task, "its pod succeeded, but the artifact agent reported no outputs");
  }
  if (report.problems.length > 0) return transition.fail(task, report.problems.join("; "));
  transition.end(rest, "SUCCEEDED", { outputs: reportedOutputs(task, report, context.sha256) });
}

function wake(transition: Transition, time: number): void {
  const { run } = transition;
  if (run.progress.phase !== "RUNNING") return;
  const deadline = transition.deadline();
  if (deadline !== undefined && time >= deadline) return stop(transition, "deadline", time);
  for (const id of [...run.sleeping]) {
    const task = run.get(id);
    if ((task.retryAt ?? 0) <= time) transition.launch(task);
  }
}

function stop(transition: Transition, stopping: "terminated" | "deadline", time: number): void {
  const { run } = transition;
  if (run.progress.phase === "PENDING") {
    transition.progress({ phase: "CANCELED", stopping, endedAt: time });
    return;
  }
  if (run.progress.phase !== "RUNNING") return;
  transition.progress({ phase: "CANCELING", stopping });
  for (const task of [...run.tasks.values()]) {
    if (hasEnded(task.state) || task.step === "children") continue;
    if (task.step === "pod" && task.podName !== undefined) {
      transition.effect({ type: "deletePod", taskId: task.id, attempt: task.attempt, podName: task.podName });
    } else if (task.step === "turn") {
      const { step: _step, ...rest } = task;
      transition.put({ ...rest, state: "CANCELED", endedAt: time });
    } else {
      transition.end(task, "CANCELED", { message: "the run was stopped" });
    }
  }
}

function claimOutputs(run: RunState, task: TaskRecord): TaskRecord["outputs"] {
  const component = componentOf(run.info.spec, task.component);
  if (component.outputDefinitions?.parameters?.["name"] === undefined) return { parameters: {}, artifacts: {} };
  const claim = claimOf(run.info, task, withDefaults(component, task.inputs.parameters));
  return { parameters: { name: claim.metadata.name }, artifacts: {} };
}

/** What a restored run still needs done. A task that is RUNNING has had its pod created; the caller looks whether it still exists. */
export function outstandingEffects(run: RunState, context: EngineContext): readonly Effect[] {
  const { phase } = run.progress;
  if (phase !== "RUNNING" && phase !== "CANCELING") return [];
  const effects: Effect[] = [];
  const workspace = workspaceClaimOf(run.info);
  if (workspace !== undefined && phase === "RUNNING") effects.push({ type: "createVolumeClaim", claim: workspace });
  const deadline = new Transition(run, 0, context).deadline();
  if (deadline !== undefined && phase === "RUNNING") effects.push({ type: "wakeAt", time: deadline });
  for (const task of run.tasks.values()) {
    if (hasEnded(task.state)) continue;
    const { id: taskId, attempt } = task;
    if (task.step === "cache" && task.fingerprint !== undefined) {
      effects.push({ type: "lookupCache", taskId, fingerprint: task.fingerprint });
    } else if (task.step === "claim") {
      effects.push(claimEffect(run, task));
    } else if (task.step === "backoff" && task.retryAt !== undefined) {
      effects.push({ type: "wakeAt", time: task.retryAt });
    } else if (task.step === "pod" && phase === "CANCELING" && task.podName !== undefined) {
      effects.push({ type: "deletePod", taskId, attempt, podName: task.podName });
    } else if (task.step === "pod" && task.state === "PENDING") {
      effects.push({ type: "createPod", taskId, attempt, pod: podOf(run, task, context) });
    }
  }
  return effects;
}
