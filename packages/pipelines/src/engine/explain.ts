import type { JsonObject } from "../domain/ir.ts";
import type { KeyDifference } from "./cache-parts.ts";
import { isLoop, type PlannedTask } from "./plan.ts";
import type { RunState } from "./run-state.ts";
import { hasEnded, hasSucceeded, type TaskRecord } from "./types.ts";
import type { CacheMiss, ResultSource, Why } from "./why.ts";

/** One thing that made a task stand as it does: for programs (`type`, `facts`), and for a person (`message`, a clause about "it"). */
export interface Reason {
  readonly type: string;
  readonly message: string;
  readonly facts?: JsonObject;
}

/** An earlier result of the same component that came nearest to what the task needed. */
export interface NearestResult {
  readonly result: ResultSource;
  readonly differences: readonly KeyDifference[];
}

/** What is known besides the run itself. */
export interface KnownFacts {
  /** Of a task for which the cache had no result; undefined if there was no earlier one of its component. */
  readonly nearest?: NearestResult | undefined;
  /** What the cluster says of its pod: why it does not run yet. */
  readonly podState?: string | undefined;
  /** The names of other runs, and where artifacts come from, by id. */
  nameOf(runId: string): string;
  originOf(artifactId: string): string | undefined;
}

const LISTED = 5;

/** Why a task that has begun, or has ended, stands as it does; the weightiest reason first. */
export function explainTask(run: RunState, task: TaskRecord, facts: KnownFacts): readonly Reason[] {
  const now = hasEnded(task.state) ? endReasons(run, task) : [waitReason(run, task, facts)];
  return [...now, ...retryReasons(task), ...(task.why === undefined ? originReasons(task) : whyReasons(task.why, facts))];
}

/** Why a task of a graph has not begun. */
export function explainUnreached(run: RunState, parent: TaskRecord, task: PlannedTask): Reason {
  if (hasEnded(parent.state)) {
    return { type: "notReached", message: `it was never reached: ${describe(parent)} ended ${parent.state} before` };
  }
  const waiting = task.dependencies.filter((name) => !hasEnded(run.child(parent.id, name)?.state ?? "PENDING"));
  const states = waiting.map((name) => `${name} (${run.child(parent.id, name)?.state ?? "not begun"})`);
  return {
    type: "waitsForTasks",
    message: waiting.length === 0 ? "it is about to begin" : `it waits for ${listOf(states)}`,
    facts: { tasks: waiting },
  };
}

/** Why an iteration of a loop has not begun. */
export function explainTurn(run: RunState, loop: TaskRecord, index: number): Reason {
  if (hasEnded(loop.state)) return { type: "notReached", message: `it was never reached: ${describe(loop)} ended ${loop.state} before` };
  const limit = limitOf(run, loop);
  return {
    type: "waitsForTurn",
    message: `it waits for its turn: the loop runs at most ${limit} of its ${loop.iterationCount ?? 0} iterations at once`,
    facts: { iteration: index, parallelism_limit: limit },
  };
}

function limitOf(run: RunState, loop: TaskRecord): number {
  const around = loop.parentId === undefined ? undefined : run.plan(run.get(loop.parentId).component).get(loop.name);
  return around !== undefined && isLoop(around.spec) ? (around.spec.iteratorPolicy?.parallelismLimit ?? 0) : 0;
}

function endReasons(run: RunState, task: TaskRecord): readonly Reason[] {
  switch (task.state) {
    case "FAILED":
      return [{ type: "failed", message: task.message ?? "it failed" }];
    case "CANCELED":
      return [stopped(run.progress.stopping)];
    case "SKIPPED":
      return task.why === undefined ? [{ type: "skipped", message: task.message ?? "it was skipped" }] : [];
    case "SUCCEEDED":
    case "CACHED":
    case "PENDING":
    case "RUNNING":
      return [];
  }
}

function waitReason(run: RunState, task: TaskRecord, { podState }: KnownFacts): Reason {
  const { step = "turn" } = task;
  switch (step) {
    case "cache":
      return { type: "waitsForCache", message: "it waits for the answer whether its result is known" };
    case "backoff":
      return {
        type: "waitsForRetry",
        message: `its next attempt, number ${task.attempt + 1}, starts at ${timeText(task.retryAt ?? 0)}; the one before failed: ${task.message ?? ""}`,
        facts: { retry_at: new Date(task.retryAt ?? 0).toISOString() },
      };
    case "claim":
      return { type: "waitsForClaim", message: "it waits for its volume claim" };
    case "pod":
      if (task.state === "RUNNING") return { type: "runs", message: `its pod ${task.podName ?? ""} runs since ${timeText(task.startedAt ?? 0)}` };
      return { type: "waitsForPod", message: podState ?? `its pod ${task.podName ?? ""} is being created`, facts: { pod: task.podName ?? "" } };
    case "children":
      return childrenReason(run, task);
    case "turn":
      return { type: "waitsForTasks", message: "the run was retried, and it is not its turn yet" };
  }
}

