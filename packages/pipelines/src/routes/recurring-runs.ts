import type { Routes } from "@sluice/component";
import { ApiError } from "@sluice/kubernetes";
import type { JsonValue } from "../domain/ir.ts";
import { runParameters } from "../engine/parameter-type.ts";
import { hasMacros } from "../schedules/macros.ts";
import { checkTrigger } from "../schedules/check-trigger.ts";
import type { Trigger } from "../schedules/trigger.ts";
import { equals } from "../store/page.ts";
import type { RecurringRunRow } from "../store/tables.ts";
import { authorize, found, listJson, namespaceOf, type RouteContext, type RouteOptions } from "./context.ts";
import { DEFAULT_EXPERIMENT, newExperiment } from "./experiments.ts";
import { specJson } from "./json.ts";
import { listRequest } from "./list-options.ts";
import { invalid, Message, readJson } from "./message.ts";
import { recurringRunJson } from "./recurring-run-json.ts";
import { readRuntimeConfig, readSource } from "./runs.ts";

const RECURRING_RUN = [
  ...["recurring_run_id", "display_name", "description", "pipeline_version_id", "pipeline_spec", "pipeline_version_reference"],
  ...["runtime_config", "service_account", "max_concurrency", "trigger", "mode", "created_at", "updated_at", "status", "error"],
  ...["no_catchup", "namespace", "experiment_id", "plugins_input"],
];
const FIELDS = {
  ...{ id: "id", recurring_run_id: "id", name: "name", display_name: "name", description: "description", status: "status" },
  ...{ created_at: "created_at", updated_at: "updated_at", namespace: "namespace", experiment_id: "experiment_id" },
  ...{ pipeline_id: "pipeline_id", pipeline_version_id: "version_id" },
};
/** By their protobuf numbers. */
const MODES = ["MODE_UNSPECIFIED", "ENABLE", "DISABLE"];
const PROPAGATION_POLICIES = ["DELETE_PROPAGATION_POLICY_UNSPECIFIED", "FOREGROUND", "BACKGROUND", "ORPHAN"];
const MAX_CONCURRENCY = 10;
const DEFAULT_HISTORY = 10;

/** `/recurringruns`. */
export function recurringRunRoutes(app: Routes, options: RouteOptions): void {
  const { store, clock } = options;
  const load = async (context: RouteContext, id: string, verb: string): Promise<RecurringRunRow> => {
    const row = found(await store.recurringRuns.find(id), "recurring run", id);
    await authorize(options, context, { verb, resource: "jobs", namespace: row.namespace, name: row.name });
    return row;
  };

  app.post("/recurringruns", async (context) => {
    const row = await readRecurringRun(options, context, new Message(await readJson(context), "", RECURRING_RUN));
    const fallback = row.experiment_id === "" ? newExperiment(options, row.namespace, DEFAULT_EXPERIMENT) : undefined;
    return context.json(recurringRunJson(await store.recurringRuns.create(row, fallback)));
  });

  app.get("/recurringruns", async (context) => {
    const experimentId = context.req.query("experiment_id") ?? "";
    const experiment = experimentId === "" ? undefined : found(await store.experiments.find(experimentId), "experiment", experimentId);
    const namespace = experiment?.namespace ?? namespaceOf(context.req.query("namespace"));
    await authorize(options, context, { verb: "list", resource: "jobs", namespace });
    const scope = [equals("namespace", namespace), ...(experiment === undefined ? [] : [equals("experiment_id", experiment.id)])];
    const request = listRequest((name) => context.req.query(name), FIELDS, scope);
    return context.json(listJson("recurringRuns", await store.recurringRuns.list(request.query), request, recurringRunJson));
  });

  app.get("/recurringruns/:id", async (context) => context.json(recurringRunJson(await load(context, context.req.param("id"), "get"))));

  app.delete("/recurringruns/:id", async (context) => {
    const policy = context.req.query("propagation_policy") ?? "";
    if (policy !== "" && !PROPAGATION_POLICIES.includes(policy) && !/^[0-3]$/u.test(policy)) {
      throw invalid("propagation_policy", `must be one of ${PROPAGATION_POLICIES.join(", ")}`);
    }
    await store.recurringRuns.delete((await load(context, context.req.param("id"), "delete")).id);
    return context.json({});
  });

  app.post("/recurringruns/:target", async (context) => {
    const [id = "", verb = ""] = context.req.param("target").split(":");
    if (verb !== "enable" && verb !== "disable") throw new ApiError("NotFound", `there is no ${context.req.method} ${context.req.path}`);
    await load(context, id, verb);
    await store.recurringRuns.update(id, { status: verb === "enable" ? "ENABLED" : "DISABLED", updated_at: clock.now() });
    return context.json({});
  });
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
    ...{ status: modeOf(body.value("mode")) === "ENABLE" ? "ENABLED" : "DISABLED", no_catchup: readFlag(body, "no_catchup") ? 1 : 0 },
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
  const trigger = new Message(body.value("trigger"), "trigger", ["cron_schedule", "periodic_schedule"]);
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
  return time <= 0 ? {} : { [key]: time };
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

function readFlag(body: Message, name: string): boolean {
  const value = body.value(name) ?? false;
  if (typeof value !== "boolean") throw invalid(body.at(name), "must be true or false");
  return value;
}

/** Whatever does not say ENABLE is disabled, as upstream. */
function modeOf(value: JsonValue | undefined): string {
  const mode = typeof value === "number" ? MODES[value] : (value ?? "MODE_UNSPECIFIED");
  if (typeof mode !== "string" || !MODES.includes(mode)) throw invalid("mode", `must be one of ${MODES.join(", ")}, not ${JSON.stringify(value)}`);
  return mode;
}
