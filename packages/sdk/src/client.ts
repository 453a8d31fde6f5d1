import { ApiError, STATUS_CODES, UserError, type StatusReason } from "@sluice/kubernetes";
import { chunksOf, readEvents } from "./client-events.ts";
import { recurringRunBody, type RecurringRun, type RecurringRunsClient } from "./client-recurring-runs.ts";
import type { PipelineSource } from "./client-spec.ts";
import {
  isFinished,
  type ArtifactFile,
  type ArtifactLineage,
  type DebugPod,
  type Experiment,
  type PipelineVersion,
  type Run,
  type RunArtifact,
  type RunChange,
  type RunTask,
  type StoredPipeline,
  type TaskExplanation,
} from "./client-types.ts";
import type { JsonValue } from "./types.ts";

export type * from "./client-recurring-runs.ts";
export * from "./client-types.ts";

/** Where the server is. */
export interface PipelinesClientOptions {
  /** E.g. `http://127.0.0.1:8080`; empty for the page's own server. */
  readonly host: string;
  readonly fetch?: typeof fetch;
}

/** What to run, and with what. */
export interface SubmitOptions {
  readonly pipeline: PipelineSource;
  readonly name?: string;
  readonly parameters?: Readonly<Record<string, JsonValue>>;
  /** An experiment's name; it is created if there is none. */
  readonly experiment?: string;
  readonly pipelineRoot?: string;
  /** Overrides what the pipeline says of every task. */
  readonly caching?: boolean;
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

/** A page of a list. */
export interface PageOptions {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** Which runs to list. */
export interface ListRunsOptions extends PageOptions {
  readonly experimentId?: string;
  /** Only runs whose names contain this, whatever its case. */
  readonly name?: string;
  readonly storage?: "AVAILABLE" | "ARCHIVED";
  /** `created_at desc` unless given. */
  readonly sortBy?: string;
}

/** One page of a list, and how many there are in all. */
export type Paged<Name extends string, Item> = { readonly [name in Name]: readonly Item[] } & {
  readonly total: number;
  readonly nextPageToken?: string;
};

/** What waiting calls take. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
}

/** The pipelines' REST API. What the server refuses is an `ApiError` with its message; not reaching it, a `UserError`. */
export interface PipelinesClient extends RecurringRunsClient {
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
  listArtifacts(options?: PageOptions & { readonly uri?: string }): Promise<Paged<"artifacts", RunArtifact>>;
  /** What an artifact was made from, or what was made from it, over as many tasks as `depth` says. */
  lineage(artifactId: string, options: { readonly direction: "UPSTREAM" | "DOWNSTREAM"; readonly depth?: number }): Promise<ArtifactLineage>;
  /** The bytes of an artifact, or of one file in it. */
  artifact(artifactId: string, options?: { readonly path?: string }): Promise<Response>;
  /** The files of an artifact that is a directory. */
  artifactFiles(artifactId: string): Promise<readonly ArtifactFile[]>;
  listExperiments(options?: PageOptions): Promise<Paged<"experiments", Experiment>>;
  getPipeline(pipelineId: string): Promise<StoredPipeline>;
  /** Newest first. */
  listPipelineVersions(pipelineId: string, options?: PageOptions): Promise<Paged<"versions", PipelineVersion>>;
  getPipelineVersion(pipelineId: string, versionId: string): Promise<PipelineVersion>;
}

const API = "/apis/v2beta1";
/** How often in a row a stream that says nothing is opened again. */
const MAX_FAILURES = 5;

/** A client of the pipelines' REST API, for Node and browsers. */
export function createPipelinesClient({ host, fetch: send = globalThis.fetch }: PipelinesClientOptions): PipelinesClient {
  const base = host.replace(/\/+$/u, "");
  const server = base === "" ? "this address" : base;

  const request = async (path: string, init: RequestInit = {}): Promise<Response> => {
    let response: Response;
    try {
      response = await send(`${base}${API}${path}`, init);
    } catch (cause) {
      if (init.signal?.aborted === true) throw cause;
      throw new UserError(`Sluice does not answer at ${server}`, { fix: "start it with `sluice up`", cause });
    }
    if (!response.ok) throw await refusal(response);
    return response;
  };
  const get = async <T>(path: string): Promise<T> => (await (await request(path)).json()) as T;
  const post = async <T>(path: string, body: unknown): Promise<T> => {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    return (await (await request(path, init)).json()) as T;
  };

  const act = async (runId: string, verb: string): Promise<void> => {
    await post(`${runPath(runId)}:${verb}`, {});
  };

  const experimentId = async (name: string): Promise<string> => {
    const filter = JSON.stringify({ predicates: [{ operation: "EQUALS", key: "display_name", string_value: name }] });
    const find = async (): Promise<string | undefined> =>
      (await get<{ experiments?: Experiment[] }>(`/experiments${query({ filter })}`)).experiments?.[0]?.experiment_id;
    const found = await find();
    if (found !== undefined) return found;
    try {
      return (await post<Experiment>("/experiments", { display_name: name })).experiment_id;
    } catch (error) {
      const made = error instanceof ApiError && error.code === 409 ? await find() : undefined;
      if (made === undefined) throw error;
      return made; // Somebody else made it in between.
    }
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
    async submit({ pipeline, name, parameters, experiment, pipelineRoot, caching }) {
      // The compiler is for those who submit: a page that only looks never loads it.
      const { pipelineNameOf, pipelineSpecOf, setCaching } = await import("./client-spec.ts");
      const spec = pipelineSpecOf(pipeline);
      if (caching !== undefined) setCaching(spec, caching);
      const runtime = { ...(parameters === undefined ? {} : { parameters }), ...(pipelineRoot === undefined ? {} : { pipeline_root: pipelineRoot }) };
      return post<Run>("/runs", {
        display_name: name ?? pipelineNameOf(spec),
        pipeline_spec: spec,
        runtime_config: runtime,
        ...(experiment === undefined ? {} : { experiment_id: await experimentId(experiment) }),
      });
    },
    getRun: (runId) => get<Run>(`${runPath(runId)}?view=FULL`),
    async listRuns({ experimentId: experiment, name = "", storage, sortBy = "created_at desc", ...page } = {}) {
      const predicates = [
        ...(name === "" ? [] : [{ operation: "IS_SUBSTRING", key: "display_name", string_value: name }]),
        ...(storage === undefined ? [] : [{ operation: "EQUALS", key: "storage_state", string_value: storage }]),
      ];
      const filter = predicates.length === 0 ? undefined : JSON.stringify({ predicates });
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
        ...(experiment === undefined ? {} : { experiment_id: await experimentId(experiment) }),
      });
    },
    why: (runId, task) => get<TaskExplanation>(`${runPath(runId)}/tasks/${encodeURIComponent(task)}:why`),
    debugPod: (runId, task, mode) => get<DebugPod>(`${runPath(runId)}/tasks/${encodeURIComponent(task)}:debugPod?mode=${mode}`),
    async whyAll(runId) {
      return (await get<{ tasks?: readonly TaskExplanation[] }>(`${runPath(runId)}/tasks:why`)).tasks ?? [];
    },
    async invalidateCache(scope) {
      const body = "pipeline" in scope ? scope : { run_id: scope.runId, task_id: scope.task ?? "" };
      return (await post<{ invalidated?: number }>("/cache:invalidate", body)).invalidated ?? 0;
    },
    archive: (runId) => act(runId, "archive"),
    unarchive: (runId) => act(runId, "unarchive"),
    async deleteRun(runId, { artifacts } = {}) {
      await request(`${runPath(runId)}${query({ artifacts })}`, { method: "DELETE" });
    },
    watch,
    watchRuns,
    follow,
    logs,
    async listArtifacts({ uri, ...page } = {}) {
      const filter = uri === undefined ? undefined : JSON.stringify({ predicates: [{ operation: "EQUALS", key: "uri", string_value: uri }] });
      const answer = await get<Page & { artifacts?: readonly RunArtifact[] }>(`/artifacts${pageQuery(page, { filter })}`);
      return { artifacts: answer.artifacts ?? [], ...restOf(answer) };
    },
    lineage: (artifactId, options) => get<ArtifactLineage>(`/artifacts/${encodeURIComponent(artifactId)}:lineage${query(options)}`),
    artifact: (artifactId, { path } = {}) => request(`/artifacts/${encodeURIComponent(artifactId)}:download${query({ path })}`),
    async artifactFiles(artifactId) {
      return (await get<{ files?: readonly ArtifactFile[] }>(`/artifacts/${encodeURIComponent(artifactId)}:files`)).files ?? [];
    },
    async listExperiments(page = {}) {
      const answer = await get<Page & { experiments?: readonly Experiment[] }>(`/experiments${pageQuery(page, { sort_by: "created_at desc" })}`);
      return { experiments: answer.experiments ?? [], ...restOf(answer) };
    },
    getPipeline: (pipelineId) => get<StoredPipeline>(`/pipelines/${encodeURIComponent(pipelineId)}`),
    async listPipelineVersions(pipelineId, page = {}) {
      const path = `/pipelines/${encodeURIComponent(pipelineId)}/versions${pageQuery(page, { sort_by: "created_at desc" })}`;
      const answer = await get<Page & { pipeline_versions?: readonly PipelineVersion[] }>(path);
      return { versions: answer.pipeline_versions ?? [], ...restOf(answer) };
    },
    async createRecurringRun(options) {
      const experiment = options.experiment === undefined ? undefined : await experimentId(options.experiment);
      return post<RecurringRun>("/recurringruns", await recurringRunBody(options, experiment));
    },
    getRecurringRun: (id) => get<RecurringRun>(`/recurringruns/${encodeURIComponent(id)}`),
    async listRecurringRuns(page = {}) {
      const path = `/recurringruns${pageQuery(page, { sort_by: "created_at desc" })}`;
      const answer = await get<Page & { recurringRuns?: readonly RecurringRun[] }>(path);
      return { recurringRuns: answer.recurringRuns ?? [], ...restOf(answer) };
    },
    async enableRecurringRun(id) {
      await post(`/recurringruns/${encodeURIComponent(id)}:enable`, {});
    },
    async disableRecurringRun(id) {
      await post(`/recurringruns/${encodeURIComponent(id)}:disable`, {});
    },
    async deleteRecurringRun(id) {
      await request(`/recurringruns/${encodeURIComponent(id)}`, { method: "DELETE" });
    },
    getPipelineVersion: (pipelineId, versionId) =>
      get<PipelineVersion>(`/pipelines/${encodeURIComponent(pipelineId)}/versions/${encodeURIComponent(versionId)}`),
  };
}

