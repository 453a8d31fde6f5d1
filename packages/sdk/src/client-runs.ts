import { ApiError, UserError } from "@sluice/kubernetes";
import { chunksOf, readEvents } from "./client-events.ts";
import { experimentIdOf, type ExperimentsClient } from "./client-experiments.ts";
import { filterOf, pageQuery, query, restOf, type Http, type Page, type Paged, type PageOptions } from "./client-http.ts";
import { isKept, type KeptPipeline } from "./client-recurring-runs.ts";
import type { PipelineSource } from "./client-spec.ts";
import { isFinished, type DebugPod, type Run, type RunChange, type RunTask, type TaskExplanation } from "./client-types.ts";
import type { JsonValue } from "./types.ts";

/** What to run, and with what. */
export interface SubmitOptions {
  readonly pipeline: PipelineSource | KeptPipeline;
  readonly name?: string;
  readonly description?: string;
  readonly parameters?: Readonly<Record<string, JsonValue>>;
  /** An experiment's name; it is created if there is none. */
  readonly experiment?: string;
  readonly pipelineRoot?: string;
  /** Overrides what a pipeline that is given says of every task. */
  readonly caching?: boolean;
  /** The ServiceAccount that its pods run as. */
  readonly serviceAccount?: string;
}

/** What a copy of a run has otherwise. */
export interface CloneOptions {
  readonly name?: string;
  /** Only those that are to be otherwise. */
  readonly parameters?: Readonly<Record<string, JsonValue>>;
  /** An experiment's name; it is created if there is none. */
  readonly experiment?: string;
}

/** A pipeline's results, or those that a run, or one of its tasks, made or shared. */
export type CacheScope = { readonly pipeline: string; readonly namespace?: string } | { readonly runId: string; readonly task?: string };

/** Which runs to list. */
export interface ListRunsOptions extends PageOptions {
  readonly experimentId?: string;
  /** Only runs whose names contain this, whatever its case. */
  readonly name?: string;
  readonly storage?: "AVAILABLE" | "ARCHIVED";
  /** `created_at desc` unless given. */
  readonly sortBy?: string;
}

/** What waiting calls take. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
}

/** The part of the client that is about runs. */
export interface RunsClient {
  submit(options: SubmitOptions): Promise<Run>;
  /** With its tasks. */
  getRun(runId: string): Promise<Run>;
  /** Newest first. */
  listRuns(options?: ListRunsOptions): Promise<Paged<"runs", Run>>;
  terminate(runId: string): Promise<void>;
  /** Starts again what failed in a run that is over; as an edited pipeline, if one is given. */
  retry(runId: string, options?: { readonly pipeline?: PipelineSource }): Promise<void>;
  /** Starts a run like another. */
  clone(runId: string, options?: CloneOptions): Promise<Run>;
  /** Why a task, by its id, path or name, stands as it does. */
  why(runId: string, task: string): Promise<TaskExplanation>;
  /** The same of all tasks that the run has reached. */
  whyAll(runId: string): Promise<readonly TaskExplanation[]>;
  /** A copy of a task's pod to debug it in, for the caller to create. */
  debugPod(runId: string, task: string, mode: "DEBUGGER" | "SHELL"): Promise<DebugPod>;
  /** Lets later runs make results anew; tells how many. */
  invalidateCache(scope: CacheScope): Promise<number>;
  archive(runId: string): Promise<void>;
  unarchive(runId: string): Promise<void>;
  /** Deletes a run with its pods and records, and by the installation's policy, unless it is said here, with its artifacts. */
  deleteRun(runId: string, options?: { readonly artifacts?: "delete" | "keep" }): Promise<void>;
  /** The run now and after every change, through one connection: returns when the run is over, throws when the connection breaks. */
  watch(runId: string, options?: WaitOptions): AsyncIterable<Pick<RunChange, "run" | "changed">>;
  /** The runs that are new, change their state or go away, through one connection: throws when the connection breaks. */
  watchRuns(options?: WaitOptions): AsyncIterable<Pick<Run, "run_id" | "state">>;
  /** The run now and after every change until it is over; a broken connection is made anew. */
  follow(runId: string, options?: WaitOptions): AsyncIterable<RunChange>;
  /** The log of a task, by its id or its pod's name, as it comes. */
  logs(runId: string, taskId: string, options?: WaitOptions & { readonly follow?: boolean }): AsyncIterable<string>;
}

