import { ApiError, STATUS_CODES, UserError, type StatusReason } from "@sluice/kubernetes";
import { chunksOf, readEvents } from "./client-events.ts";
import { pipelineNameOf, pipelineSpecOf, setCaching, type PipelineSource } from "./client-spec.ts";
import { isFinished, type Experiment, type Run, type RunArtifact, type RunChange, type RunTask } from "./client-types.ts";
import type { JsonValue } from "./types.ts";

export * from "./client-types.ts";
export { isPipeline, pipelineSpecOf, type PipelineSource } from "./client-spec.ts";

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

/** A page of a list. */
export interface PageOptions {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** Which runs to list. */
export interface ListRunsOptions extends PageOptions {
  readonly experimentId?: string;
  /** `created_at desc` unless given. */
  readonly sortBy?: string;
}

/** What waiting calls take. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
}

/** The pipelines' REST API. What the server refuses is an `ApiError` with its message; not reaching it, a `UserError`. */
export interface PipelinesClient {
  submit(options: SubmitOptions): Promise<Run>;
  /** With its tasks. */
  getRun(runId: string): Promise<Run>;
  /** Newest first. */
  listRuns(options?: ListRunsOptions): Promise<{ readonly runs: readonly Run[]; readonly total: number; readonly nextPageToken?: string }>;
  terminate(runId: string): Promise<void>;
  /** The run now and after every change until it is over; a broken connection is made anew. */
  follow(runId: string, options?: WaitOptions): AsyncIterable<RunChange>;
  /** The log of a task, by its id or its pod's name, as it comes. */
  logs(runId: string, taskId: string, options?: WaitOptions & { readonly follow?: boolean }): AsyncIterable<string>;
  listArtifacts(options?: PageOptions): Promise<{ readonly artifacts: readonly RunArtifact[]; readonly total: number; readonly nextPageToken?: string }>;
  /** The bytes of an artifact, or of one file in it. */
  artifact(artifactId: string, options?: { readonly path?: string }): Promise<Response>;
}

const API = "/apis/v2beta1";
/** How often in a row a stream that says nothing is opened again. */
const MAX_FAILURES = 5;

/** A client of the pipelines' REST API, for Node and browsers. */
export function createPipelinesClient({ host, fetch: send = globalThis.fetch }: PipelinesClientOptions): PipelinesClient {
  const base = host.replace(/\/+$/u, "");

  const request = async (path: string, init: RequestInit = {}): Promise<Response> => {
    let response: Response;
    try {
      response = await send(`${base}${API}${path}`, init);
    } catch (cause) {
      if (init.signal?.aborted === true) throw cause;
      throw new UserError(`Sluice does not answer at ${base === "" ? "this address" : base}`, { fix: "start it with `sluice up`", cause });
    }
    if (!response.ok) throw await refusal(response);
    return response;
  };
  const get = async <T>(path: string): Promise<T> => (await (await request(path)).json()) as T;
  const post = async <T>(path: string, body: unknown): Promise<T> => {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    return (await (await request(path, init)).json()) as T;
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

  async function* follow(runId: string, { signal }: WaitOptions = {}): AsyncGenerator<RunChange> {
    const tasks = new Map<string, RunTask>();
    for (let failures = 0; failures < MAX_FAILURES; failures++) {
      if (failures > 0) await pause(200 * 2 ** failures, signal);
      try {
        const { body } = await request(`/runs/${encodeURIComponent(runId)}:watch`, streaming(signal, "text/event-stream"));
        if (body === null) continue;
        for await (const { event, data } of readEvents(body)) {
          if (event === "end") return;
          if (event !== "run") continue;
          const { run, tasks: changed = [] } = JSON.parse(data) as { run: Run; tasks?: RunTask[] };
          for (const task of changed) tasks.set(task.task_id, task);
          failures = 0;
          yield { run, tasks, changed };
        }
      } catch (error) {
        if (signal?.aborted === true) return;
        if (error instanceof ApiError && error.code < 500) throw error;
        if (failures === MAX_FAILURES - 1 || tasks.size === 0) throw error;
      }
    }
    throw new UserError(`the connection to ${base} breaks again and again`, { fix: `look at the run later: sluice run watch ${runId}` });
  }

  async function* logs(runId: string, taskId: string, { follow: live = false, signal }: WaitOptions & { follow?: boolean } = {}): AsyncGenerator<string> {
    const path = `/runs/${encodeURIComponent(runId)}/nodes/${encodeURIComponent(taskId)}/log${live ? "?follow=true" : ""}`;
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
    getRun: (runId) => get<Run>(`/runs/${encodeURIComponent(runId)}?view=FULL`),
    async listRuns({ pageSize, pageToken, experimentId: experiment, sortBy = "created_at desc" } = {}) {
      const options = { page_size: pageSize, page_token: pageToken, experiment_id: experiment, sort_by: sortBy };
      const page = await get<Page & { runs?: readonly Run[] }>(`/runs${query(options)}`);
      return { runs: page.runs ?? [], ...restOf(page) };
    },
    async terminate(runId) {
      await post(`/runs/${encodeURIComponent(runId)}:terminate`, {});
    },
    follow,
    logs,
    async listArtifacts({ pageSize, pageToken } = {}) {
      const options = { page_size: pageSize, page_token: pageToken };
      const page = await get<Page & { artifacts?: readonly RunArtifact[] }>(`/artifacts${query(options)}`);
      return { artifacts: page.artifacts ?? [], ...restOf(page) };
    },
    artifact: (artifactId, { path } = {}) => request(`/artifacts/${encodeURIComponent(artifactId)}:download${query({ path })}`),
  };
}

interface Page {
  readonly total_size?: number;
  readonly next_page_token?: string;
}

function restOf({ total_size: total = 0, next_page_token: next = "" }: Page): { total: number; nextPageToken?: string } {
  return { total, ...(next === "" ? {} : { nextPageToken: next }) };
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
