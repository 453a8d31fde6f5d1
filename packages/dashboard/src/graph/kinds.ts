import type { JsonValue } from "@sluice/sdk";
import { formatValue } from "../app/format.ts";
import type { TaskPlace } from "./task-tree.ts";

/** What a place is, in a word. */
export function kindLabel({ kind, iteration, task }: Pick<TaskPlace, "kind" | "iteration" | "task">): string {
  if (iteration !== undefined && kind === "DAG") return "iteration";
  switch (kind) {
    case "ROOT":
      return "pipeline";
    case "LOOP": {
      const count = task?.type_attributes?.iteration_count;
      return count === undefined ? "loop" : `loop of ${Number(count).toLocaleString("en-US")}`;
    }
    case "CONDITION":
      return "condition";
    case "CONDITION_BRANCH":
      return "branches";
    case "EXIT_HANDLER":
      return "with exit handler";
    case "IMPORTER":
      return "importer";
    case "DAG":
      return "sub-pipeline";
    case "RUNTIME":
      return "task";
    default:
      return kind satisfies never;
  }
}

/** What a place is, or what says more: an iteration's item, a condition. */
export function detailOf(place: Pick<TaskPlace, "kind" | "iteration" | "task" | "condition">): string {
  if (place.condition !== undefined) return `if ${conditionText(place.condition)}`;
  const item = itemValue(place);
  return item === undefined ? kindLabel(place) : inBrief(item);
}

/** The item that an iteration is for. */
export function itemOf(place: Pick<TaskPlace, "iteration" | "task">): string | undefined {
  const item = itemValue(place);
  return item === undefined ? undefined : formatValue(item);
}

function itemValue({ iteration, task }: Pick<TaskPlace, "iteration" | "task">): JsonValue | undefined {
  if (iteration === undefined) return undefined;
  return task?.inputs?.parameters?.find(({ parameter_key: key }) => /loop-item/u.test(key))?.value;
}

/** A value in a few words: by its name, if it has one. */
function inBrief(value: JsonValue): string {
  if (typeof value !== "object" || value === null) return formatValue(value);
  const name = Array.isArray(value) ? undefined : (value as { readonly [key: string]: JsonValue })["name"];
  return typeof name === "string" ? name : JSON.stringify(value);
}

/** A condition as one would say it: names instead of the expressions that fetch them. */
export function conditionText(condition: string): string {
  return condition.replace(/inputs\.parameter_values\['(?:pipelinechannel--)?([^']+)'\]/gu, "$1");
}
