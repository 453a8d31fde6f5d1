/**
 * The command line. Commands are a table; each loads its own module when it runs, so that `sluice --version` stays quick.
 * What a command prints is made by pure functions, and an error a user can mend says how.
 */
export { createProgram } from "./program.ts";
export { renderRun, type RenderOptions, type RunView } from "./render-run.ts";
