import { runParameters } from "../engine/parameter-type.ts";
import { hasMacros } from "../schedules/macros.ts";
import { checkTrigger } from "../schedules/check-trigger.ts";
import type { Trigger } from "../schedules/trigger.ts";
import { equals } from "../store/page.ts";
import type { RecurringRunRow } from "../store/tables.ts";
import type { Api, Call } from "./api.ts";
import { authorize, found, listJson, namespaceOf, type RouteContext, type RouteOptions } from "./context.ts";
import { DEFAULT_EXPERIMENT, newExperiment } from "./experiments.ts";
import { specJson } from "./json.ts";
import { listRequest } from "./list-options.ts";
import { invalid, Message } from "./message.ts";
import { LIST_QUERY, listMessage, PROPAGATION_POLICY, RECURRING_RUN, TRIGGER } from "./messages.ts";
import { recurringRunJson } from "./recurring-run-json.ts";
import { readRuntimeConfig, readSource } from "./runs.ts";
import { STRING } from "./schema.ts";

const FIELDS = {
  ...{ id: "id", recurring_run_id: "id", name: "name", display_name: "name", description: "description", status: "status" },
  ...{ created_at: "created_at", updated_at: "updated_at", namespace: "namespace", experiment_id: "experiment_id" },
  ...{ pipeline_id: "pipeline_id", pipeline_version_id: "version_id" },
};
const MAX_CONCURRENCY = 10;
const DEFAULT_HISTORY = 10;

/** `/recurringruns`. */
export function recurringRunRoutes(api: Api, options: RouteOptions): void {
  const { store, clock } = options;
  const load = async ({ context, param }: Call, verb: string): Promise<RecurringRunRow> => {
    const id = param("recurring_run_id");
    const row = found(await store.recurringRuns.find(id), "recurring run", id);
    await authorize(options, context, { verb, resource: "jobs", namespace: row.namespace, name: row.name });
    return row;
  };
  const tag = "RecurringRunService";
  const all = "/recurringruns";
  const path = `${all}/{recurring_run_id}`;

  api.add(
    {
      ...{ method: "post", path: all, id: "create_recurring_run", about: "Creates a schedule of runs.", tag },
      ...{ body: RECURRING_RUN, answer: RECURRING_RUN },
    },
    async (call) => {
      const row = await readRecurringRun(options, call.context, await call.body());
      const fallback = row.experiment_id === "" ? newExperiment(options, row.namespace, DEFAULT_EXPERIMENT) : undefined;
      return recurringRunJson(await store.recurringRuns.create(row, fallback));
    },
  );

  const query = { ...LIST_QUERY, namespace: STRING, experiment_id: STRING };
  const answer = listMessage("ListRecurringRunsResponse", "recurringRuns", RECURRING_RUN);
  api.add({ method: "get", path: all, id: "list_recurring_runs", about: "Lists schedules of runs.", tag, query, answer }, async (call) => {
    const experimentId = call.query("experiment_id");
    const experiment = experimentId === "" ? undefined : found(await store.experiments.find(experimentId), "experiment", experimentId);
    const namespace = experiment?.namespace ?? namespaceOf(call.query("namespace"));
    await authorize(options, call.context, { verb: "list", resource: "jobs", namespace });
    const scope = [equals("namespace", namespace), ...(experiment === undefined ? [] : [equals("experiment_id", experiment.id)])];
    const request = listRequest(call.query, FIELDS, scope);
    return listJson("recurringRuns", await store.recurringRuns.list(request.query), request, recurringRunJson);
  });

  api.add({ method: "get", path, id: "get_recurring_run", about: "Reads a schedule.", tag, answer: RECURRING_RUN }, async (call) =>
    recurringRunJson(await load(call, "get")),
  );

  api.add(
    {
      ...{ method: "delete", path, id: "delete_recurring_run", about: "Deletes a schedule; its runs stay.", tag },
      query: { propagation_policy: PROPAGATION_POLICY },
    },
    async (call) => {
      // Read, so that a wrong one is refused.
      call.query("propagation_policy");
      await store.recurringRuns.delete((await load(call, "delete")).id);
      return {};
    },
  );

  for (const [verb, status, about] of [
    ["enable", "ENABLED", "Has a schedule start runs again."],
    ["disable", "DISABLED", "Has a schedule start no more runs."],
  ] as const) {
    api.add({ method: "post", path: `${path}:${verb}`, id: `${verb}_recurring_run`, about, tag }, async (call) => {
      await store.recurringRuns.update((await load(call, verb)).id, { status, updated_at: clock.now() });
      return {};
    });
  }
}

