import type { Clock } from "@sluice/controller";
import { ApiError, apiVersionOf, jsonEqual, UserError } from "@sluice/kubernetes";
import type { JsonObject } from "../domain/ir.ts";
import { parsePipelineObject } from "../domain/ir-parse.ts";
import { runParameters } from "../engine/parameter-type.ts";
import { ENABLED_LABEL, RECURRING_RUN_ID_LABEL, SCHEDULED_WORKFLOWS, STATUS_LABEL, type ScheduledWorkflow } from "../kinds/scheduled-workflow.ts";
import { DEFAULT_EXPERIMENT, newExperiment } from "../routes/experiments.ts";
import { EVERY_RUN } from "../runner/run-notices.ts";
import type { Runner } from "../runner/runner.ts";
import { checkTrigger } from "../schedules/check-trigger.ts";
import { hasMacros } from "../schedules/macros.ts";
import type { Trigger } from "../schedules/trigger.ts";
import type { Store } from "../store/store.ts";
import type { RecurringRunRow } from "../store/tables.ts";
import type { MirrorKind } from "./mirror-kind.ts";
import { objectNames } from "./object-names.ts";
import { columnsOfObject, contentOfObject, contentOfRow, objectSpecOf, withContentOf } from "./scheduled-workflow-content.ts";
import { isRefused, scheduledWorkflowStatus } from "./scheduled-workflow-status.ts";

/** What the mirror of recurring runs works with. */
export interface ScheduledWorkflowMirrorOptions {
  readonly store: Store;
  readonly runner: Pick<Runner, "subscribe">;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly timeZone: string;
}

