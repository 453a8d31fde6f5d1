import type { Pod } from "@sluice/kubernetes";
import type { NodeContext } from "../node-context.ts";
import type { PodDirectory } from "../runtime/pod-directory.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { PodEvent } from "./pod-events.ts";
import type { PodSurroundings } from "./prepare-container.ts";

/** What a container needs of its pod's worker. */
export interface RunnerHost {
  readonly node: NodeContext;
  readonly directory: PodDirectory;
  /** Only while the pod is set up. */
  readonly sandbox: Sandbox | undefined;
  readonly surroundings: PodSurroundings;
  readonly pod: Pod;
  /** Counts the changes of what the pod refers to. */
  readonly references: number;
  /** The state of a container has changed. */
  changed(): void;
  tell(event: PodEvent): void;
  /** What stands in for a container's image. */
  noteProfile(container: string, profile: string): void;
}
