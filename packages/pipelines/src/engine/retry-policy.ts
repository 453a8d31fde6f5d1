import type { RetryPolicy } from "../domain/ir.ts";
import type { RunState } from "./run-state.ts";
import type { TaskRecord } from "./types.ts";

/** The retry policy of a task: its own, or that of the nearest graph around it that has one. */
export function retryPolicyOf(run: RunState, task: TaskRecord): RetryPolicy | undefined {
  for (let at = task; at.parentId !== undefined;) {
    const parent = run.get(at.parentId);
    const policy = at.iteration === undefined ? run.plan(parent.component).get(at.name)?.spec.retryPolicy : undefined;
    if (policy !== undefined) return policy;
    at = parent;
  }
  return undefined;
}

function milliseconds(duration: string | undefined, otherwise: number): number {
  const seconds = Number.parseFloat(duration ?? "");
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : otherwise;
}

/** How long to wait before retry number `retry` (from 0), in milliseconds; undefined once the retries are used up. */
export function retryDelay(policy: RetryPolicy | undefined, retry: number): number | undefined {
  if (policy === undefined || retry >= (policy.maxRetryCount ?? 0)) return undefined;
  const factor = policy.backoffFactor ?? 2;
  const longest = milliseconds(policy.backoffMaxDuration, 3_600_000);
  const delay = milliseconds(policy.backoffDuration, 0) * (factor > 0 ? factor : 2) ** retry;
  return Math.round(Math.min(delay, longest));
}
