import { UserError } from "@sluice/kubernetes";
import type { JsonValue } from "./types.ts";

/** What holds for a run as a whole. */
export interface PipelineConfig {
  /** A volume that all tasks share which are given `placeholders.workspacePath`; it goes with the run. */
  readonly workspace?: {
    /** E.g. `10Gi`. */
    readonly size: string;
    /** Fields of the volume claim's specification, such as `storageClassName`. */
    readonly pvcSpecPatch?: Readonly<Record<string, JsonValue>>;
  };
  /** How long a run may take. */
  readonly activeDeadlineSeconds?: number;
  /** How long what a run leaves in the cluster stays there once it is over. */
  readonly ttlSecondsAfterFinished?: number;
  /** The same where it succeeded. */
  readonly ttlSecondsAfterSuccess?: number;
  /** The same where it failed. */
  readonly ttlSecondsAfterFailure?: number;
}

const QUANTITY = /^(0|[1-9]\d*)(\.\d+)?([KMGTPE]i?)?$/u;

/** Throws where a pipeline's settings cannot be. */
export function checkPipelineConfig(name: string, config: PipelineConfig): void {
  const { workspace, activeDeadlineSeconds, ttlSecondsAfterFinished, ttlSecondsAfterSuccess, ttlSecondsAfterFailure } = config;
  if (workspace !== undefined && !QUANTITY.test(workspace.size))
    throw new UserError(`${name}: the workspace's size "${workspace.size}" is no quantity`, { fix: 'e.g. "500Mi" or "10Gi"' });
  const seconds = { activeDeadlineSeconds, ttlSecondsAfterFinished, ttlSecondsAfterSuccess, ttlSecondsAfterFailure };
  for (const [key, value] of Object.entries(seconds)) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value < 2 ** 31))
      throw new UserError(`${name}: ${key} must be a whole number from 0 to ${2 ** 31 - 1}`);
  }
}

/** The settings as the document has them; undefined if there are none. */
export function pipelineConfig(config: PipelineConfig): Readonly<Record<string, unknown>> | undefined {
  const { workspace, activeDeadlineSeconds, ttlSecondsAfterFinished, ttlSecondsAfterSuccess, ttlSecondsAfterFailure } = config;
  const found = Object.entries({
    workspace: workspace === undefined ? undefined : { size: workspace.size, kubernetes: { pvcSpecPatch: workspace.pvcSpecPatch ?? {} } },
    activeDeadlineSeconds,
    resourceTtlOnCompletion: ttlSecondsAfterFinished,
    resourceTtlOnSuccess: ttlSecondsAfterSuccess,
    resourceTtlOnFailure: ttlSecondsAfterFailure,
  }).filter(([, value]) => value !== undefined);
  return found.length === 0 ? undefined : Object.fromEntries(found);
}
