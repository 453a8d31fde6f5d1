import type { JsonObject } from "../domain/ir.ts";
import { derivedUuid, type EngineContext } from "../engine/index.ts";
import { runParameters } from "../engine/parameter-type.ts";
import { parsePipelineObject } from "../domain/ir-parse.ts";
import type { RecurringRunRow, RunRow, VersionRow } from "../store/tables.ts";
import { expandMacros, expandParameters, hasMacros } from "./macros.ts";

/** What a run of a schedule is made with: the version to run, unless the schedule holds a pipeline of its own. */
export interface SlotOptions {
  readonly slot: number;
  readonly now: number;
  readonly version: VersionRow | undefined;
  readonly sha256: EngineContext["sha256"];
}

/** The run that a schedule starts for a slot: the same id for the same slot. Throws `UserError` if its parameters do not fit the pipeline. */
export function runOfSlot(row: RecurringRunRow, { slot, now, version, sha256 }: SlotOptions): RunRow {
  const id = derivedUuid(sha256, "recurring-run", row.id, String(slot));
  const index = row.last_index + 1;
  const values = { runId: id, scheduledAt: slot, now, index };
  const spec = version?.spec ?? row.spec;
  const parameters = expandParameters(JSON.parse(row.parameters) as JsonObject, values);
  const { pipelineInfo, root } = parsePipelineObject(JSON.parse(spec)).pipelineSpec;
  runParameters(root, parameters);
  return {
    ...{ id, namespace: row.namespace, experiment_id: row.experiment_id, description: "", storage_state: "AVAILABLE", state: "PENDING" },
    name: hasMacros(row.name) ? expandMacros(row.name, values) : `${row.name}-${index}`,
    ...{ service_account: row.service_account, pipeline_id: row.pipeline_id, version_id: version?.id ?? "", pipeline_name: pipelineInfo.name, spec },
    ...{ parameters: JSON.stringify(parameters), pipeline_root: expandMacros(row.pipeline_root, values) },
    ...{ progress: JSON.stringify({ phase: "PENDING" }), history: JSON.stringify([{ time: now, state: "PENDING" }]) },
    ...{ created_at: now, scheduled_at: slot, finished_at: 0, recurring_run_id: row.id },
  };
}
