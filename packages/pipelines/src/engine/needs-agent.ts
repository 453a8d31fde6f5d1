import type { ComponentSpec, ContainerSpec } from "../domain/ir.ts";
import type { TaskRecord } from "./types.ts";

/** A placeholder that is not the plain value of an input parameter. */
const BEYOND_VALUES = /\{\{\$(?!\.inputs\.parameters\[)/u;

/**
 * Whether a task's pod has the artifact agent beside its container: there is something to bring or to take, or the container is
 * told where that would lie.
 */
export function needsAgent({ inputs }: Pick<TaskRecord, "inputs">, { outputDefinitions }: ComponentSpec, container: ContainerSpec): boolean {
  const { parameters = {}, artifacts = {} } = outputDefinitions ?? {};
  if ([parameters, artifacts, inputs.artifacts].some((named) => Object.keys(named).length > 0)) return true;
  return [...(container.command ?? []), ...(container.args ?? [])].some((word) => BEYOND_VALUES.test(word));
}