function childrenReason(run: RunState, task: TaskRecord): Reason {
  const children = [...run.tasks.values()].filter(({ parentId }) => parentId === task.id);
  const open = children.filter(({ state }) => !hasEnded(state));
  if (task.kind !== "LOOP") {
    return {
      type: "waitsForChildren",
      message: `it goes on as long as what is in it: ${listOf(open.map(({ name, state }) => `${name} (${state})`))}`,
      facts: { tasks: open.map(({ name }) => name) },
    };
  }
  const limit = limitOf(run, task);
  const ended = children.length - open.length;
  const rest = (task.iterationCount ?? 0) - children.length;
  const message = `${ended} of its ${task.iterationCount ?? 0} iterations have ended, ${open.length} are under way`;
  const why = rest === 0 ? "" : `, ${rest} wait for their turn: at most ${limit} run at once`;
  return { type: "waitsForChildren", message: `${message}${why}`, facts: { ended, open: open.length, waiting: rest, parallelism_limit: limit } };
}

function retryReasons(task: TaskRecord): readonly Reason[] {
  if (task.attempt === 0 || task.kind !== "RUNTIME") return [];
  const how =
    task.retries > 0 ? `its retry policy has tried it ${task.retries === 1 ? "once" : `${task.retries} times`} more` : "its run was retried";
  return [{ type: "retried", message: `this is attempt ${task.attempt + 1}: ${how}`, facts: { attempt: task.attempt, retries: task.retries } }];
}

/** Of a task that no decision was kept about, because there was none to make. */
function originReasons(task: TaskRecord): readonly Reason[] {
  if (hasEnded(task.state) && !hasSucceeded(task.state)) return [];
  switch (task.kind) {
    case "IMPORTER":
      return [{ type: "always", message: "it only records an artifact that exists, which needs no cache" }];
    case "RUNTIME":
      return task.step === undefined ? [{ type: "always", message: "it changes a volume claim, which is never taken from the cache" }] : [];
    case "ROOT":
    case "DAG":
    case "LOOP":
    case "CONDITION":
    case "CONDITION_BRANCH":
    case "EXIT_HANDLER":
      return hasEnded(task.state) ? [{ type: "contains", message: "all that it contains has ended; ask for the tasks in it" }] : [];
  }
}

function whyReasons(why: Why, facts: KnownFacts): readonly Reason[] {
  switch (why.type) {
    case "uncached":
      return [{ type: "uncached", message: UNCACHED[why.because], facts: { because: why.because } }];
    case "shared":
      return [{ type: "cached", message: `it shares ${resultText(why.result, facts)}`, facts: resultFacts(why.result) }];
    case "missed":
      return missReasons(why.miss, facts);
    case "conditionFalse": {
      const values = Object.entries(why.values).map(([name, value]) => `${plainName(name)} is ${JSON.stringify(value)}`);
      const known = values.length === 0 ? "" : ` (${listOf(values)})`;
      const message = `its condition is false: ${plainName(why.condition)}${known}`;
      return [{ type: "conditionFalse", message, facts: { condition: why.condition, values: why.values } }];
    }
    case "blocked":
      return [
        {
          type: "blocked",
          message: `task ${why.task} before it is ${why.state}`,
          facts: { task: why.task, task_id: why.taskId, state: why.state },
        },
      ];
  }
}

const UNCACHED: Readonly<Record<Extract<Why, { type: "uncached" }>["because"], string>> = {
  installation: "caching is off in this installation, so it had to run",
  pipeline: "its pipeline, or whoever submitted the run, turns caching off for it, so it had to run",
  staleness: "its pipeline accepts no earlier result, however new (its maximum staleness is 0), so it had to run",
};

