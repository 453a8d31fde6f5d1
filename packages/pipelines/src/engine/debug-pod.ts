import { UserError } from "@sluice/kubernetes";
import { isJsonObject } from "../domain/executor-input.ts";
import { nodeTarget } from "./debug-node.ts";
import { freeCommand } from "./debug-pause.ts";
import { pythonTarget } from "./debug-python.ts";
import { ATTEMPT_LABEL, type ContainerManifest, type EnvVar, MAIN_CONTAINER, type PodManifest, RUN_LABEL, TASK_LABEL } from "./pod-types.ts";
import type { TaskId } from "./types.ts";
import { workspaceClaimName } from "./volume-claim.ts";

/** The label of a pod that somebody debugs a task in: the task's id. */
export const DEBUG_LABEL = "pipelines.sluice.dev/debug";

/** How long a session may last, even if whoever began it is gone. */
const LONGEST_SESSION_SECONDS = 8 * 3600;
/** Nobody waits for a debugged program to clean up. */
const GRACE_SECONDS = 2;
/** Where a shell finds the task's own command. */
const SCRIPT = "/tmp/run-step";

/** What waits in a debug pod: a debugger at a port of its loopback, or nothing but room for a shell. */
export type Debugger =
  | { readonly kind: "python" | "node"; readonly port: number; /** The function that it stops in, if it is known. */ readonly stopsIn?: string }
  | { readonly kind: "shell"; /** A program that does what the task does. */ readonly script: string };

/** A command line that waits for a debugger. */
export interface DebugTarget {
  readonly debugger: Debugger;
  readonly command: readonly string[];
  readonly env: readonly EnvVar[];
}

/** What a debug pod is to be. */
export interface DebugPodOptions {
  readonly name: string;
  readonly runId: string;
  readonly taskId: TaskId;
  readonly port: number;
  /** Whether a shell is wanted rather than a debugger. */
  readonly isShell: boolean;
  /** Whether the run has no workspace any more: the pod gets an empty one. */
  readonly hasLostWorkspace: boolean;
}

/** A debug pod, what waits in it, and what the task itself would run. */
export interface DebugPod {
  readonly pod: PodManifest;
  readonly debugger: Debugger;
  readonly commandLine: readonly string[];
}

/** A copy of a task's pod to debug it in: it is nobody's attempt, its outputs go nowhere, and it waits. Throws `UserError` if no debugger fits. */
export function debugPodOf(pod: PodManifest, options: DebugPodOptions): DebugPod {
  const [main, ...others] = pod.spec.containers;
  if (main === undefined) throw new Error(`pod ${pod.metadata.name} has no container`);
  const line = [...freeCommand(main.command ?? []), ...(main.args ?? [])];
  const target = options.isShell ? shellTarget(line) : debugTarget(main, line, options.port);
  const { command: _, args: __, ...rest } = main;
  const labels = Object.entries(pod.metadata.labels ?? {}).filter(([name]) => !OWN_LABELS.has(name));
  return {
    debugger: target.debugger,
    commandLine: line.map((word) => word.replaceAll("$$", "$")),
    pod: {
      ...pod,
      metadata: {
        ...pod.metadata,
        name: options.name,
        labels: { ...Object.fromEntries(labels), [DEBUG_LABEL]: options.taskId },
      },
      spec: {
        ...pod.spec,
        activeDeadlineSeconds: LONGEST_SESSION_SECONDS,
        terminationGracePeriodSeconds: GRACE_SECONDS,
        initContainers: pod.spec.initContainers.filter(({ name }) => name !== "publish"),
        containers: [{ ...rest, command: target.command, env: [...(main.env ?? []), ...target.env] }, ...others],
        volumes: pod.spec.volumes.map((volume) => {
          const isLost = options.hasLostWorkspace && claimNameOf(volume) === workspaceClaimName(options.runId);
          return isLost ? { name: volume.name, emptyDir: {} } : volume;
        }),
      },
    },
  };
}

/** The claim that a pod's volume is, if it is one. */
export function claimNameOf({ persistentVolumeClaim: claim }: PodManifest["spec"]["volumes"][number]): string | undefined {
  const name = isJsonObject(claim) ? claim["claimName"] : undefined;
  return typeof name === "string" ? name : undefined;
}

/** What makes a pod an attempt of a task. */
const OWN_LABELS: ReadonlySet<string> = new Set([RUN_LABEL, TASK_LABEL, ATTEMPT_LABEL, "pipelines.kubeflow.org/v2_component"]);

function debugTarget({ image }: ContainerManifest, line: readonly string[], port: number): DebugTarget {
  const target = pythonTarget(line, port) ?? nodeTarget(line, port);
  if (target !== undefined) return target;
  const what = line[0] === undefined ? `what image ${image} runs by itself` : `${JSON.stringify(line[0])}, which it runs`;
  throw new UserError(`there is no debugger for ${what}: Python's and Node's are known`, { fix: "open a shell in its place: add --shell" });
}

/** Waits to be looked into; what the task would run lies there as a script. */
function shellTarget(line: readonly string[]): DebugTarget {
  const quoted = line.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const script = line.length === 0 ? `#!/bin/sh\necho "only the image knows what this step runs" >&2\nexit 1\n` : `#!/bin/sh\nexec ${quoted}\n`;
  const wait = `trap 'exit 0' TERM INT; printf %s "$1" > ${SCRIPT} && chmod 755 ${SCRIPT}; echo ready; while :; do sleep 3600 & wait; done`;
  return { debugger: { kind: "shell", script: SCRIPT }, command: ["sh", "-c", wait, MAIN_CONTAINER, script], env: [] };
}
