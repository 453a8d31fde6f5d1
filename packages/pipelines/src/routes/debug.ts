import { ApiError, UserError } from "@sluice/kubernetes";
import { claimNameOf, type DebugPod, debugPodOf, hasEnded, type PodManifest, restoreRun, type TaskRecord } from "../engine/index.ts";
import { workspaceClaimName } from "../engine/volume-claim.ts";
import { CLAIMS } from "../runner/kinds.ts";
import { isFinal, progressOf, runInfoOf } from "../runner/run-record.ts";
import type { RunRow } from "../store/tables.ts";
import type { Api } from "./api.ts";
import type { RouteContext, RouteOptions } from "./context.ts";
import { DEBUG_MODE, DEBUG_POD } from "./messages.ts";
import { loadRun } from "./runs.ts";
import { tasksNamed } from "./why.ts";
import { compact } from "./wire.ts";

/** Where debuggers listen: beside what containers usually do, and each session elsewhere, for pods may share a network. */
const PORTS = { from: 20_000, count: 10_000 } as const;

/** `/runs/{run}/tasks/{task}:debugPod`: a copy of the pod of a task to create and debug in; of a cached one, of the task whose result it shares. */
export function debugRoutes(api: Api, options: RouteOptions): void {
  api.add(
    {
      ...{ method: "get", path: "/runs/{run_id}/tasks/{task_id}:debugPod", id: "get_debug_pod", tag: "RunService", answer: DEBUG_POD },
      about: "Gives a pod like a task's, to create and to debug the task in.",
      query: { mode: { ...DEBUG_MODE, about: "DEBUGGER unless said otherwise" } },
    },
    async (call) => {
      const { context } = call;
      const asked = await loadRun(options, context, call.param("run_id"), "get");
      const { row, task, notes } = await ranTask(options, context, asked, await taskOf(options, asked, call.param("task_id")));
      const { pod, hasLostWorkspace } = await availablePod(options, row, task);
      if (hasLostWorkspace) notes.push("the run is over, and its workspace with it: the pod has an empty one");
      const id = options.newId();
      const debugged = debugPodOf(pod, {
        ...{ name: podName(task, id), runId: row.id, taskId: task.id, hasLostWorkspace },
        port: PORTS.from + (Number.parseInt(id.replaceAll("-", "").slice(0, 8), 16) % PORTS.count),
        isShell: call.query("mode") === "SHELL",
      });
      return context.json(debugPodJson(row, task, { ...debugged, notes }));
    },
  );
}

function debugPodJson(row: RunRow, task: TaskRecord, { pod, debugger: target, commandLine, notes }: DebugPod & { readonly notes: string[] }): object {
  const where = target.kind === "shell" ? { script: target.script } : { port: target.port, stops_in: target.stopsIn };
  return {
    ...{ run_id: row.id, task_id: task.id, name: task.displayName, pod: pod, debugger: compact({ kind: target.kind, ...where }) },
    ...{ command_line: commandLine, notes },
  };
}

async function taskOf({ store }: RouteOptions, row: RunRow, wanted: string): Promise<TaskRecord> {
  const run = restoreRun(runInfoOf(row), progressOf(row), await store.tasks.ofRun(row.id));
  const [task, ...others] = tasksNamed(run, wanted);
  const known = others.length > 0 ? [task, ...others] : [...run.tasks.values()].filter(({ kind }) => kind === "RUNTIME");
  const names = known.map((each) => each?.path.replace(/^root\./u, "") ?? "").join(", ");
  if (task === undefined) throw new ApiError("NotFound", `run ${row.id} has no task ${JSON.stringify(wanted)}: it has ${names || "none yet"}`);
  if (others.length > 0) throw new ApiError("BadRequest", `run ${row.id} has several tasks ${JSON.stringify(wanted)}: name one of ${names}`);
  return task;
}

interface RanTask {
  readonly row: RunRow;
  readonly task: TaskRecord;
  readonly notes: string[];
}

/** The task that really ran: of a shared result, the one that made it. */
async function ranTask(options: RouteOptions, context: RouteContext, row: RunRow, task: TaskRecord): Promise<RanTask> {
  const name = `task ${JSON.stringify(task.displayName)}`;
  const refuse = (why: string, fix?: string): UserError => new UserError(`${name} ${why}`, fix === undefined ? {} : { fix });
  if (task.kind === "IMPORTER") throw refuse("is an importer: it records an artifact, and no code runs for it");
  if (task.kind !== "RUNTIME") throw refuse("contains tasks and runs no code itself", "name one of its tasks");
  if (task.state === "CACHED" && task.why?.type === "shared") {
    const { runId, taskId } = task.why.result;
    const maker = await options.store.runs.find(runId);
    const made = maker === undefined ? undefined : await options.store.tasks.find(runId, taskId);
    if (maker === undefined || made === undefined)
      throw refuse(`took the result of run ${runId}, which was deleted since`, "run it again: sluice run submit … --no-cache");
    await loadRun(options, context, runId, "get");
    return { row: maker, task: made, notes: [`it took its result from run ${maker.name} (${runId}): that task is debugged`] };
  }
  if (task.podName !== undefined) return { row, task, notes: [] };
  if (task.step === "claim" || task.state === "SUCCEEDED") throw refuse("makes or deletes a volume claim: no code runs for it");
  throw hasEnded(task.state)
    ? refuse(`is ${task.state} and never ran: ${task.message ?? "no pod was made for it"}`)
    : refuse("has not begun", "ask again once it runs");
}

/** A task's pod, and whether what it needs is still there. */
async function availablePod(
  { runner, client, objects }: RouteOptions,
  row: RunRow,
  task: TaskRecord,
): Promise<{ readonly pod: PodManifest; readonly hasLostWorkspace: boolean }> {
  const pod = await runner.podOf(row, task);
  const claims = pod.spec.volumes.map(claimNameOf).filter((claim) => claim !== undefined);
  const workspace = workspaceClaimName(row.id);
  for (const name of claims.filter((claim) => claim !== workspace)) {
    if ((await client.find(CLAIMS, { namespace: row.namespace, name })) === undefined)
      throw new UserError(`task ${JSON.stringify(task.displayName)} had the volume claim ${name}, which is gone`, { fix: "run the pipeline again" });
  }
  for (const { uri, digest, store: query } of Object.values(task.inputs.artifacts).flat()) {
    if (digest === undefined || (await isStored(objects.of(row.namespace, { query, withWeb: true }), uri))) continue;
    throw new UserError(`its input ${uri} is gone: task ${JSON.stringify(task.displayName)} cannot be given it again`, {
      fix: "run the pipeline again",
    });
  }
  return { pod, hasLostWorkspace: claims.includes(workspace) && isFinal(progressOf(row).phase) };
}

async function isStored(objects: ReturnType<RouteOptions["objects"]["of"]>, uri: string): Promise<boolean> {
  if ((await objects.stat(uri)) !== undefined) return true;
  for await (const _ of objects.list(uri)) return true;
  return false;
}

/** Two sessions never share a name. */
function podName({ name }: TaskRecord, id: string): string {
  const plain = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/gu, "-")
    .slice(0, 40)
    .replaceAll(/^-|-$/gu, "");
  return `debug-${plain === "" ? "step" : plain}-${id.slice(0, 8)}`;
}
