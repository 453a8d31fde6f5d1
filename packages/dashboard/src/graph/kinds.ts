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