/** The schedule that a message describes, checked whole: its pipeline, its parameters and its trigger must be right now. */
async function readRecurringRun(options: RouteOptions, context: RouteContext, body: Message): Promise<RecurringRunRow> {
  const { store, newId, clock, timeZone } = options;
  const experimentId = body.text("experiment_id");
  const experiment = experimentId === "" ? undefined : found(await store.experiments.find(experimentId), "experiment_id: experiment", experimentId);
  const namespace = experiment?.namespace ?? namespaceOf(body.text("namespace"));
  await authorize(options, context, { verb: "create", resource: "jobs", namespace });
  await authorize(options, context, { verb: "create", resource: "runs", namespace });
  const source = await readSource(options, context, body);
  const { json, parsed } = specJson(source.spec);
  const isGiven = source.versionId === "";
  const { parameters, pipelineRoot } = readRuntimeConfig(body);
  // What a macro becomes is known only when it is replaced.
  if (!hasMacros(JSON.stringify(parameters))) runParameters(parsed.pipelineSpec.root, parameters);
  const trigger = readTrigger(body);
  const now = clock.now();
  checkTrigger(trigger, now, timeZone);
  return {
    ...{ id: newId(), namespace, experiment_id: experimentId, name: body.required("display_name"), description: body.text("description") },
    ...{ service_account: body.text("service_account"), pipeline_id: source.pipelineId, version_id: isPinned(body) ? source.versionId : "" },
    ...{ spec: isGiven ? json : "", parameters: JSON.stringify(parameters), pipeline_root: pipelineRoot },
    ...{ plugins_input: JSON.stringify(body.object("plugins_input") ?? {}), trigger: JSON.stringify(trigger), error: "" },
    // Whatever does not say ENABLE is disabled, as upstream.
    ...{ status: body.text("mode") === "ENABLE" ? "ENABLED" : "DISABLED", no_catchup: body.value("no_catchup") === true ? 1 : 0 },
    ...{ max_concurrency: readConcurrency(body), max_history: DEFAULT_HISTORY, last_slot_at: 0, last_index: 0, created_at: now, updated_at: now },
  };
}

/** Whether a message names a version, and not just the pipeline whose latest is to run. */
function isPinned(body: Message): boolean {
  const reference = body.object("pipeline_version_reference") ?? {};
  const version = reference["pipeline_version_id"] ?? reference["pipelineVersionId"] ?? "";
  return body.text("pipeline_version_id") !== "" || version !== "";
}

function readTrigger(body: Message): Trigger {
  if (!body.has("trigger")) return {};
  const trigger = new Message(body.value("trigger"), "trigger", TRIGGER);
  const isCron = trigger.has("cron_schedule");
  if (isCron && trigger.has("periodic_schedule")) throw invalid("trigger", "has a cron_schedule and a periodic_schedule: give one of them");
  if (!isCron && !trigger.has("periodic_schedule")) return {};
  const name = isCron ? "cron_schedule" : "periodic_schedule";
  const schedule = new Message(trigger.value(name), trigger.at(name), ["start_time", "end_time", isCron ? "cron" : "interval_second"]);
  const bounds = { ...readTime(schedule, "start_time", "start"), ...readTime(schedule, "end_time", "end") };
  if (isCron) return { ...bounds, cron: schedule.required("cron") };
  const every = readInteger(schedule, "interval_second");
  if (every < 1) throw invalid(schedule.at("interval_second"), `must be at least 1, not ${every}`);
  return { ...bounds, every };
}

function readTime(message: Message, name: string, key: "start" | "end"): Partial<Record<"start" | "end", number>> {
  const text = message.text(name);
  if (text === "") return {};
  const time = /^\d{4}-\d\d-\d\d[Tt]/u.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw invalid(message.at(name), `${JSON.stringify(text)} is not a time such as 2026-01-31T09:00:00Z`);
  // As upstream's clients say that there is none.
  return time <= 0 ? {} : { [key]: Math.floor(time / 1000) * 1000 };
}

/** An int64, which JSON has as a string. */
function readInteger(message: Message, name: string): number {
  const value = message.value(name) ?? 0;
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isSafeInteger(number)) throw invalid(message.at(name), "must be a whole number");
  return number;
}

function readConcurrency(body: Message): number {
  const value = readInteger(body, "max_concurrency");
  if (value < 1 || value > MAX_CONCURRENCY) throw invalid("max_concurrency", `must be from 1 to ${MAX_CONCURRENCY}, not ${value}`);
  return value;
}
