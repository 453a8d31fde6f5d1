import type { JsonObject } from "../domain/ir.ts";
import type { Trigger } from "../schedules/trigger.ts";
import type { RecurringRunRow } from "../store/tables.ts";
import { compact, timestamp } from "./wire.ts";

/** KFP's RecurringRun. */
export function recurringRunJson(row: RecurringRunRow): JsonObject {
  return compact({
    ...{ recurring_run_id: row.id, experiment_id: row.experiment_id, display_name: row.name, description: row.description },
    pipeline_version_reference: row.spec === "" ? compact({ pipeline_id: row.pipeline_id, pipeline_version_id: row.version_id }) : undefined,
    pipeline_spec: row.spec === "" ? undefined : (JSON.parse(row.spec) as JsonObject),
    runtime_config: compact({ parameters: JSON.parse(row.parameters) as JsonObject, pipeline_root: row.pipeline_root }),
    ...{ service_account: row.service_account, namespace: row.namespace, max_concurrency: String(row.max_concurrency) },
    trigger: triggerJson(JSON.parse(row.trigger) as Trigger),
    ...{ mode: row.status === "ENABLED" ? "ENABLE" : "DISABLE", status: row.status, no_catchup: row.no_catchup === 1 },
    ...{ created_at: timestamp(row.created_at), updated_at: timestamp(row.updated_at) },
    plugins_input: JSON.parse(row.plugins_input) as JsonObject,
    error: row.error === "" ? undefined : { code: 9, message: row.error },
  });
}

function triggerJson({ cron, every, start, end }: Trigger): JsonObject | undefined {
  const bounds = { start_time: timestamp(start), end_time: timestamp(end) };
  if (cron !== undefined) return { cron_schedule: compact({ ...bounds, cron }) };
  return every === undefined ? undefined : { periodic_schedule: compact({ ...bounds, interval_second: String(every) }) };
}