interface Page {
  readonly total_size?: number;
  readonly next_page_token?: string;
}

function restOf({ total_size: total = 0, next_page_token: next = "" }: Page): { total: number; nextPageToken?: string } {
  return { total, ...(next === "" ? {} : { nextPageToken: next }) };
}

function runPath(runId: string): string {
  return `/runs/${encodeURIComponent(runId)}`;
}

function pageQuery({ pageSize, pageToken }: PageOptions, more: Readonly<Record<string, string | undefined>> = {}): string {
  return query({ page_size: pageSize, page_token: pageToken, ...more });
}

function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]));
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
}

function streaming(signal: AbortSignal | undefined, accept: string): RequestInit {
  return { headers: { accept }, ...(signal === undefined ? {} : { signal }) };
}

/** What the server said, whichever of its formats it said it in. */
async function refusal(response: Response): Promise<ApiError> {
  const text = await response.text();
  const message = messageOf(text) ?? `the server answered ${response.status} ${response.statusText}`.trim();
  const reasons = Object.entries(STATUS_CODES) as [StatusReason, number][];
  const reason = reasons.find(([, code]) => code === response.status)?.[0] ?? (response.status < 500 ? "BadRequest" : "InternalError");
  return new ApiError(reason, message, { code: response.status });
}

function messageOf(text: string): string | undefined {
  try {
    const body = JSON.parse(text) as { message?: unknown; error?: unknown; error_message?: unknown } | null;
    return [body?.message, body?.error_message, body?.error].find((value) => typeof value === "string" && value !== "") as string | undefined;
  } catch {
    return text.trim() === "" || text.trimStart().startsWith("<") ? undefined : text.trim().slice(0, 500); // Not JSON: the text itself.
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** Follows a run to its end. */
export async function waitForRun(client: PipelinesClient, runId: string, options: WaitOptions = {}): Promise<Run> {
  let last: Run | undefined;
  for await (const { run } of client.follow(runId, options)) last = run;
  return last !== undefined && isFinished(last) ? last : client.getRun(runId);
}
