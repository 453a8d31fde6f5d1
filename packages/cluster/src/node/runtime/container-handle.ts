/** How a container's process or program ended. */
export interface RawExit {
  readonly exitCode: number;
  readonly finishedAt: number;
  /**
   * `exited`: it told its exit code. `cannotRun`: it could not be executed. `lost`: it is gone, and nobody knows how.
   */
  readonly how: "exited" | "cannotRun" | "lost";
}

/** A container that has been started, in this life of the program or an earlier one. */
export interface ContainerHandle {
  /** Resolves to the time when it began to run, or to undefined if it ended first. */
  readonly started: Promise<number | undefined>;
  readonly ended: Promise<RawExit>;
  /** The PID on this machine of its command, once it runs; a program has none. */
  readonly pid: number | undefined;
  /** Asks it to stop. */
  terminate(): Promise<void>;
  kill(): Promise<void>;
  /** Stops watching it; it runs on. */
  release(): void;
}
