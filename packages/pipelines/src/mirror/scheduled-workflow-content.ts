import { UserError } from "@sluice/kubernetes";
import { isJsonObject } from "../domain/executor-input.ts";
import { parsePipeline, parsePipelineObject, type ParsedPipeline } from "../domain/ir-parse.ts";
import type { JsonObject, JsonValue } from "../domain/ir.ts";
import type { Bounds, ScheduledWorkflow } from "../kinds/scheduled-workflow.ts";
import type { Trigger } from "../schedules/trigger.ts";
import type { RecurringRunRow } from "../store/tables.ts";

type Spec = ScheduledWorkflow["spec"];

/** What both a recurring run and its object say; the object may leave out where it belongs, and what it runs. */
export function contentOfRow(row: RecurringRunRow): JsonObject {
  return {
    ...{ enabled: row.status === "ENABLED", maxConcurrency: row.max_concurrency, noCatchup: row.no_catchup === 1, maxHistory: row.max_history },
    ...{ trigger: JSON.parse(row.trigger) as JsonObject, parameters: JSON.parse(row.parameters) as JsonObject, pipelineRoot: row.pipeline_root },
    ...{ experimentId: row.experiment_id, pipelineId: row.pipeline_id, pipelineVersionId: row.version_id, serviceAccount: row.service_account },
    ...{ spec: row.spec, pluginsInput: JSON.parse(row.plugins_input) as JsonObject },
  };
}

/** What an object says, and of what it leaves out, what its recurring run says; it names its pipeline by its id. */
export function contentOfObject({ spec }: ScheduledWorkflow, row: RecurringRunRow | undefined): JsonObject {
  const { pipelineId, versionId, text } = sourceOf(spec, row);
  return {
    ...{ enabled: spec.enabled ?? false, noCatchup: spec.noCatchup ?? false },
    ...{ maxConcurrency: within(spec.maxConcurrency ?? 1, 1, 10), maxHistory: within(spec.maxHistory ?? 10, 0, 100) },
    trigger: { ...triggerOf(spec) },
    parameters: parametersOf(spec),
    ...{ pipelineRoot: spec.workflow?.pipelineRoot ?? "", experimentId: spec.experimentId || (row?.experiment_id ?? "") },
    ...{ pipelineId, pipelineVersionId: versionId, serviceAccount: spec.serviceAccount ?? "" },
    ...{ spec: text, pluginsInput: spec.pluginsInput ?? {} },
  };
}

/** The columns of a recurring run that an object decides; throws `UserError` if its pipeline is none. */
export function columnsOfObject(object: ScheduledWorkflow, row: RecurringRunRow | undefined): Partial<RecurringRunRow> {
  const { spec } = object;
  const { pipelineId, versionId, text } = sourceOf(spec, row);
  if (pipelineId === "" && spec.workflow?.spec !== undefined && spec.workflow.spec !== null) parsedSpec(spec.workflow.spec);
  return {
    ...{ status: spec.enabled === true ? "ENABLED" : "DISABLED", no_catchup: spec.noCatchup === true ? 1 : 0 },
    ...{ max_concurrency: within(spec.maxConcurrency ?? 1, 1, 10), max_history: within(spec.maxHistory ?? 10, 0, 100) },
    ...{ trigger: JSON.stringify(triggerOf(spec)), parameters: JSON.stringify(parametersOf(spec)) },
    ...{ pipeline_root: spec.workflow?.pipelineRoot ?? "", service_account: spec.serviceAccount ?? "" },
    ...{ pipeline_id: pipelineId, version_id: versionId, spec: text, plugins_input: JSON.stringify(spec.pluginsInput ?? {}) },
  };
}

/** What a recurring run's object says. The pipeline itself stays with the recurring run. */
export function objectSpecOf(row: RecurringRunRow): Spec {
  const parameters = Object.entries(JSON.parse(row.parameters) as JsonObject).map(([name, value]) => ({ name, value: JSON.stringify(value) }));
  return {
    ...{ enabled: row.status === "ENABLED", maxConcurrency: row.max_concurrency, noCatchup: row.no_catchup === 1, maxHistory: row.max_history },
    trigger: objectTriggerOf(JSON.parse(row.trigger) as Trigger),
    workflow: { parameters, ...(row.pipeline_root === "" ? {} : { pipelineRoot: row.pipeline_root }) },
    experimentId: row.experiment_id,
    ...(row.pipeline_id === "" ? {} : { pipelineId: row.pipeline_id }),
    ...(row.version_id === "" ? {} : { pipelineVersionId: row.version_id }),
    ...(row.service_account === "" ? {} : { serviceAccount: row.service_account }),
    ...(row.plugins_input === "{}" ? {} : { pluginsInput: JSON.parse(row.plugins_input) as JsonObject }),
  };
}

