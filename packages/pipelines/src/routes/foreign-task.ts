import { isJsonObject } from "../domain/executor-input.ts";
import type { JsonObject, JsonValue } from "../domain/ir.ts";
import type { TaskRow } from "../store/tables.ts";
import { invalid } from "./invalid.ts";
import type { Message } from "./message.ts";
import { compact, timestamp } from "./wire.ts";

const FINAL: ReadonlySet<string> = new Set(["SUCCEEDED", "SKIPPED", "FAILED", "CACHED", "CANCELED"]);
/** What a task's row says better than what a client said: its ids and times, and the artifacts that are linked to it. */
const OWN_FIELDS = ["task_id", "run_id", "create_time", "end_time", "child_tasks", "parent_task_id"];

/** The row of a task that a client makes. */
export function newForeignTask(body: Message, { id, runId, now }: { readonly id: string; readonly runId: string; readonly now: number }): TaskRow {
  body.required("name");
  const created = timeOf(body, "create_time") ?? now;
  const empty: TaskRow = {
    ...{ id, run_id: runId, created_at: created, state: "RUNTIME_STATE_UNSPECIFIED", record: "{}", name: "", display_name: "", kind: "" },
    ...{ parent_id: "", path: "", fingerprint: "", pod_name: "", started_at: 0, ended_at: 0, is_foreign: 1 },
  };
  return changedForeignTask(empty, body, now);
}

/** The row after a change: what the change names is replaced, but parameters are merged by their keys, and states are remembered. */
export function changedForeignTask(row: TaskRow, body: Message, now: number): TaskRow {
  const before = JSON.parse(row.record) as JsonObject;
  const given = Object.fromEntries(Object.entries(body.fields).filter(([name]) => !OWN_FIELDS.includes(name)));
  const state = body.text("state") || row.state;
  const history = Array.isArray(before["state_history"]) ? (before["state_history"] as JsonValue[]) : [];
  const isNew = state !== row.state;
  const record: JsonObject = compact({
    ...before,
    ...given,
    inputs: mergedValues(before["inputs"], given["inputs"]),
    outputs: mergedValues(before["outputs"], given["outputs"]),
    state_history: given["state_history"] ?? (isNew ? [...history, { update_time: timestamp(now) ?? "", state }] : history),
  });
  const text = (name: string): string => (typeof record[name] === "string" ? record[name] : "");
  const ended = timeOf(body, "end_time") ?? (isNew && FINAL.has(state) ? now : row.ended_at);
  return {
    ...row,
    ...{ state, record: JSON.stringify(record), name: text("name"), display_name: text("display_name"), kind: text("type") },
    ...{ parent_id: body.has("parent_task_id") ? body.text("parent_task_id") : row.parent_id, path: text("scope_path") },
    ...{ fingerprint: text("cache_fingerprint"), started_at: timeOf(body, "start_time") ?? row.started_at, ended_at: ended },
  };
}

function timeOf(body: Message, name: string): number | undefined {
  const text = body.text(name);
  return text === "" ? undefined : Date.parse(text);
}

/** Parameters by their keys, the new ones over the old; artifacts are linked elsewhere. */
function mergedValues(before: JsonValue | undefined, given: JsonValue | undefined): JsonObject {
  const parameters = new Map<string, JsonValue>();
  for (const side of [before, given]) {
    const list = isJsonObject(side) ? (side["parameters"] ?? []) : [];
    for (const parameter of Array.isArray(list) ? (list as JsonValue[]) : []) {
      if (!isJsonObject(parameter)) continue;
      const { parameter_key: key, producer } = parameter;
      if (typeof key !== "string" || key === "") throw invalid("parameter_key", "must be given for every parameter");
      parameters.set(JSON.stringify([key, producer]), parameter);
    }
  }
  return parameters.size === 0 ? {} : { parameters: [...parameters.values()] };
}
