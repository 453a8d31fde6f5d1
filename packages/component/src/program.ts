import type { Logger } from "@sluice/controller";

/**
 * A container image that is part of Sluice. On the embedded node it runs in the node's own process, at no cost; on a
 * real cluster the same code is the entry point of our own image.
 */
export interface Program {
  /** The image's name as a pod's container names it, without tag, e.g. `sluice.dev/artifact-agent`. */
  readonly image: string;
  /** Resolves to the exit code. An exception is exit code 1, with its message in the container's log. */
  run(context: ProgramContext): Promise<number>;
}

/** What a program gets of its container. */
export interface ProgramContext {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The pod that it runs in, as the node knows it: what `args` and `env` say, the pod's author says. */
  readonly pod: { readonly namespace: string; readonly name: string };
  /** Where on this machine the container sees `path`, which must lie in one of its volume mounts. */
  hostPath(path: string): string;
  /** Aborts when the container is asked to stop (SIGTERM); the program then finishes its work and returns. */
  readonly signal: AbortSignal;
  /** Writes one line to the container's log. */
  log(line: string): void;
  readonly logger: Logger;
}
