import type { Blocked } from "../lifecycle/observed-pod.ts";
import { delayOf, type RestartBackoff } from "../lifecycle/restart-backoff.ts";
import { StartError } from "./prepare-container.ts";

/** What a container waits for after it could not be started, and until when. */
export function blockedBy(
  error: unknown,
  before: Blocked | undefined,
  options: { readonly now: number; readonly backoff: RestartBackoff; readonly hasChanged: boolean },
): Blocked {
  const { now, backoff, hasChanged } = options;
  const reason = error instanceof StartError ? error.reason : "CreateContainerError";
  const message = error instanceof Error ? error.message : String(error);
  const failures = (before?.failures ?? 0) + 1;
  return { reason, message, since: now, failures, retryAt: retryAt() };

  function retryAt(): number | undefined {
    switch (reason) {
      case "CreateContainerConfigError":
        // The next change of what it refers to starts it; one may have come while it was tried.
        return hasChanged ? now : undefined;
      case "InvalidImageName":
      case "ErrImageNeverPull":
        return undefined;
      default:
        return now + delayOf(failures, backoff);
    }
  }
}
