/** The run engine: what happens next in a run, decided without clock, I/O or randomness. */
export * from "./types.ts";
export * from "./pod-types.ts";
export { RunState } from "./run-state.ts";
export { newRun, restoreRun } from "./restore.ts";
export { advance, outstandingEffects } from "./advance.ts";
export { runParameters } from "./parameter-type.ts";
export * from "./log-artifact.ts";
export * from "./provenance.ts";
export { podNameOf } from "./task-id.ts";
export { podOf } from "./pod.ts";
export { workspaceClaimName, workspaceClaimOf } from "./volume-claim.ts";
