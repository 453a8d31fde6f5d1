import { UserError } from "@sluice/kubernetes";
import { parameterText } from "../domain/executor-input.ts";
import { withDefaults } from "./parameter-type.ts";
import { componentOf, containerOf } from "./plan.ts";
import type { RunState } from "./run-state.ts";
import { type Effect, NO_VALUES, type TaskRecord, type TaskValues } from "./types.ts";
import { CLAIM_IMAGES, claimOf } from "./volume-claim.ts";

/** What a CreatePVC or DeletePVC task asks for. */
export function claimEffect(run: RunState, record: TaskRecord): Effect {
  const component = componentOf(run.info.spec, record.component);
  const parameters = withDefaults(component, record.inputs.parameters);
  if (containerOf(run.info.spec, component)?.image === CLAIM_IMAGES.create) {
    return { type: "createVolumeClaim", taskId: record.id, claim: claimOf(run.info, record, parameters) };
  }
  const name = parameterText(parameters["pvc_name"] ?? null);
  if (name === "") throw new UserError('input parameter "pvc_name" is missing');
  return { type: "deleteVolumeClaim", taskId: record.id, name };
}

/** What a CreatePVC or DeletePVC task gives once that is done. */
export function claimOutputs(run: RunState, record: TaskRecord): TaskValues {
  const component = componentOf(run.info.spec, record.component);
  if (component.outputDefinitions?.parameters?.["name"] === undefined) return NO_VALUES;
  const claim = claimOf(run.info, record, withDefaults(component, record.inputs.parameters));
  return { parameters: { name: claim.metadata.name }, artifacts: {} };
}
