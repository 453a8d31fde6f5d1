/**
 * The command line. Commands are a table; each loads its own module when it runs, so that `sluice --version` stays quick.
 * What a command prints is made by pure functions, and an error a user can mend says how.
 */
export { createProgram } from "./program.ts";
export { followRun } from "./commands/run-watch.ts";
export { installation } from "./installation.ts";
export { parametersOf } from "./parameters.ts";
export { reportError } from "./report-error.ts";
export { renderRun, type RenderOptions, type RunView } from "./render-run.ts";
