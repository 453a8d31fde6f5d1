import type { JsonObject } from "../domain/ir.ts";
import type { TaskId, TaskRecord, TaskState } from "./types.ts";

/** Whose result it is, and when it was made (milliseconds since the epoch). */
export interface ResultSource {
  readonly runId: string;
  readonly taskId: TaskId;
  readonly madeAt: number;
}

/**
 * Why the cache had no result to share: there was `none` for this key, it is too old, somebody asked not to use it, or what it
 * consists of is not as it was (`absent`: nothing is stored at the artifact's address; `altered`: something else is).
 */
export type CacheMiss =
  | { readonly type: "none" }
  | { readonly type: "expired"; readonly result: ResultSource; readonly maxAgeMs: number }
  | { readonly type: "invalidated"; readonly result: ResultSource; readonly by: string; readonly at: number }
  | { readonly type: "absent" | "altered"; readonly result: ResultSource; readonly artifact: string; readonly uri: string }
  /** It lacks an output that the component declares now. */
  | { readonly type: "incomplete"; readonly result: ResultSource }
  /** The tag names other bytes than those that the result was made with. */
  | { readonly type: "imageChanged"; readonly result: ResultSource; readonly from: string; readonly to: string }
  | { readonly type: "unreadable"; readonly problem: string };

/** Why a task took the way it took: what its record does not tell otherwise. What it waits for is not kept; it can be seen at any time. */
export type Why =
  /** It ran without asking the cache, because of the installation's settings, the pipeline, or its own maximum staleness of nothing. */
  | { readonly type: "uncached"; readonly because: "installation" | "pipeline" | "staleness" }
  | { readonly type: "missed"; readonly miss: CacheMiss }
  | { readonly type: "shared"; readonly result: ResultSource }
  /** Its condition was false, with these inputs. */
  | { readonly type: "conditionFalse"; readonly condition: string; readonly values: JsonObject }
  /** A task before it ended otherwise than by success. */
  | { readonly type: "blocked"; readonly task: string; readonly taskId: TaskId; readonly state: TaskState };

/** What is kept of a task whose condition is false: the inputs that the condition names. */
export function conditionFalse(condition: string, inputs: JsonObject = {}): Pick<TaskRecord, "message" | "why"> {
  const values = Object.fromEntries(Object.entries(inputs).filter(([name]) => condition.includes(name)));
  return { message: `its condition is false: ${condition}`, why: { type: "conditionFalse", condition, values } };
}

/** What is kept of a task that cannot begin because one before it did not succeed. */
export function blockedBy({ name, id, state }: TaskRecord): Pick<TaskRecord, "message" | "why"> {
  return { message: `task ${JSON.stringify(name)} before it is ${state}`, why: { type: "blocked", task: name, taskId: id, state } };
}
