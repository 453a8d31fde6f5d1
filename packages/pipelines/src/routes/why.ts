import { ApiError } from "@sluice/kubernetes";
import type { JsonObject } from "../domain/ir.ts";
import {
  explainTask,
  explainTurn,
  explainUnreached,
  hasEnded,
  idsIn,
  type KeyParts,
  type KnownFacts,
  nearestOf,
  type NearestResult,
  type Reason,
  restoreRun,
  type RunState,
  type TaskRecord,
} from "../engine/index.ts";
import { PODS, type ObservedPod } from "../runner/kinds.ts";
import { obstacleOf } from "../runner/pod-outcome.ts";
import { progressOf, runInfoOf } from "../runner/run-record.ts";
import type { ResultRow, RunRow } from "../store/tables.ts";
import type { Api } from "./api.ts";
import type { RouteOptions } from "./context.ts";
import { compact } from "./json.ts";
import { TASK_WHY, TASKS_WHY } from "./messages.ts";
import { loadRun } from "./runs.ts";

/** `/runs/{run}/tasks/{task}:why`, where a task is named by its id, its path or its name, and `/runs/{run}/tasks:why` for all of them. */
export function whyRoutes(api: Api, options: RouteOptions): void {
  const tag = "RunService";
  api.add(
    {
      ...{ method: "get", path: "/runs/{run_id}/tasks:why", id: "explain_tasks", about: "Says of all tasks of a run why they are as they are.", tag },
      answer: TASKS_WHY,
    },
    async (call) => {
      const inquiry = await openInquiry(options, await loadRun(options, call.context, call.param("run_id"), "get"));
      const tasks = [...inquiry.run.tasks.values()].sort(
        (a, b) => a.createdAt - b.createdAt || a.path.localeCompare(b.path, "en", { numeric: true }),
      );
      const answers: JsonObject[] = [];
      for (const task of tasks) answers.push(whyJson(task, await inquiry.reasonsOf(task)));
      return { tasks: answers };
    },
  );

  api.add(
    {
      ...{ method: "get", path: "/runs/{run_id}/tasks/{task_id}:why", id: "explain_task", tag, answer: TASK_WHY },
      about: "Says why a task ran, shared a result, was skipped or waits; it is named by its id, its path or its name.",
    },
    async (call) => {
      const row = await loadRun(options, call.context, call.param("run_id"), "get");
      const wanted = call.param("task_id");
      const inquiry = await openInquiry(options, row);
      const tasks = tasksNamed(inquiry.run, wanted);
      if (tasks.length > 1) {
        const paths = tasks.map(({ path }) => path).join(", ");
        throw new ApiError("BadRequest", `run ${row.id} has several tasks ${JSON.stringify(wanted)}: name one by its path: ${paths}`);
      }
      const [task] = tasks;
      if (task !== undefined) return whyJson(task, await inquiry.reasonsOf(task));
      const reason = unreached(inquiry.run, wanted);
      if (reason === undefined) throw new ApiError("NotFound", `run ${row.id} has no task ${JSON.stringify(wanted)}`);
      return whyJson({ name: wanted }, [reason]);
    },
  );
}

function whyJson(task: Partial<TaskRecord>, reasons: readonly Reason[]): JsonObject {
  return compact({
    ...{ task_id: task.id, name: task.name, display_name: task.displayName, scope_path: task.path, type: task.kind },
    ...{ state: task.state ?? "PENDING", summary: reasons[0]?.message },
    reasons: reasons.map(({ type, message, facts = {} }) => ({ type, message, ...facts })),
  });
}

/** The tasks that somebody means by an id, a path or a name. */
export function tasksNamed(run: RunState, wanted: string): readonly TaskRecord[] {
  const tasks = [...run.tasks.values()];
  const exact = tasks.filter(({ id, path }) => id === wanted || path === wanted || path === `root.${wanted}`);
  return exact.length > 0
    ? exact
    : tasks.filter(({ name, displayName, iteration }) => iteration === undefined && [name, displayName].includes(wanted));
}

/** Why there is no record of a task yet; undefined if the pipeline has no such task. */
function unreached(run: RunState, wanted: string): Reason | undefined {
  const name = wanted.slice(wanted.lastIndexOf(".") + 1);
  for (const parent of run.tasks.values()) {
    if (parent.kind === "LOOP") {
      const index = Number(name);
      const isIteration = wanted === `${parent.path}.${name}` || `root.${wanted}` === `${parent.path}.${name}`;
      if (isIteration && Number.isInteger(index) && index < (parent.iterationCount ?? 0)) return explainTurn(run, parent, index);
      continue;
    }
    const planned = run.plan(parent.component).get(name);
    if (planned !== undefined && run.child(parent.id, name) === undefined) return explainUnreached(run, parent, planned);
  }
  const outer = Object.entries(run.info.spec.components ?? {}).find(([, { dag }]) => dag?.tasks !== undefined && Object.hasOwn(dag.tasks, name));
  if (outer === undefined) return undefined;
  return { type: "notReached", message: `what contains it (${outer[0].replace(/^comp-/u, "")}) has not begun` };
}

