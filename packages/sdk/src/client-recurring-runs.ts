import { experimentIdOf, type ExperimentsClient } from "./client-experiments.ts";
import { pageQuery, restOf, type Http, type Page, type Paged, type PageOptions } from "./client-http.ts";
import type { PipelineSource } from "./client-spec.ts";
import type { Run } from "./client-types.ts";
import type { JsonValue } from "./types.ts";

/** A schedule of runs as the REST API shows it; empty fields are absent, times are RFC 3339, large numbers are text. */
export interface RecurringRun {
  readonly recurring_run_id: string;
  readonly display_name: string;
  readonly description?: string;
  readonly experiment_id?: string;
  readonly namespace?: string;
  readonly status?: "ENABLED" | "DISABLED";
  readonly max_concurrency?: string;
  readonly no_catchup?: boolean;
  readonly trigger?: {
    readonly cron_schedule?: { readonly cron?: string; readonly start_time?: string; readonly end_time?: string };
    readonly periodic_schedule?: { readonly interval_second?: string; readonly start_time?: string; readonly end_time?: string };
  };
  readonly pipeline_version_reference?: Run["pipeline_version_reference"];
  readonly pipeline_spec?: Run["pipeline_spec"];
  readonly runtime_config?: Run["runtime_config"];
  readonly created_at?: string;
  readonly updated_at?: string;
  /** Why the last time that was due had no run. */
  readonly error?: { readonly code?: number; readonly message?: string };
}

/** A pipeline that the server keeps, by its id; its latest version unless one is named. */
export interface KeptPipeline {
  readonly pipelineId: string;
  readonly versionId?: string;
}

/** When runs start: by a cron expression, every so many seconds, or, with neither, once and at once. */
export interface RecurringRunOptions {
  readonly name: string;
  /** A pipeline, or one that the server keeps: without a version's id, its latest at the time of each run. */
  readonly pipeline: PipelineSource | KeptPipeline;
  readonly cron?: string;
  readonly everySeconds?: number;
  readonly start?: Date;
  readonly end?: Date;
  /** May hold macros such as `[[ScheduledTime]]`. */
  readonly parameters?: Readonly<Record<string, JsonValue>>;
  /** An experiment's name; it is created if there is none. */
  readonly experiment?: string;
  /** How many of its runs may go on at once; 1 unless given. */
  readonly maxConcurrency?: number;
  /** Whether times that were missed are made up for one by one; they are, unless this is false. */
  readonly catchUp?: boolean;
  readonly enabled?: boolean;
}

/** The part of the client that is about schedules. */
export interface RecurringRunsClient {
  createRecurringRun(options: RecurringRunOptions): Promise<RecurringRun>;
  getRecurringRun(id: string): Promise<RecurringRun>;
  /** Newest first. */
  listRecurringRuns(page?: PageOptions & { readonly experimentId?: string }): Promise<Paged<"recurringRuns", RecurringRun>>;
  enableRecurringRun(id: string): Promise<void>;
  disableRecurringRun(id: string): Promise<void>;
  /** Deletes a schedule; its runs stay. */
  deleteRecurringRun(id: string): Promise<void>;
}

/** Schedules of one server. */
export function recurringRunsClient({ get, post, remove }: Http, experiments: ExperimentsClient): RecurringRunsClient {
  const pathOf = (id: string): string => `/recurringruns/${encodeURIComponent(id)}`;
  return {
    async createRecurringRun(options) {
      return post<RecurringRun>("/recurringruns", await recurringRunBody(options, await experimentIdOf(experiments, options.experiment)));
    },
    getRecurringRun: (id) => get<RecurringRun>(pathOf(id)),
    async listRecurringRuns(page = {}) {
      const path = `/recurringruns${pageQuery(page, { experiment_id: page.experimentId, sort_by: "created_at desc" })}`;
      const answer = await get<Page & { recurringRuns?: readonly RecurringRun[] }>(path);
      return { recurringRuns: answer.recurringRuns ?? [], ...restOf(answer) };
    },
    async enableRecurringRun(id) {
      await post(`${pathOf(id)}:enable`, {});
    },
    async disableRecurringRun(id) {
      await post(`${pathOf(id)}:disable`, {});
    },
    deleteRecurringRun: (id) => remove(pathOf(id)),
  };
}

/** What a schedule is as a request. */
async function recurringRunBody(options: RecurringRunOptions, experimentId: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  const { name, cron, everySeconds, start, end, parameters, maxConcurrency = 1, catchUp = true, enabled = true } = options;
  const bounds = { start_time: start?.toISOString(), end_time: end?.toISOString() };
  const trigger = {
    ...(cron === undefined ? {} : { cron_schedule: { cron, ...bounds } }),
    ...(everySeconds === undefined ? {} : { periodic_schedule: { interval_second: String(everySeconds), ...bounds } }),
  };
  return {
    ...{ display_name: name, experiment_id: experimentId, ...(await sourceOf(options.pipeline)), trigger },
    runtime_config: parameters === undefined ? undefined : { parameters },
    ...{ max_concurrency: String(maxConcurrency), no_catchup: !catchUp, mode: enabled ? "ENABLE" : "DISABLE" },
  };
}

async function sourceOf(pipeline: PipelineSource | KeptPipeline): Promise<Readonly<Record<string, unknown>>> {
  if (isKept(pipeline)) return { pipeline_version_reference: { pipeline_id: pipeline.pipelineId, pipeline_version_id: pipeline.versionId } };
  // The compiler is for those who submit: a page that only looks never loads it.
  const { pipelineSpecOf } = await import("./client-spec.ts");
  return { pipeline_spec: pipelineSpecOf(pipeline) };
}

/** Whether a pipeline is named rather than given. */
export function isKept(pipeline: PipelineSource | KeptPipeline): pipeline is KeptPipeline {
  return typeof pipeline === "object" && "pipelineId" in pipeline;
}
