import { isJsonObject } from "../domain/executor-input.ts";
import type { JsonObject, JsonValue } from "../domain/ir.ts";
import { formatGoTime } from "./go-time.ts";

/** What macros stand for in one run of a schedule. */
export interface MacroValues {
  readonly runId: string;
  /** Its slot. */
  readonly scheduledAt: number;
  readonly now: number;
  /** The first run's is 1. */
  readonly index: number;
}

const MACRO = /\[\[(?:(RunUUID)|(Index)|(ScheduledTime|CurrentTime)(?:\.(.*?))?)\]\]/gu;
const DEFAULT_LAYOUT = "20060102150405";

/** Whether a text has macros. */
export function hasMacros(text: string): boolean {
  return text.search(MACRO) >= 0;
}

/** A text with its macros replaced: `[[RunUUID]]`, `[[Index]]`, and `[[ScheduledTime]]` and `[[CurrentTime]]`, with a Go layout or without. */
export function expandMacros(text: string, { runId, scheduledAt, now, index }: MacroValues): string {
  return text.replace(MACRO, (_macro, isRun?: string, isIndex?: string, time?: string, layout: string = DEFAULT_LAYOUT) => {
    if (isRun !== undefined) return runId;
    return isIndex === undefined ? formatGoTime(time === "ScheduledTime" ? scheduledAt : now, layout) : String(index);
  });
}

/** Parameters with the macros in all their texts replaced. */
export function expandParameters(parameters: JsonObject, values: MacroValues): JsonObject {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, expandValue(value, values)]));
}

function expandValue(value: JsonValue, values: MacroValues): JsonValue {
  if (typeof value === "string") return expandMacros(value, values);
  if (Array.isArray(value)) return value.map((item: JsonValue) => expandValue(item, values));
  return isJsonObject(value) ? expandParameters(value, values) : value;
}
