import type { Container, Pod } from "@sluice/kubernetes";
import type { ObservedContainer, ObservedPod } from "./observed-pod.ts";
import type { RestartBackoff } from "./restart-backoff.ts";

/** A pod in the middle of being planned. */
export interface PodView {
  readonly pod: Pod;
  readonly observed: ObservedPod;
  readonly now: number;
  at(container: Container): ObservedContainer;
  readonly restartBackoff: RestartBackoff;
  readonly isInitialized: boolean;
  readonly hasMainBegun: boolean;
  readonly isExpired: boolean;
  /** No container is started any more. */
  readonly isStopping: boolean;
  /** Nor does any run. */
  readonly isEnded: boolean;
  /** Notes that time changes the status. */
  wake(time: number): void;
}