/** How often in a row a stream that says nothing is opened again. */
const MAX_FAILURES = 5;

/** Runs of one server. */
export function runsClient({ server, request, get, post, remove }: Http, experiments: ExperimentsClient): RunsClient {
  const act = async (runId: string, verb: string): Promise<void> => {
    await post(`${runPath(runId)}:${verb}`, {});
  };

  async function* watch(runId: string, { signal }: WaitOptions = {}): AsyncGenerator<Pick<RunChange, "run" | "changed">> {
    const { body } = await request(`${runPath(runId)}:watch`, streaming(signal, "text/event-stream"));
    if (body !== null) {
      let spec: Pick<Run, "pipeline_spec"> = {};
      for await (const { event, data } of readEvents(body)) {
        if (event === "end") return;
        if (event !== "run") continue;
        const { run, tasks: changed = [] } = JSON.parse(data) as { run: Run; tasks?: RunTask[] };
        // Only the first event brings the pipeline.
        if (run.pipeline_spec !== undefined) spec = { pipeline_spec: run.pipeline_spec };
        yield { run: { ...run, ...spec }, changed };
      }
    }
    throw new UserError(`the connection to ${server} broke`, { fix: `look at the run again: sluice run watch ${runId}` });
  }

  async function* watchRuns({ signal }: WaitOptions = {}): AsyncGenerator<Pick<Run, "run_id" | "state">> {
    const { body } = await request("/runs:watch", streaming(signal, "text/event-stream"));
    if (body !== null) for await (const { event, data } of readEvents(body)) if (event === "run") yield JSON.parse(data) as Run;
    throw new UserError(`the connection to ${server} broke`);
  }

  async function* follow(runId: string, options: WaitOptions = {}): AsyncGenerator<RunChange> {
    const { signal } = options;
    const tasks = new Map<string, RunTask>();
    for (let failures = 0; ; failures++) {
      if (failures > 0) await pause(200 * 2 ** failures, signal);
      try {
        for await (const { run, changed } of watch(runId, options)) {
          for (const task of changed) tasks.set(task.task_id, task);
          failures = 0;
          yield { run, tasks, changed };
        }
        return;
      } catch (error) {
        if (signal?.aborted === true) return;
        if (error instanceof ApiError && error.code < 500) throw error;
        if (failures >= MAX_FAILURES - 1 || tasks.size === 0) throw error;
      }
    }
  }

  async function* logs(
    runId: string,
    taskId: string,
    { follow: live = false, signal }: WaitOptions & { follow?: boolean } = {},
  ): AsyncGenerator<string> {
    const path = `${runPath(runId)}/nodes/${encodeURIComponent(taskId)}/log${live ? "?follow=true" : ""}`;
    const decoder = new TextDecoder();
    try {
      const { body } = await request(path, streaming(signal, "text/plain"));
      if (body !== null) for await (const chunk of chunksOf(body)) yield decoder.decode(chunk, { stream: true });
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  return {
    async submit({ pipeline, name, description, parameters, experiment, pipelineRoot, caching, serviceAccount }) {
      const source = await sourceOf(pipeline, caching);
      const runtime = { ...(parameters === undefined ? {} : { parameters }), ...(pipelineRoot === undefined ? {} : { pipeline_root: pipelineRoot }) };
      return post<Run>("/runs", {
        ...source.body,
        display_name: name ?? source.name,
        description,
        runtime_config: runtime,
        experiment_id: await experimentIdOf(experiments, experiment),
        service_account: serviceAccount,
      });
    },
    getRun: (runId) => get<Run>(`${runPath(runId)}?view=FULL`),
    async listRuns({ experimentId: experiment, name = "", storage, sortBy = "created_at desc", ...page } = {}) {
      const filter = filterOf([
        { operation: "IS_SUBSTRING", key: "display_name", string_value: name === "" ? undefined : name },
        { operation: "EQUALS", key: "storage_state", string_value: storage },
      ]);
      const answer = await get<Page & { runs?: readonly Run[] }>(`/runs${pageQuery(page, { experiment_id: experiment, sort_by: sortBy, filter })}`);
      return { runs: answer.runs ?? [], ...restOf(answer) };
    },
    terminate: (runId) => act(runId, "terminate"),
    async retry(runId, { pipeline } = {}) {
      if (pipeline === undefined) return act(runId, "retry");
      const { pipelineSpecOf } = await import("./client-spec.ts");
      await post(`${runPath(runId)}:retry`, { pipeline_spec: pipelineSpecOf(pipeline) });
    },
    async clone(runId, { name, parameters, experiment } = {}) {
      return post<Run>(`${runPath(runId)}:clone`, {
        ...(name === undefined ? {} : { display_name: name }),
        ...(parameters === undefined ? {} : { parameters }),
        experiment_id: await experimentIdOf(experiments, experiment),
      });
    },
    why: (runId, task) => get<TaskExplanation>(`${runPath(runId)}/tasks/${encodeURIComponent(task)}:why`),
    async whyAll(runId) {
      return (await get<{ tasks?: readonly TaskExplanation[] }>(`${runPath(runId)}/tasks:why`)).tasks ?? [];
    },
    debugPod: (runId, task, mode) => get<DebugPod>(`${runPath(runId)}/tasks/${encodeURIComponent(task)}:debugPod?mode=${mode}`),
    async invalidateCache(scope) {
      const body = "pipeline" in scope ? scope : { run_id: scope.runId, task_id: scope.task ?? "" };
      return (await post<{ invalidated?: number }>("/cache:invalidate", body)).invalidated ?? 0;
    },
    archive: (runId) => act(runId, "archive"),
    unarchive: (runId) => act(runId, "unarchive"),
    async deleteRun(runId, { artifacts } = {}) {
      await remove(`${runPath(runId)}${query({ artifacts })}`);
    },
    watch,
    watchRuns,
    follow,
    logs,
  };
}

/** What a run is made from, as the API takes it, and what the run is called unless it is said. */
async function sourceOf(
  pipeline: PipelineSource | KeptPipeline,
  caching: boolean | undefined,
): Promise<{ readonly body: object; readonly name: string }> {
  if (isKept(pipeline)) {
    const { pipelineId, versionId } = pipeline;
    return { body: { pipeline_version_reference: { pipeline_id: pipelineId, pipeline_version_id: versionId } }, name: `run of ${pipelineId}` };
  }
  // The compiler is for those who submit: a page that only looks never loads it.
  const { pipelineNameOf, pipelineSpecOf, setCaching } = await import("./client-spec.ts");
  const spec = pipelineSpecOf(pipeline);
  if (caching !== undefined) setCaching(spec, caching);
  return { body: { pipeline_spec: spec }, name: pipelineNameOf(spec) };
}

function runPath(runId: string): string {
  return `/runs/${encodeURIComponent(runId)}`;
}

function streaming(signal: AbortSignal | undefined, accept: string): RequestInit {
  return { headers: { accept }, ...(signal === undefined ? {} : { signal }) };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** Follows a run to its end. */
export async function waitForRun(client: Pick<RunsClient, "follow" | "getRun">, runId: string, options: WaitOptions = {}): Promise<Run> {
  let last: Run | undefined;
  for await (const { run } of client.follow(runId, options)) last = run;
  return last !== undefined && isFinished(last) ? last : client.getRun(runId);
}