/** Recurring runs and their objects. An object names only what is in its own namespace: nobody asks who wrote it. */
export function scheduledWorkflowMirror(options: ScheduledWorkflowMirrorOptions): MirrorKind<ScheduledWorkflow, RecurringRunRow> {
  const { store, runner, clock, timeZone } = options;
  const { recurringRuns, experiments, pipelines, versions } = store;

  /** The object with the id of the pipeline that it names. */
  const byId = async (object: ScheduledWorkflow): Promise<ScheduledWorkflow> => {
    const { pipelineId = "", pipelineName = "" } = object.spec;
    if (pipelineId !== "" || pipelineName === "") return object;
    const pipeline = await pipelines.findByName(object.metadata.namespace ?? "", pipelineName);
    return pipeline === undefined ? object : { ...object, spec: { ...object.spec, pipelineId: pipeline.id } };
  };

  /** The columns that an object decides, if all it names is there. */
  const read = async (object: ScheduledWorkflow, row: RecurringRunRow | undefined): Promise<Partial<RecurringRunRow>> => {
    const { namespace = "" } = object.metadata;
    const { experimentId = "", pipelineName = "" } = object.spec;
    const columns = columnsOfObject(await byId(object), row);
    if (experimentId !== "" && (await experiments.find(experimentId))?.namespace !== namespace) {
      throw new ApiError("NotFound", `spec.experimentId: there is no experiment ${experimentId} in namespace ${namespace}`);
    }
    const pipelineId = columns.pipeline_id ?? "";
    checkTrigger(JSON.parse(columns.trigger ?? "{}") as Trigger, clock.now(), timeZone);
    let spec = columns.spec ?? "";
    if (pipelineId !== "") {
      if ((await pipelines.find(pipelineId))?.namespace !== namespace) {
        throw new ApiError("NotFound", `spec.pipelineId: there is no pipeline ${pipelineId} in namespace ${namespace}`);
      }
      const id = columns.version_id ?? "";
      const version = await (id === "" ? versions.findLatest(pipelineId) : versions.find(pipelineId, id));
      if (version === undefined)
        throw new ApiError("NotFound", id === "" ? `pipeline ${pipelineId} has no version` : `pipeline version ${id} not found`);
      ({ spec } = version);
    }
    if (spec === "" && pipelineName !== "") throw new ApiError("NotFound", `spec.pipelineName: there is no Pipeline ${JSON.stringify(pipelineName)}`);
    if (spec === "") throw new UserError("the spec names no pipeline: give pipelineId, pipelineName or workflow.spec");
    const parameters = columns.parameters ?? "{}";
    if (!hasMacros(parameters)) runParameters(parsePipelineObject(JSON.parse(spec)).pipelineSpec.root, JSON.parse(parameters) as JsonObject);
    return {
      ...columns,
      ...(pipelineId === "" ? {} : { pipeline_id: pipelineId, spec: "" }),
      ...(experimentId === "" ? {} : { experiment_id: experimentId }),
    };
  };

  return {
    ...{ kind: "RecurringRun", resource: SCHEDULED_WORKFLOWS, idLabel: RECURRING_RUN_ID_LABEL, contentOf: contentOfRow },
    contentIn: async (object, row) => contentOfObject(await byId(object), row),
    find: (id) => recurringRuns.find(id),
    placeOf: (row) => Promise.resolve({ namespace: row.namespace, names: objectNames(row.name, row.id).slice(1) }),
    manifest: (row, { name }) =>
      Promise.resolve({
        apiVersion: apiVersionOf(SCHEDULED_WORKFLOWS),
        kind: SCHEDULED_WORKFLOWS.kind,
        metadata: { name, namespace: row.namespace, labels: { [RECURRING_RUN_ID_LABEL]: row.id } },
        spec: objectSpecOf(row),
      }),
    withContent: withContentOf,
    async importObject(object, link) {
      const { name, namespace = "", creationTimestamp = "" } = object.metadata;
      const columns = await read(object, undefined);
      const created = Date.parse(creationTimestamp);
      const row: RecurringRunRow = {
        ...{ id: link.row_id, namespace, experiment_id: "", name, description: "", service_account: "", pipeline_id: "", version_id: "" },
        ...{ spec: "", parameters: "{}", pipeline_root: "", plugins_input: "{}", trigger: "{}", status: "DISABLED", error: "" },
        ...{ max_concurrency: 1, max_history: 10, no_catchup: 0, created_at: created, updated_at: created, last_slot_at: 0, last_index: 0 },
        ...columns,
      };
      const fallback = row.experiment_id === "" ? newExperiment(options, namespace, DEFAULT_EXPERIMENT) : undefined;
      await recurringRuns.create(row, fallback, { link });
    },
    change: async (row, object) => recurringRuns.update(row.id, { ...(await read(object, row)), updated_at: clock.now() }),
    remove: (row) => recurringRuns.delete(row.id),
    async show(object, { row, problem, client }) {
      const history = row === undefined ? { active: [], completed: [] } : await recurringRuns.history(row.id, row.max_history);
      const status = scheduledWorkflowStatus({ row, problem, ...history, now: clock.now(), timeZone });
      const [{ type } = { type: "Error" }] = status.conditions ?? [];
      const labels = { [ENABLED_LABEL]: String(object.spec.enabled ?? false), [STATUS_LABEL]: type };
      const isLabelled = Object.entries(labels).every(([label, value]) => object.metadata.labels?.[label] === value);
      if (!isLabelled) await client.patch(SCHEDULED_WORKFLOWS, object.metadata, { type: "merge", body: { metadata: { labels } } });
      if (jsonEqual(object.status, status)) return;
      // A merge would keep what no longer holds.
      const body = [{ op: "add", path: "/status", value: status }];
      await client.patch(SCHEDULED_WORKFLOWS, object.metadata, { type: "json", body, subresource: "status" });
    },
    follow({ cache, enqueue }, look) {
      const stops = [
        runner.subscribe(EVERY_RUN, ({ row, isOver }) => {
          if (isOver && row.recurring_run_id !== "") look(row.recurring_run_id);
        }),
        // What an object lacked may be there now.
        store.changes.subscribe(({ kind }) => {
          if (kind === "RecurringRun") return;
          for (const { metadata, status } of cache.list(SCHEDULED_WORKFLOWS)) if (isRefused(status)) enqueue(metadata);
        }),
      ];
      return () => stops.forEach((stop) => stop());
    },
  };
}
