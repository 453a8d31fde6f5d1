import type { Sha256 } from "../domain/fingerprint.ts";
import type { TaskId } from "./types.ts";

/** A UUID (version 8) that is the same for the same parts. */
export function derivedUuid(sha256: Sha256, ...parts: readonly string[]): string {
  const hex = sha256(parts.join("\u0000"));
  const variant = "89ab".charAt(Number.parseInt(hex.charAt(16), 16) % 4);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** The id of a run's root task. */
export function rootTaskId(sha256: Sha256, runId: string): TaskId {
  return derivedUuid(sha256, "root", runId);
}

/** The id of a task by its parent's, and its name or the index of its iteration. */
export function childTaskId(sha256: Sha256, parent: TaskId, key: string): TaskId {
  return derivedUuid(sha256, "task", parent, key);
}

function clean(text: string, length: number): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, length)
    .replace(/^-+|-+$/g, "");
}

/** What components know a run by: a DNS label that begins with the pipeline's name, as they expect it to. */
export function runResourceName(pipeline: string, runId: string): string {
  return `${clean(pipeline, 54)}-${clean(runId, 8)}`.replace(/^-/, "");
}

/** The name of an attempt's pod: a DNS label, unique by run, task and attempt. */
export function podNameOf(sha256: Sha256, pipeline: string, task: { id: TaskId; name: string; iteration?: number }, attempt: number): string {
  const iteration = task.iteration === undefined ? "" : String(task.iteration);
  const parts = [clean(pipeline, 20), clean(task.name, 24), iteration].filter((part) => part !== "");
  return `${parts.join("-").replace(/^[^a-z]/, "p$&")}-${sha256(`${task.id}\u0000${attempt}`).slice(0, 10)}`;
}
