/** How a container ended. */
export interface ContainerExit {
  readonly exitCode: number;
  readonly reason: "Completed" | "Error" | "OOMKilled" | "ContainerCannotRun" | "ContainerStatusUnknown";
  readonly message?: string | undefined;
  /** Milliseconds since the epoch, as `finishedAt`. */
  readonly startedAt: number;
  readonly finishedAt: number;
}

/** One start of a container: a process, or a program that runs in this process. */
export interface Attempt {
  /** Never used twice for a container. */
  readonly index: number;
  readonly restartCount: number;
  /** How often it ended in a row without having run long: what the restart backoff grows with. */
  readonly crashes: number;
  readonly containerId: string;
  readonly imageId: string;
  /** Absent until it runs. */
  readonly startedAt?: number | undefined;
  readonly exit?: ContainerExit | undefined;
}

/** Why a container cannot be started now. */
export interface Blocked {
  readonly reason: string;
  readonly message: string;
  /** When it became known. */
  readonly since: number;
  /** When to try again; never by itself, if absent. */
  readonly retryAt?: number | undefined;
  /** How often in a row. */
  readonly failures: number;
}

/** What is known of one container of a pod. */
export interface ObservedContainer {
  /** The latest. */
  readonly attempt?: Attempt | undefined;
  /** The one before; it has ended. */
  readonly previous?: Attempt | undefined;
  /** It is being started: its image and environment are prepared. */
  readonly isStarting?: boolean | undefined;
  /** What takes long about that. */
  readonly progress?: string | undefined;
  readonly blocked?: Blocked | undefined;
  /** Runs in this process; it is never killed while its pod may complete. */
  readonly isProgram: boolean;
  /** It has been asked to stop, and will be killed at `killAt`. */
  readonly stopping?: { readonly killAt: number; readonly isKilled: boolean } | undefined;
  /** By its startup probe and postStart hook, if it has any. */
  readonly isStarted: boolean;
  /** By its readiness probe, if it has one. */
  readonly isReady: boolean;
  /** Its liveness or startup probe has failed for good, with this grace period. */
  readonly unhealthy?: { readonly graceMs: number } | undefined;
}

/** What is known of a pod on this node; `planPod` decides what follows. */
export interface ObservedPod {
  /** When this node accepted it. */
  readonly startTime: number;
  /** Why this node will not run it. */
  readonly refused?: { readonly reason: string; readonly message: string } | undefined;
  /** Sandbox and volumes. */
  readonly setup:
    | { readonly state: "absent" | "pending" | "removing" | "removed" }
    | { readonly state: "failed"; readonly message: string; readonly retryAt: number }
    | { readonly state: "ready" };
  readonly hostIp: string;
  readonly podIp?: string | undefined;
  readonly containers: ReadonlyMap<string, ObservedContainer>;
  /** When everything was first asked to stop. */
  readonly stopSince?: number | undefined;
}

/** A container of which nothing is known yet. */
export const UNSEEN: ObservedContainer = { isProgram: false, isStarted: false, isReady: false };

/** Whether the container has a process, or soon will. */
export function isAlive({ attempt, isStarting }: ObservedContainer): boolean {
  return isStarting === true || (attempt !== undefined && attempt.exit === undefined);
}