function missReasons(miss: CacheMiss, facts: KnownFacts): readonly Reason[] {
  const reason = (message: string, more: JsonObject = {}): readonly Reason[] => [
    { type: miss.type, message: `it had to run: ${message}`, facts: { ...("result" in miss ? resultFacts(miss.result) : {}), ...more } },
  ];
  switch (miss.type) {
    case "none":
      return facts.nearest === undefined
        ? [{ type: "noResult", message: "it had to run: no earlier run of this pipeline has a result of its component" }]
        : [changed(facts.nearest, facts)];
    case "expired":
      return reason(`${resultText(miss.result, facts)} is older than the ${durationText(miss.maxAgeMs)} that are allowed`, {
        max_age_seconds: miss.maxAgeMs / 1000,
      });
    case "invalidated":
      return reason(`at ${timeText(miss.at)}, ${miss.by} invalidated ${resultText(miss.result, facts)}`, {
        by: miss.by,
        at: new Date(miss.at).toISOString(),
      });
    case "absent":
      return reason(`artifact ${miss.artifact} of ${resultText(miss.result, facts)} is gone: nothing is stored at ${miss.uri}`, {
        artifact: miss.artifact,
        uri: miss.uri,
      });
    case "altered":
      return reason(`artifact ${miss.artifact} of ${resultText(miss.result, facts)} was changed afterwards, at ${miss.uri}`, {
        artifact: miss.artifact,
        uri: miss.uri,
      });
    case "incomplete":
      return reason(`${resultText(miss.result, facts)} lacks an output that the component declares now`);
    case "imageChanged":
      return reason(`${resultText(miss.result, facts)} was made with another image of the same name: then ${miss.from}, now ${miss.to}`, {
        from: miss.from,
        to: miss.to,
      });
    case "unreadable":
      return reason(`the cache could not be read: ${miss.problem}`);
  }
}

function changed({ result, differences }: NearestResult, facts: KnownFacts): Reason {
  const words = differences.map((one) => differenceText(one, facts));
  const message =
    words.length === 0
      ? `it had to run: a task like it was still under way, in run ${facts.nameOf(result.runId)}`
      : `it had to run: since ${resultText(result, facts)}, ${listOf(words)}`;
  const list = differences.map(({ part, before = null, now = null }) => ({ part, before, now }));
  return { type: words.length === 0 ? "simultaneous" : "changed", message, facts: { ...resultFacts(result), differences: list } };
}

function differenceText({ part, before, now }: KeyDifference, facts: KnownFacts): string {
  const [kind = "", name = ""] = part.split(/ (.*)/su);
  if (kind === "parameter") {
    const input = `input ${plainName(name)}`;
    if (before === undefined) return `${input} is new (${now ?? ""})`;
    return now === undefined ? `${input} is gone (it was ${before})` : `${input} changed from ${before} to ${now}`;
  }
  if (kind === "artifact") {
    const origin = (ids: string | undefined): string => {
      const known = idsIn(ids).flatMap((id) => facts.originOf(id) ?? []);
      return known.length === 0 ? "another task's result" : listOf(known);
    };
    if (before === undefined) return `input artifact ${name} is new, from ${origin(now)}`;
    return now === undefined
      ? `input artifact ${name} is gone`
      : `input artifact ${name} is another one: then from ${origin(before)}, now from ${origin(now)}`;
  }
  if (kind === "command") return "its command changed: the component's code or its arguments";
  if (kind === "outputs") return "its declared outputs changed";
  if (kind === "claims") return `its volume claims changed from ${before ?? "none"} to ${now ?? "none"}`;
  return `its ${kind === "key" ? "cache key" : kind} changed from ${before ?? "none"} to ${now ?? "none"}`;
}

/** The ids of artifacts in a part of a key; of a long part, those that it still tells whole. */
export function idsIn(part: string | undefined): readonly string[] {
  return (part ?? "").match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gu) ?? [];
}

function stopped(by: "terminated" | "deadline" | undefined): Reason {
  const message =
    by === "deadline" ? "its run took longer than its deadline allows" : by === "terminated" ? "its run was terminated" : "its run was stopped";
  return { type: "stopped", message };
}

function resultText({ runId, madeAt }: ResultSource, facts: KnownFacts): string {
  return `the result of run ${facts.nameOf(runId)}, made at ${timeText(madeAt)}`;
}

function resultFacts({ runId, taskId, madeAt }: ResultSource): JsonObject {
  return { result: { run_id: runId, task_id: taskId, made_at: new Date(madeAt).toISOString() } };
}

function describe(task: TaskRecord): string {
  return task.kind === "ROOT" ? "the run" : task.displayName;
}

/** The name as its author wrote it: the SDK's compiler puts words before it. */
function plainName(text: string): string {
  return text.replaceAll(/inputs\.parameter_values\[['"]([^'"]+)['"]\]/gu, "$1").replaceAll("pipelinechannel--", "");
}

function timeText(time: number): string {
  return new Date(time)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/u, " UTC");
}

function durationText(ms: number): string {
  const units: readonly (readonly [string, number])[] = [
    ["days", 86_400_000],
    ["hours", 3_600_000],
    ["minutes", 60_000],
  ];
  const [unit, size] = units.find(([, one]) => ms >= one && ms % one === 0) ?? ["seconds", 1000];
  return `${ms / size} ${unit}`;
}

function listOf(words: readonly string[]): string {
  const shown = words.slice(0, LISTED);
  const more = words.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
