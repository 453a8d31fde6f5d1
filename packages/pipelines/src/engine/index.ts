/** The run engine: what happens next in a run, decided without clock, I/O or randomness. */
export * from "./types.ts";
export * from "./pod-types.ts";
export type * from "./why.ts";
export { nearestOf, type KeyDifference, type KeyParts } from "./cache-parts.ts";
export * from "./explain.ts";
export { RunState } from "./run-state.ts";
export { newRun, restoreRun } from "./restore.ts";
export { advance, outstandingEffects } from "./advance.ts";
export { checkEdit } from "./edit.ts";
export { runParameters } from "./parameter-type.ts";
export * from "./log-artifact.ts";
export * from "./provenance.ts";
export { derivedUuid, podNameOf } from "./task-id.ts";
export { runHomeOf } from "./executor.ts";
export { podOf } from "./pod.ts";
export { claimNameOf, DEBUG_LABEL, type DebugPod, debugPodOf, type Debugger } from "./debug-pod.ts";
export { workspaceClaimName, workspaceClaimOf } from "./volume-claim.ts";