/** The object as its recurring run wants it; what runs is for the object alone to change. */
export function withContentOf(object: ScheduledWorkflow, row: RecurringRunRow): ScheduledWorkflow {
  const { workflow, pipelineId: _id, pipelineVersionId: _version, ...spec } = objectSpecOf(row);
  const { pipelineId, pipelineVersionId, pipelineName, workflow: { spec: own } = {} } = object.spec;
  return {
    ...object,
    spec: {
      ...spec,
      ...(pipelineId === undefined ? {} : { pipelineId }),
      ...(pipelineVersionId === undefined ? {} : { pipelineVersionId }),
      ...(pipelineName === undefined ? {} : { pipelineName }),
      workflow: { ...workflow, ...(own === undefined ? {} : { spec: own }) },
    },
  };
}

/** A time as objects have it. */
export function objectTime(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/u, "Z");
}

/** What an object runs: a stored pipeline before one of its own, and what it runs already if it names neither. */
function sourceOf(
  { pipelineId = "", pipelineVersionId: versionId = "", ...spec }: Spec,
  row: RecurringRunRow | undefined,
): { readonly pipelineId: string; readonly versionId: string; readonly text: string } {
  if (pipelineId !== "") return { pipelineId, versionId, text: "" };
  const text = specText(spec);
  if (text !== undefined) return { pipelineId, versionId: "", text };
  return { pipelineId: row?.pipeline_id ?? "", versionId: row?.version_id ?? "", text: row?.spec ?? "" };
}

function triggerOf({ trigger: { cronSchedule, periodicSchedule } = {} }: Spec): Trigger {
  if (cronSchedule?.cron !== undefined && cronSchedule.cron !== "") return { cron: cronSchedule.cron, ...boundsOf(cronSchedule) };
  if (periodicSchedule === undefined) return {};
  return { every: periodicSchedule.intervalSecond ?? 1, ...boundsOf(periodicSchedule) };
}

function boundsOf({ startTime, endTime }: Bounds): Pick<Trigger, "start" | "end"> {
  return { ...(startTime ? { start: Date.parse(startTime) } : {}), ...(endTime ? { end: Date.parse(endTime) } : {}) };
}

function objectTriggerOf({ cron, every, start, end }: Trigger): NonNullable<Spec["trigger"]> {
  const bounds = { ...(start === undefined ? {} : { startTime: objectTime(start) }), ...(end === undefined ? {} : { endTime: objectTime(end) }) };
  if (cron !== undefined) return { cronSchedule: { cron, ...bounds } };
  return every === undefined ? {} : { periodicSchedule: { intervalSecond: every, ...bounds } };
}

/** Values are JSON, or else mean themselves. */
function parametersOf({ workflow }: Spec): JsonObject {
  return Object.fromEntries((workflow?.parameters ?? []).map(({ name, value = "" }) => [name, jsonOrText(value)]));
}

function jsonOrText(text: string): JsonValue {
  try {
    const value: JsonValue = JSON.parse(text);
    return value;
  } catch {
    return text; // As people write it by hand.
  }
}

/** An object's pipeline as recurring runs keep it; what is none stands for itself, to be refused. */
function specText({ workflow }: Spec): string | undefined {
  const spec = workflow?.spec;
  if (spec === undefined || spec === null) return undefined;
  try {
    const { pipelineSpec, platformSpec } = parsedSpec(spec);
    return JSON.stringify(platformSpec === undefined ? pipelineSpec : { pipeline_spec: pipelineSpec, platform_spec: platformSpec });
  } catch {
    return JSON.stringify(spec);
  }
}

function parsedSpec(spec: JsonValue): ParsedPipeline {
  try {
    return typeof spec === "string" ? parsePipeline(spec) : parsePipelineObject(isJsonObject(spec) ? spec : {});
  } catch (cause) {
    throw new UserError(`spec.workflow.spec is no pipeline: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function within(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
