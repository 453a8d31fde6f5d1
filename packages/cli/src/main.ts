import { createProgram } from "./program.ts";
import { reportError } from "./report-error.ts";

// Whoever reads no further, such as `head`, wants nothing more.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = reportError(error, process.stderr);
}