interface Inquiry {
  readonly run: RunState;
  reasonsOf(task: TaskRecord): Promise<readonly Reason[]>;
}

/** What it takes to explain the tasks of one run; what several of them need is asked for once. */
async function openInquiry({ store, client, clock }: RouteOptions, row: RunRow): Promise<Inquiry> {
  const run = restoreRun(runInfoOf(row), progressOf(row), await store.tasks.ofRun(row.id));
  const pipeline = run.info.spec.pipelineInfo.name;
  const until = row.finished_at === 0 ? clock.now() : row.finished_at;
  const names = new Map<string, string>([[row.id, row.name]]);
  const origins = new Map<string, string>();
  const results = new Map<string, ResultRow[]>();

  const learnRun = async (id: string): Promise<void> => {
    if (!names.has(id)) names.set(id, (await store.runs.find(id))?.name ?? "");
  };
  const nameOf = (id: string): string => {
    const name = names.get(id) ?? "";
    return name === "" ? `${id} (deleted since)` : `${name} (${id})`;
  };
  const learnArtifact = async (id: string): Promise<void> => {
    if (origins.has(id)) return;
    const artifact = await store.artifacts.find(id);
    if (artifact === undefined) return;
    await learnRun(artifact.run_id);
    const task = await store.tasks.find(artifact.run_id, artifact.task_id);
    origins.set(id, `task ${task?.displayName ?? artifact.task_id} of run ${nameOf(artifact.run_id)}`);
  };
  const nearest = async (task: TaskRecord): Promise<NearestResult | undefined> => {
    if (task.why?.type !== "missed" || task.why.miss.type !== "none") return undefined;
    const { component, keyParts = {} } = task;
    const rows =
      results.get(component) ?? (await store.cache.ofComponent({ namespace: row.namespace, pipeline, component }, { otherThan: row.id, until }));
    results.set(component, rows);
    const earlier = rows.filter(({ made_at: madeAt, key_parts: parts }) => madeAt <= (task.startedAt ?? until) && parts !== "{}");
    const found = nearestOf(earlier, keyParts, ({ key_parts: parts }) => JSON.parse(parts) as KeyParts);
    if (found === undefined) return undefined;
    const { candidate, differences } = found;
    return { result: { runId: candidate.run_id, taskId: candidate.task_id, madeAt: candidate.made_at }, differences };
  };

  return {
    run,
    async reasonsOf(task) {
      const near = await nearest(task);
      for (const { part, before, now } of near?.differences ?? []) {
        if (part.startsWith("artifact ")) for (const id of [...idsIn(before), ...idsIn(now)]) await learnArtifact(id);
      }
      for (const id of sourcesOf(task, near)) await learnRun(id);
      const isWaiting = task.step === "pod" && !hasEnded(task.state) && task.state === "PENDING" && task.podName !== undefined;
      const pod = isWaiting ? await client.find(PODS, { namespace: row.namespace, name: task.podName }) : undefined;
      const facts: KnownFacts = { nearest: near, podState: pod === undefined ? undefined : podState(pod), nameOf, originOf: (id) => origins.get(id) };
      return explainTask(run, task, facts);
    },
  };
}

function sourcesOf({ why }: TaskRecord, near: NearestResult | undefined): readonly string[] {
  const own = why?.type === "shared" ? [why.result.runId] : why?.type === "missed" && "result" in why.miss ? [why.miss.result.runId] : [];
  return near === undefined ? own : [...own, near.result.runId];
}

/** Why a pod that exists does not run yet. */
function podState(pod: ObservedPod): string {
  const { name } = pod.metadata;
  const obstacle = obstacleOf(pod);
  if (obstacle !== undefined) return `its pod ${name} cannot start: ${obstacle}`;
  const unscheduled = pod.status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False");
  if (unscheduled !== undefined) {
    return `its pod ${name} waits for a node: ${unscheduled.message ?? unscheduled.reason ?? "the scheduler does not say why"}`;
  }
  const waiting = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].find(
    ({ state }) => state?.waiting !== undefined,
  );
  const { reason, message } = waiting?.state?.waiting ?? {};
  if (reason === undefined) return `its pod ${name} is starting`;
  return `its pod ${name} is starting: ${waiting?.name ?? ""} ${reason}${message === undefined ? "" : `: ${message}`}`;
}
